"""A table's triggers: what they send, and whether that comes here; and whether the table's key is one.

It reads the catalog, in a connection that is its caller's.  Postgres keeps a trigger's operations as bits and its
arguments as bytes with a NUL behind each (https://www.postgresql.org/docs/current/catalog-pg-trigger.html).
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from hookbridge.config import SupabaseConfig, SupabaseTable
from hookbridge.doctor.finding import Finding, Findings, failed, ok, warning
from hookbridge.settings.hosts import name_of
from hookbridge.sources.supabase.trigger import ENDPOINT, PLACEHOLDER_URL

if TYPE_CHECKING:
    import asyncpg

EACH_ROW = 1 << 0
OPERATIONS = {"insert": 1 << 2, "update": 1 << 4, "delete": 1 << 3}
TRUNCATE = 1 << 5

_TABLE = """
select pg_class.oid, relkind = 'p' as partitioned
from pg_class join pg_namespace on pg_namespace.oid = relnamespace
where nspname = $1 and relname = $2 and relkind in ('r', 'p')
"""
_TRIGGERS = """
select tgenabled::text as fires, tgtype::int as bits, tgargs as arguments,
       tgqual is not null as conditional, tgattr::text <> '' as some_columns,
       nspname = 'hookbridge_webhooks' as signs, nspname = 'hookbridge_webhooks' and proname = 'keep' as keeps,
       format('alter table %I.%I enable trigger %I;', $2::text, $3::text, tgname) as remedy
from pg_trigger join pg_proc on pg_proc.oid = tgfoid join pg_namespace on pg_namespace.oid = pronamespace
where tgrelid = $1 and nspname in ('hookbridge_webhooks', 'supabase_functions')
order by tgname
"""
"""Ours, and those of the dashboard's Database Webhooks."""
_PARTITIONS = """
select nspname || '.' || relname as name
from pg_partition_tree($1::oid) as part join pg_class on pg_class.oid = part.relid
join pg_namespace on pg_namespace.oid = relnamespace
where isleaf order by 1
"""
_UNIQUE = """
select array_agg(attname::text order by place) as columns, indisprimary as is_primary
from pg_index
cross join unnest(indkey) with ordinality as part (number, place)
join pg_attribute on attrelid = indrelid and attnum = part.number
where indrelid = $1 and indisunique and indisvalid and indpred is null and indexprs is null and place <= indnkeyatts
group by indexrelid, indisprimary having bool_and(attnotnull)
order by indisprimary desc, indexrelid
"""


class _Trigger(msgspec.Struct, frozen=True, kw_only=True):
    fires: str
    """``O`` as a trigger does, ``A`` always, ``R`` only where a replica applies changes, ``D`` never."""
    sends: frozenset[str]
    """The operations of which it tells in any case."""
    url: str
    key: tuple[str, ...] | None
    """The key columns that it names; a Database Webhook names none."""
    keeps: bool
    """Whether it sends nothing and keeps what is to be taken."""
    truncates: bool
    """Whether it tells of TRUNCATE."""
    remedy: str

    @property
    def is_enabled(self) -> bool:
        return self.fires in {"O", "A"}

    @property
    def calls_us(self) -> bool:
        return _parts(self.url)[1].endswith(ENDPOINT)


async def look(sql: asyncpg.Connection, tables: Sequence[SupabaseTable], names: Collection[str]) -> Findings:
    """Look at the tables; one that is not there is told of elsewhere.

    ``names`` are those under which the service is known to answer; without any, only what differs shows.
    """
    addresses: dict[str, list[str]] = {}
    for table in tables:
        relation = await sql.fetchrow(_TABLE, table.schema, table.name)
        if relation is None:
            continue
        triggers = [_read(row) for row in await sql.fetch(_TRIGGERS, relation["oid"], table.schema, table.name)]
        # A Database Webhook may go anywhere; ours go here, or are wrong.
        ours = [trigger for trigger in triggers if trigger.key is not None or trigger.calls_us]
        yield _finding_of(table, ours, names)
        if relation["partitioned"] and any(trigger.key is None for trigger in ours):
            yield _partitions(table, tables, [row["name"] for row in await sql.fetch(_PARTITIONS, relation["oid"])])
        yield _key(table, await sql.fetch(_UNIQUE, relation["oid"]), partitioned=relation["partitioned"])
        for url in sorted({_shown(trigger.url) for trigger in ours if trigger.is_enabled and trigger.calls_us}):
            addresses.setdefault(url, []).append(table.full_name)
    if not names and len(addresses) > 1:
        which = "; ".join(f"{url} ({', '.join(of)})" for url, of in addresses.items())
        hint = "make those of a former address again with trigger-sql, or say which is right with check --url https://…"
        yield warning("trigger addresses", f"they send to different ones: {which}", hint)


def _read(row: Any) -> _Trigger:  # noqa: ANN401  asyncpg has no types
    arguments = [argument.decode() for argument in row["arguments"].split(b"\0")[:-1]]
    complete = row["bits"] & EACH_ROW and not row["conditional"]
    sends = {name for name, bit in OPERATIONS.items() if complete and row["bits"] & bit}
    if row["some_columns"]:
        sends.discard("update")
    return _Trigger(
        fires=row["fires"],
        sends=frozenset(sends),
        url=arguments[0] if arguments and not row["keeps"] else "",
        key=tuple(arguments if row["keeps"] else arguments[1:]) if row["signs"] else None,
        keeps=row["keeps"],
        truncates=bool(row["bits"] & TRUNCATE),
        remedy=row["remedy"],
    )


def _finding_of(table: SupabaseTable, triggers: list[_Trigger], names: Collection[str]) -> Finding:
    check, hint = f"trigger {table.full_name}", _remake(table)
    of_rows = [one for one in triggers if not one.truncates]
    if not of_rows:
        return warning(check, "there is none, so changes are found by polls and sweeps only", hint)
    if not any(one.is_enabled for one in of_rows):
        why = "it fires on a replica only" if of_rows[0].fires == "R" else "it is disabled"
        return failed(check, why, of_rows[0].remedy)
    enabled = [one for one in triggers if one.is_enabled]
    if table.pull or any(one.keeps for one in enabled):
        return _kept(table, enabled, check, hint)
    return _elsewhere(enabled, names, check, hint) or _sent(table, enabled, check, hint)


def _kept(table: SupabaseTable, enabled: list[_Trigger], check: str, hint: str) -> Finding:
    """Tell of a table whose changes are to be taken, or are kept although nobody takes them."""
    kept = [one for one in enabled if one.keeps]
    sending = [one for one in enabled if not one.keeps]
    if not kept:
        message = f"pull = true, and it sends to {_shown(sending[0].url)}: nothing is there to be taken"
        return failed(check, message, hint)
    if not table.pull:
        return failed(check, "it keeps changes that nobody takes", "set pull = true in its [[supabase.tables]]")
    if sending:
        message = f"it keeps changes to be taken, and a webhook sends them to {_shown(sending[0].url)}, too"
        return warning(check, message, "remove it in Supabase's dashboard: Database > Webhooks")
    problem = _incomplete(table, [one for one in kept if not one.truncates], check, hint)
    if problem is None and not any(one.truncates for one in kept):
        return warning(check, "it does not tell of TRUNCATE: a sweep finds it", hint)
    return problem or ok(check, "keeps every change to be taken")


def _elsewhere(enabled: list[_Trigger], names: Collection[str], check: str, hint: str) -> Finding | None:
    if any(trigger.url == PLACEHOLDER_URL for trigger in enabled):
        return failed(check, f"it sends to the placeholder {PLACEHOLDER_URL}", hint)
    for trigger in enabled:
        if not trigger.calls_us:
            return warning(check, f"it sends to {_shown(trigger.url)}, and the endpoint is {ENDPOINT}", hint)
    if names and not any(name_of(_parts(trigger.url)[0]) in names for trigger in enabled):
        known = ", ".join(sorted(names))
        return warning(check, f"it sends to {_shown(enabled[0].url)}, and this service answers under {known}", hint)
    return None


def _sent(table: SupabaseTable, enabled: list[_Trigger], check: str, hint: str) -> Finding:
    sent = f"sends every change to {', '.join(sorted({_shown(trigger.url) for trigger in enabled}))}"
    return _incomplete(table, enabled, check, hint) or ok(check, sent)


def _incomplete(table: SupabaseTable, enabled: list[_Trigger], check: str, hint: str) -> Finding | None:
    missing = OPERATIONS.keys() - frozenset[str]().union(*(trigger.sends for trigger in enabled))
    if missing:
        named = ", ".join(name.upper() for name in OPERATIONS if name in missing)
        return warning(check, f"it does not tell of every {named}: polls and sweeps find what it leaves out", hint)
    for trigger in enabled:
        if trigger.key is not None and not set(table.key) <= set(trigger.key):
            message = f"its key is {_columns(trigger.key)} and [[supabase.tables]] has {_columns(table.key)}"
            return warning(check, f"{message}: a row that is too large to send is refused", hint)
    return None


def _partitions(table: SupabaseTable, tables: Sequence[SupabaseTable], leaves: Sequence[str]) -> Finding:
    check, root = f"partitions {table.full_name}", table.full_name
    config = SupabaseConfig(tables=tuple(tables))
    unknown = [leaf for leaf in leaves if config.root(leaf) != root]
    if not unknown:
        return ok(check, "webhooks that name one are known as the table's")
    hint = f"cover it with partitions in [[supabase.tables]], or use trigger-sql: {_remake(table)}"
    return warning(check, f"its Database Webhook names the partition, and {unknown[0]} is no known one", hint)


def _key(table: SupabaseTable, unique: list[Any], *, partitioned: bool) -> Finding:
    check = f"key {table.full_name}"
    if any(set(row["columns"]) <= set(table.key) for row in unique):
        return ok(check, f"{_columns(table.key)} is unique")
    message = f"nothing in the database keeps {_columns(table.key)} unique, so two rows may be one record"
    if unique:
        columns = unique[0]["columns"]
        which = "primary key" if unique[0]["is_primary"] else "unique index"
        message = f"{message}; the {which} is {_columns(columns)}"
        names = ", ".join(msgspec.json.encode(column).decode() for column in columns)
        hint = f"set key = [{names}] in [[supabase.tables]]"
    else:
        hint = "give the table a primary key, and name its columns as key in [[supabase.tables]]"
    # There an index has to contain the columns of the partitions, although an identity alone is unique.
    return (warning if partitioned else failed)(check, message, hint)


def _remake(table: SupabaseTable) -> str:
    options = f"--table {shlex.quote(table.name)} --schema {shlex.quote(table.schema)}"
    key = "" if table.key == ("id",) else "".join(f" --key {shlex.quote(column)}" for column in table.key)
    return f"python -m hookbridge trigger-sql {options}{key} {'--pull' if table.pull else '--url https://…'}"


def _columns(names: Iterable[str]) -> str:
    return f"({', '.join(names)})"


def _shown(url: str) -> str:
    """Give the address without what may be secret in it: user, password, query."""
    host, path = _parts(url)
    return host + path


def _parts(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no address", ""
    return parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
