"""SQL for Supabase's editor: a trigger that tells hookbridge of every changed row, or keeps that for it; its removal.

The fixed parts are the files in ``trigger/``; here the table's own lines are put to them.  Invariant: whatever the
names are, the text does what it says and nothing else, because every name is quoted.  It talks to no database, and no
secret stands in what it writes: the trigger takes it from Supabase's Vault.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from hookbridge.errors import ConfigError
from hookbridge.names import NAME_EXPECTED, SCHEMA, is_name, is_schema

PLACEHOLDER_URL = "https://your-api.com/api/v1/webhooks/supabase"
ENDPOINT = "/api/v1/webhooks/supabase"
IDENTIFIER_MAX_BYTES = 63
"""Postgres cuts what is longer, and would then mean another table."""

_BEGIN = """\
begin;
-- Whatever the database's default is: what is read here ends no SERIALIZABLE transaction, and what others commit while
-- they are waited for is seen, and moved.
set transaction isolation level read committed;
-- To change a table's trigger waits for who uses the table, and everybody else waits behind that: no longer than so.
set local lock_timeout = '10s';
"""

_PARTS = Path(__file__).with_suffix("")
_FIXED_DIRECT = ("functions", "signed", "direct", "rights")
_FIXED_OUTBOX = ("functions", "signed", "outbox", "rights")
_FIXED_PULLED = ("functions", "pull", "take", "exposed", "rights")


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """How hookbridge takes what the trigger keeps."""

    api_schema: str = SCHEMA
    """Where the Data API finds the two functions that are called."""
    take_over: bool = False
    """Let another store take than the one that does."""


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """What the trigger of one table is to do."""

    table: str
    schema: str = SCHEMA
    key: tuple[str, ...] = ("id",)
    url: str = PLACEHOLDER_URL
    outbox: bool = False
    """Keep each message in a table until it has arrived."""
    pull: Pull | None = None
    """Send nothing: keep each message in a table until hookbridge has taken it."""


def install(trigger: Trigger) -> str:
    """Give the SQL that puts the trigger on its table, or renews it.  Raises ConfigError."""
    url = _address(trigger.url)
    problems = _problems(trigger)
    if url is None:
        problems.append(f"{trigger.url!r} is no http(s) address")
    if problems or url is None:
        raise ConfigError(problems, hint="python -m hookbridge trigger-sql --help")
    if trigger.pull is not None:
        return _joined(
            _heading(trigger, url), _FIXED_PULLED, _pulled(trigger, trigger.pull), ("outbox_unused", "reload")
        )
    fixed = _FIXED_OUTBOX if trigger.outbox else _FIXED_DIRECT
    unused = ("pull_unused",) if trigger.outbox else ("outbox_unused", "pull_unused")
    return _joined(_heading(trigger, url), fixed, _pushed(trigger, url), unused)


def uninstall(schema: str, table: str) -> str:
    """Give the SQL that removes the trigger, and with the last one everything.  Raises ConfigError."""
    problems = _problems(Trigger(schema=schema, table=table))
    if problems:
        raise ConfigError(problems, hint="python -m hookbridge trigger-sql --help")
    name = f"{_identifier(schema)}.{_identifier(table)}"
    heading = f"-- Takes hookbridge's trigger off {name}.\n"
    return _joined(heading, (), _off(name), ("uninstall", "pull_unused"))


def _joined(heading: str, before: tuple[str, ...], own: str, after: tuple[str, ...] = ()) -> str:
    """Put the table's own lines between fixed parts, as one transaction."""
    return "\n".join([heading, _BEGIN, *map(_part, before), own, *map(_part, after), "commit;\n"])


def _heading(trigger: Trigger, url: str) -> str:
    columns = ", ".join(msgspec.json.encode(column).decode() for column in trigger.key)
    lines = [f"-- hookbridge's trigger for {_name(trigger)}: paste this into Supabase's SQL editor and run it.", "--"]
    if trigger.pull is None:
        lines += [
            "-- Once for the project, the WEBHOOK_SECRET of hookbridge's .env goes into Vault:",
            "--   select vault.create_secret('the WEBHOOK_SECRET', 'hookbridge_webhook_secret');",
            "--",
        ]
    lines += [
        "-- hookbridge's config.toml:",
        "--   [[supabase.tables]]",
        f"--   schema = {msgspec.json.encode(trigger.schema).decode()}",
        f"--   name = {msgspec.json.encode(trigger.table).decode()}",
        f"--   key = [{columns}]",
    ]
    if trigger.pull is not None:
        lines.append("--   pull = true")
    elif url == PLACEHOLDER_URL:
        lines += ["--", f"-- REPLACE {PLACEHOLDER_URL} below by hookbridge's address, or make this again with --url."]
    return "\n".join([*lines, ""])


def _pushed(trigger: Trigger, url: str) -> str:
    name, key = _name(trigger), _key(trigger)
    function = "enqueue" if trigger.outbox else "send"
    return (
        f"{_checks(trigger)}{_off(name)}"
        f"create trigger hookbridge after insert or update or delete on {name}\n"
        f"for each row execute function hookbridge_webhooks.{function}({_literal(url)}, {key});\n"
        f"select hookbridge_webhooks.{function}_waiting({_literal(name)}::regclass, {_literal(url)});\n"
    )


def _pulled(trigger: Trigger, pull: Pull) -> str:
    name, key = _name(trigger), _key(trigger)
    relation = f"{_literal(name)}::regclass"
    take_over = "select hookbridge_webhooks.take_over();\n" if pull.take_over else ""
    return (
        # Taking over waits for who takes just now: before writers wait for the table.
        f"{_checks(trigger)}{take_over}{_off(name)}"
        f"create trigger hookbridge after insert or update or delete on {name}\n"
        f"for each row execute function hookbridge_webhooks.keep({key});\n"
        f"create trigger hookbridge_truncate after truncate on {name}\n"
        f"for each statement execute function hookbridge_webhooks.keep({key});\n"
        f"select hookbridge_webhooks.take_from_outbox({relation}, array[{key}]);\n"
        f"select hookbridge_webhooks.warn_of_webhooks({relation}, {_literal(ENDPOINT)});\n"
        f"select hookbridge_webhooks.expose({_literal(pull.api_schema)});\n"
    )


def _checks(trigger: Trigger) -> str:
    relation = f"{_literal(_name(trigger))}::regclass"
    return (
        f"select hookbridge_webhooks.require_columns({relation}, array[{_key(trigger)}]);\n"
        f"select hookbridge_webhooks.require_own_casts({relation});\n"
    )


def _off(name: str) -> str:
    return f"drop trigger if exists hookbridge on {name};\ndrop trigger if exists hookbridge_truncate on {name};\n"


def _address(url: str) -> str | None:
    """Give the endpoint's address, also for the service's own or a path before it; None for what is neither."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    # What urlsplit strips or passes over would not be the address that was shown.
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url or "#" in url:
        return None
    path = parts.path.rstrip("/").removesuffix(ENDPOINT) + ENDPOINT
    return parts._replace(path=path).geturl()


def _problems(trigger: Trigger) -> list[str]:
    problems = []
    if not is_schema(trigger.schema):
        problems.append(f"{trigger.schema!r} is no schema's name: {NAME_EXPECTED}, and no dot")
    if not is_name(trigger.table):
        problems.append(f"{trigger.table!r} is no table's name: {NAME_EXPECTED}")
    if not trigger.key:
        problems.append("a table needs at least one key column")
    twice = sorted({column for column in trigger.key if trigger.key.count(column) > 1})
    problems += [f"the key column {column!r} is named twice" for column in twice]
    names = [trigger.schema, trigger.table, *trigger.key]
    if trigger.pull is not None:
        if trigger.outbox:
            problems.append("--outbox sends and --pull does not: choose one")
        names.append(trigger.pull.api_schema)
    problems += [
        f"{name!r} is no name in Postgres: 1 to {IDENTIFIER_MAX_BYTES} bytes without control characters"
        for name in names
        if not 0 < len(name.encode()) <= IDENTIFIER_MAX_BYTES or any(ord(character) < ord(" ") for character in name)
    ]
    return problems


def _key(trigger: Trigger) -> str:
    return ", ".join(_literal(column) for column in trigger.key)


def _name(trigger: Trigger) -> str:
    return f"{_identifier(trigger.schema)}.{_identifier(trigger.table)}"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    # E'': a backslash means the same whatever standard_conforming_strings is.
    doubled = text.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in text else f"'{doubled}'"


def _part(name: str) -> str:
    return (_PARTS / f"{name}.sql").read_text(encoding="utf-8")
