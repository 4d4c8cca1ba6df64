"""The outbox that changes are taken from: do its functions answer, to whom, what waits in it, and whose it is.

It asks as the service does, for no message at all, which takes and claims nothing; and reads in the database, in a
connection that is its caller's, what the Data API does not tell.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from hookbridge.config import Settings
from hookbridge.doctor.finding import Finding, Findings, broken, failed, ok, skipped, warning
from hookbridge.errors import SourceError, SourceRefused, SourceUnavailable, named
from hookbridge.sources.supabase.pull import RUN_AGAIN, decoded

if TYPE_CHECKING:
    import asyncpg

    from hookbridge.sources.supabase.client import SupabaseClient

CHECK = "supabase outbox"
KEY = "supabase publishable key"
INSIDE = "outbox to take from"
RIGHTS = "outbox rights"
LATE_SECONDS = 120.0
"""Longer than it takes to be taken, whatever is restarted meanwhile."""
STORE = "hookbridge check"
"""Never a store's own id: with it nothing can be taken."""

AS_POSTGRES = "give --database-url of the role postgres"

_LOOK = msgspec.json.encode({"most": 0, "lease_seconds": 0, "store": STORE})
_CALLS = {"hookbridge_take": _LOOK, "hookbridge_done": b'{"ids":[]}'}
_FUNCTIONS = """
select name, to_regprocedure(format('%I.', $1::text) || signature)::text as function
from (values ('hookbridge_take', 'hookbridge_take(integer,double precision,text)'),
             ('hookbridge_done', 'hookbridge_done(uuid[])')) as called (name, signature)
"""
_ALLOWED = """
select coalesce(array_agg(rolname::text order by rolname), '{}') from pg_roles
where rolname in ('anon', 'authenticated', 'service_role') and has_function_privilege(oid, $1::text, 'execute')
"""
_MAY_LOOK = "select has_schema_privilege(oid, 'usage') from pg_namespace where nspname = 'hookbridge_webhooks'"
_STATE = """
select (select count(*) from (select from hookbridge_webhooks.changes limit 10001) as counted) as waiting,
       (select extract(epoch from clock_timestamp() - created_at)::float8
        from hookbridge_webhooks.changes order by number limit 1) as oldest_seconds,
       (select since from hookbridge_webhooks.taker) as since
"""


async def look(settings: Settings, client: SupabaseClient, publishable_key: str) -> Findings:
    """Look through the Data API, where the service takes by it.  ``publishable_key`` is one that must be refused."""
    config = settings.config.supabase
    if not config.pulled or settings.secrets.supabase_db_url:
        return
    try:
        answer = decoded(await client.call(config.api_schema, "hookbridge_take", _LOOK))
        await client.call(config.api_schema, "hookbridge_done", _CALLS["hookbridge_done"])
    except SourceUnavailable as error:
        yield broken(CHECK, error, "look whether Supabase can be reached")
        return
    except SourceError as error:
        yield broken(CHECK, error, RUN_AGAIN)
        return
    yield _waiting(CHECK, answer.waiting, answer.oldest_seconds)
    yield await _refused(settings, publishable_key)


async def look_inside(sql: asyncpg.Connection, schema: str, *, expected: bool) -> Findings:
    """Look in the database, where there is such an outbox.  ``expected``: whether a table is to be taken from.

    A role that may call the functions, and do nothing else, looks by them.
    """
    if await sql.fetchval(_MAY_LOOK) is False:
        if expected:
            yield await _asked(sql, schema)
        yield skipped(RIGHTS, "this role may not look at them", AS_POSTGRES)
        return
    if await sql.fetchval("select to_regclass('hookbridge_webhooks.changes')") is None:
        if expected:
            yield failed(INSIDE, "there is none in the database", RUN_AGAIN)
        return
    state = await sql.fetchrow(_STATE)
    whose = f"; it belongs to one store since {state['since']:%Y-%m-%d %H:%M} UTC" if state["since"] else ""
    yield _waiting(INSIDE, state["waiting"], state["oldest_seconds"], whose)
    yield await _rights(sql, schema)


async def _asked(sql: asyncpg.Connection, schema: str) -> Finding:
    """Ask as the service does over ``SUPABASE_DB_URL``."""
    import asyncpg  # noqa: PLC0415  an extra

    quoted = '"' + schema.replace('"', '""') + '"'
    try:
        async with sql.transaction(isolation="read_committed"):
            answer = decoded(str(await sql.fetchval(f"select {quoted}.hookbridge_take(0, 0, $1)", STORE)).encode())
            await sql.execute(f"select {quoted}.hookbridge_done('{{}}')")
    except (asyncpg.UndefinedFunctionError, asyncpg.InvalidSchemaNameError) as error:
        return failed(INSIDE, named(error), RUN_AGAIN)
    except asyncpg.InsufficientPrivilegeError as error:
        return failed(INSIDE, named(error), "grant execute on function hookbridge_take, hookbridge_done to this role")
    except SourceError as error:
        return broken(INSIDE, error, RUN_AGAIN)
    return _waiting(INSIDE, answer.waiting, answer.oldest_seconds)


def _waiting(check: str, waiting: int, oldest_seconds: float | None, whose: str = "") -> Finding:
    if not waiting or oldest_seconds is None:
        return ok(check, f"nothing waits in it{whose}")
    if oldest_seconds < LATE_SECONDS:
        return ok(check, f"{waiting} changes wait to be taken{whose}")
    oldest = timedelta(seconds=int(oldest_seconds))
    message = f"{waiting} changes wait to be taken, the oldest for {oldest}{whose}"
    return warning(check, message, "start hookbridge with pull = true for the table; /readyz says why it takes nothing")


async def _refused(settings: Settings, publishable_key: str) -> Finding:
    if not publishable_key:
        message = "no publishable key to try, so whether others are refused is not known"
        return skipped(KEY, message, "give --publishable-key or SUPABASE_PUBLISHABLE_KEY")
    from hookbridge.sources.supabase.client import SupabaseClient  # noqa: PLC0415  a second, see the source

    config = settings.config.supabase
    client = SupabaseClient(settings.secrets.supabase_url, publishable_key, config.timeout_seconds)
    try:
        for function, arguments in _CALLS.items():
            try:
                await client.call(config.api_schema, function, arguments)
            except SourceRefused:
                continue
            except SourceError as error:
                return broken(KEY, error, "look whether Supabase can be reached")
            return failed(KEY, f"{function} answers a publishable key, which is everybody's", RUN_AGAIN)
    finally:
        await client.close()
    return ok(KEY, "a publishable key is refused")


async def _rights(sql: asyncpg.Connection, schema: str) -> Finding:
    for row in await sql.fetch(_FUNCTIONS, schema):
        if row["function"] is None:
            message = f"the schema {schema} has no function {row['name']}"
            return failed(RIGHTS, message, f"{RUN_AGAIN}; [supabase] api_schema names the schema")
        allowed = set(await sql.fetchval(_ALLOWED, row["function"]))
        if others := sorted(allowed - {"service_role"}):
            return failed(RIGHTS, f"{row['name']} may be called by {' and '.join(others)}", RUN_AGAIN)
        if not allowed:
            return failed(RIGHTS, f"{row['name']} may not be called by service_role", RUN_AGAIN)
    return ok(RIGHTS, "only service_role may call its functions")
