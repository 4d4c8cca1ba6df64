"""What no value shows by itself: settings that contradict each other, or that would quietly do nothing."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable

from hookbridge.config import Config, Secrets
from hookbridge.settings.secrets import is_http_url


def check_together(config: Config, secrets: Secrets, problems: list[str]) -> None:
    """Add everything that is wrong with settings whose values are right one by one."""
    _check_signatures(config, secrets, problems)
    tables = (f"{table.schema}.{table.name}" for table in config.supabase.tables)
    problems += [f"[[supabase.tables]]: {name} is listed twice" for name in _repeated(tables)]
    databases = (database.id.replace("-", "").lower() for database in config.notion.databases)
    problems += [f"[[notion.databases]]: {name} is listed twice" for name in _repeated(databases)]
    if not is_http_url(config.notion.base_url):
        problems.append(f'[notion] base_url: expected an http or https URL, got "{config.notion.base_url}"')
    if config.cache.keys and not secrets.redis_url:
        problems.append("[[cache.keys]]: there are keys to delete, but REDIS_URL, the cache they lie in, is not set")
    problems += [
        f'[[cache.keys]]: "{template}" is no template; expected text with column names in braces, such as user:{{id}}'
        for block in config.cache.keys
        for template in block.templates
        if not _is_template(template)
    ]
    _check_lease(config, problems)


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
