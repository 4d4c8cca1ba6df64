"""What can be seen of a Postgres store from outside, for ``check``: nothing is changed, and nothing has to be there.

It says what there is, and not what to make of it; what a store refuses to start on is ``checks``.
"""

from __future__ import annotations

import re
import time

import asyncpg
import msgspec

from hookbridge.errors import StoreUnavailable
from hookbridge.store import note_names
from hookbridge.store.postgres import checks, migrations
from hookbridge.store.postgres.connections import Link, Server

_RIGHTS = """
SELECT current_user::text AS role, rolsuper AS is_superuser, to_regnamespace('hookbridge') IS NOT NULL AS has_schema,
       CASE WHEN to_regnamespace('hookbridge') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege('hookbridge', 'USAGE') AND has_schema_privilege('hookbridge', 'CREATE')
                 AND NOT EXISTS (
                     SELECT FROM pg_class
                     WHERE relnamespace = to_regnamespace('hookbridge') AND NOT pg_has_role(relowner, 'USAGE')
                 ) END AS may_make,
       extract(epoch FROM clock_timestamp())::float8 AS now
FROM pg_roles WHERE rolname = current_user
"""

_PLANS = """
SELECT proname::text, coalesce(proconfig, '{}') FROM pg_proc
WHERE pronamespace = to_regnamespace('hookbridge') ORDER BY proname
"""

_NODES = """
SELECT name, version, figures, hookbridge.now_1(NULL) - seen_at FROM hookbridge.nodes
WHERE seen_at > hookbridge.now_1(NULL) - 60 ORDER BY name
"""

# A function of the schema's files with its settings, up to its body.
_FUNCTION = re.compile(
    r"^CREATE OR REPLACE FUNCTION hookbridge\.(\w+)(.*?)(?:\$\w*\$|\bRETURN\b)", re.MULTILINE | re.DOTALL
)
_PIN = re.compile(r"^SET ((?:enable_\w+|plan_cache_mode)) = (\w+)", re.MULTILINE)


class SeenNode(msgspec.Struct, frozen=True):
    """A node that told of itself within the last minute."""

    name: str
    version: str
    figures: str
    seen_seconds: float


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A server, and the store on it if there is one."""

    facts: checks.Facts
    role: str
    is_superuser: bool
    has_schema: bool
    may_make: bool
    """Whether the role may make the schema; where there is one, whether all that is in it is the role's."""
    clock_ahead_seconds: float
    """By how much the server's clock is ahead of this machine's, half of a round trip more or less."""
    way: str
    """``direct``, ``a session pooler`` or ``a transaction pooler``."""
    version: int
    """Of the schema; 0 where there is none."""
    newest_version: int
    """That this program knows."""
    missing: tuple[str, ...] = ()
    """Functions of the newest version that are not there."""
    unpinned: tuple[str, ...] = ()
    """What gives functions back the plans that they were made with, as SQL; empty where they have them."""
    nodes: tuple[SeenNode, ...] = ()
    migration: str | None = None
    """The note of a data file that is being carried in."""


async def look(url: str) -> Seen:
    """Look at a server.  Raises StoreUnavailable."""
    server = Server(url)
    link = Link(server)
    try:
        facts = await checks.facts(link)
        before = time.time()
        (row,) = await link.call(_RIGHTS)
        rights = dict(row)
        ahead = rights.pop("now") - (before + time.time()) / 2
        known = {"facts": facts, **rights, "clock_ahead_seconds": ahead, "way": await _way(server)}
        newest = migrations.newest()
        if not rights["has_schema"] or not rights["may_make"]:
            return Seen(**known, version=0, newest_version=newest)
        version = await migrations.version(link)
        if version == 0:
            return Seen(**known, version=0, newest_version=newest)
        plans = {name: set(settings) for name, settings in await link.call(_PLANS)}
        pins = _pins() if version == newest else {}
        nodes = tuple(SeenNode(*one) for one in await link.call(_NODES))
        notes = await link.call("SELECT value FROM hookbridge.notes WHERE name = $1", note_names.MIGRATION)
        return Seen(
            **known,
            version=version,
            newest_version=newest,
            missing=tuple(name for name in pins if name not in plans),
            unpinned=tuple(
                f"alter function hookbridge.{name} set {pin.replace('=', ' = ')};"
                for name in pins
                if name in plans
                for pin in sorted(pins[name] - plans[name])
            ),
            nodes=nodes,
            migration=notes[0][0] if notes else None,
        )
    finally:
        await link.close()


def _pins() -> dict[str, set[str]]:
    """Give the functions of the schema, and the settings by which each has its plans."""
    return {
        name: {f"{setting}={value}" for setting, value in _PIN.findall(settings)}
        for text in migrations.functions()
        for name, settings in _FUNCTION.findall(text)
    }


async def _way(server: Server) -> str:
    """Find out what is between here and the server.

    A pooler gives each client a number of its own in place of its session's (protocol message BackendKeyData); one that
    gives each transaction another session gives an idle one to two clients in turn.
    """
    first = await server.connect()
    second: asyncpg.Connection | None = None
    try:
        second = await server.connect()
        sessions = [await _session(one) for one in (first, second, first, second)]
        if first.get_server_pid() == sessions[0] and second.get_server_pid() == sessions[1]:
            return "direct"
        apart = sessions[:2] == sessions[2:] and sessions[0] != sessions[1]
        return "a session pooler" if apart else "a transaction pooler"
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"The server stopped answering: {error}") from error
    finally:
        for one in (first, second):
            if one is not None:
                one.terminate()


async def _session(connection: asyncpg.Connection) -> int:
    statement = await connection.prepare("SELECT pg_backend_pid()", name="")
    return int(await statement.fetchval())
