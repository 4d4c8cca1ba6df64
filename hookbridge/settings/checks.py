"""What no value shows by itself: settings that contradict each other, or that would quietly do nothing."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterable
from datetime import date

from hookbridge.config import Config, NotionConfig, Secrets, SupabaseTable
from hookbridge.names import NAME_MAX, dashed, is_name, is_schema, is_uuid
from hookbridge.settings import alerts, store_url
from hookbridge.settings.hosts import name_of, network_of
from hookbridge.settings.secrets import is_http_url
from hookbridge.settings.values import shown

API_VERSION_MIN = "2025-09-03"
"""The first version of Notion's API whose databases contain data sources, which is how they are read here."""

_IN_URL = re.compile(r"[0-9a-f]{32}(?=[?#/]|$)")
"""Where a link to a database has its id; what follows ``?v=`` is a view's."""


def check_together(config: Config, secrets: Secrets, problems: list[str]) -> None:
    """Add everything that is wrong with settings whose values are right one by one."""
    problems += [
        f"[server] allowed_hosts: expected a host's name or address, got {shown(host)}"
        for host in config.server.allowed_hosts
        if not name_of(host)
    ]
    problems += [
        f"[server] trusted_proxies: expected an address, or a network such as 10.0.0.0/8, got {shown(proxy)}"
        for proxy in config.server.trusted_proxies
        if network_of(proxy) is None
    ]
    _check_signatures(config, secrets, problems)
    for number, table in enumerate(config.supabase.tables, start=1):
        _check_table(table, f"[supabase] tables[{number}]", problems)
    tables = (table.full_name for table in config.supabase.tables)
    problems += [f"[[supabase.tables]]: {name} is listed twice" for name in _repeated(tables)]
    _check_notion(config.notion, problems, followed=bool(secrets.notion_token))
    if config.cache.keys and not secrets.redis_url:
        problems.append("[[cache.keys]]: there are keys to delete, but REDIS_URL, the cache they lie in, is not set")
    problems += [
        f"[[cache.keys]] table: expected a table's name, or the id of a Notion database, got {shown(block.table)}"
        for block in config.cache.keys
        if not is_name(block.table)
    ]
    problems += [
        f'[[cache.keys]]: "{template}" is no template; expected text with column names in braces, such as user:{{id}}'
        for block in config.cache.keys
        for template in block.templates
        if not _is_template(template)
    ]
    _check_lease(config, problems)
    _check_store(config, secrets, problems)
    problems += alerts.problems(config.alerts, secrets)


def _check_store(config: Config, secrets: Secrets, problems: list[str]) -> None:
    url = config.store.url
    if store_url.passwords(url):
        where = (
            f"write the url into .env, as {store_url.VARIABLE}, or into the file that {store_url.VARIABLE}_FILE names"
        )
        problems.append(f"[store] url: it holds a password, and secrets do not stand in config.toml; {where}")
    elif url and not store_url.is_address(url):
        problems.append(f"[store] url: {store_url.EXPECTED}")
    if (url or secrets.store_url) and not secrets.admin_token:
        problems.append(
            "HOOKBRIDGE_ADMIN_TOKEN: missing; nodes that share a store need one token for all of them:"
            " python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )


def _check_table(table: SupabaseTable, where: str, problems: list[str]) -> None:
    if not is_name(table.name):
        problems.append(f"{where} name: expected a table's name without a colon, got {shown(table.name)}")
    if not is_schema(table.schema):
        problems.append(f"{where} schema: expected a schema's name without a dot or a colon, got {shown(table.schema)}")
    if len(table.full_name) > NAME_MAX:
        problems.append(f"{where} name: expected at most {NAME_MAX} characters with its schema")
    problems += [f"{where} key: the column {shown(column)} is named twice" for column in _repeated(table.key)]


def _check_notion(config: NotionConfig, problems: list[str], *, followed: bool) -> None:
    """``followed`` says that there is a token, so that the databases will be asked for."""
    for number, database in enumerate(config.databases, start=1):
        if not is_name(database.id) or (followed and not is_uuid(dashed(database.id))):
            found = _IN_URL.search(database.id)
            problems.append(
                f"[notion] databases[{number}] id: expected 32 hexadecimal digits, with or without dashes,"
                f" got {shown(database.id)}" + (f"; the id in it is {found[0]}" if found else "")
            )
    databases = (dashed(database.id) for database in config.databases)
    problems += [f"[[notion.databases]]: {name} is listed twice" for name in _repeated(databases)]
    if not is_http_url(config.base_url):
        problems.append(f'[notion] base_url: expected an http or https URL, got "{config.base_url}"')
    if config.api_version < API_VERSION_MIN or not _is_date(config.api_version):
        problems.append(
            f"[notion] api_version: expected {API_VERSION_MIN} or a later version (a date), got {config.api_version}"
        )


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _check_signatures(config: Config, secrets: Secrets, problems: list[str]) -> None:
    if config.signatures.verify and not (secrets.webhook_secrets or secrets.notion_webhook_secrets):
        problems.append(
            "VERIFY_WEBHOOK_SIGNATURES: on, but there is no secret to verify with;"
            " set WEBHOOK_SECRET (or NOTION_WEBHOOK_SECRET)"
        )
    if config.signatures.static_token and not any(not one.startswith("whsec_") for one in secrets.webhook_secrets):
        problems.append("[signatures] static_token: on, but WEBHOOK_SECRET, which is that token, is not set")


def _repeated(names: Iterable[str]) -> list[str]:
    every = list(names)
    return sorted({name for name in every if every.count(name) > 1})


def _is_template(text: str) -> bool:
    """Whether every brace pair holds a plain column name: no conversion, no format, no expression."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError:
        return False
    return all(name is None or (name and not form and not conversion) for _, name, form, conversion in parts)


def _check_lease(config: Config, problems: list[str]) -> None:
    """A lease that ends while its worker still tries gives the record to a second worker, for nothing."""
    needed = longest_change_seconds(config)
    if config.processing.lease_seconds <= needed:
        problems.append(
            f"[processing] lease_seconds: expected more than {needed:.0f}, which all attempts of a change can take"
            f" with these timeouts and waits, got {config.processing.lease_seconds:g}"
        )


def longest_change_seconds(config: Config) -> float:
    """Give the seconds that all attempts of one change can take: reading, the cache, one handler, and the waits."""
    processing = config.processing
    read = max(config.supabase.timeout_seconds, config.notion.timeout_seconds)
    one = read + config.cache.timeout_seconds + (config.handlers.timeout_seconds if config.handlers.module else 0.0)
    # The sum of delay * multiplier**n in closed form, because nothing bounds the number of attempts.
    delay, multiplier, number = processing.retry_delay_seconds, processing.retry_multiplier, processing.max_attempts - 1
    try:
        waits = delay * (number if multiplier == 1 else (multiplier**number - 1) / (multiplier - 1))
    except OverflowError:
        waits = math.inf
    return processing.max_attempts * one + waits
