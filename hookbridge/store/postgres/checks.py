"""Whether a server can be relied on: what a store refuses to start on, and what its owner should change.

Invariant: a server on which an acknowledged event may be lost is refused.  ``doctor`` asks the same questions.
"""

from __future__ import annotations

import msgspec

from hookbridge.errors import StartupError
from hookbridge.store.postgres.connections import CALL_SECONDS, READ_ONLY_HINT, Link

SERVER_MIN = 14
"""Functions with a body in standard SQL, lz4."""

_FACTS = """
SELECT current_setting('server_version_num')::integer / 10000 AS server, current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes, pg_is_in_recovery() AS in_recovery,
       current_setting('server_encoding') AS encoding, current_setting('synchronous_commit') AS synchronous_commit,
       ARRAY(
           SELECT relname::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
           WHERE nspname = 'hookbridge' AND relkind IN ('r', 'p') AND relpersistence <> 'p' ORDER BY relname
       ) AS unlogged,
       ARRAY(
           SELECT name FROM unnest(
               ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']
           ) AS name WHERE current_setting(name) = '0'
       ) AS endless,
       current_setting('transaction_read_only') = 'on' AS read_only,
       extract(epoch FROM current_setting('statement_timeout')::interval)::float8 AS statement_seconds
"""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a server says of itself."""

    server: int
    """Its major version."""
    fsync: str
    full_page_writes: str
    in_recovery: bool
    encoding: str
    synchronous_commit: str
    unlogged: tuple[str, ...]
    """Tables of ours that a crash would empty."""
    endless: tuple[str, ...]
    """The timeouts that are off."""
    read_only: bool
    """Whether this role's transactions in this database may write nothing."""
    statement_seconds: float
    """The longest that a call may take; 0 for ever."""


async def facts(link: Link) -> Facts:
    """Ask the server.  Raises StoreUnavailable."""
    (row,) = await link.call(_FACTS)
    return msgspec.convert(dict(row), Facts)


def refusal(seen: Facts) -> StartupError | None:
    """Say why a store cannot be on such a server; None where it can."""
    if seen.in_recovery:
        return _refused("is a standby that takes no writes", "give the url of the primary server")
    if seen.read_only:
        return _refused("lets the store's role write nothing in this database", READ_ONLY_HINT)
    return _unreliable(seen)


def _unreliable(seen: Facts) -> StartupError | None:
    """Say why what is written there cannot be relied on."""
    lost = "what was acknowledged could be lost"
    if seen.server < SERVER_MIN:
        return _refused(f"is version {seen.server}", f"use Postgres {SERVER_MIN} or newer")
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        if getattr(seen, name) == "off":
            return _refused(
                f"runs with {name} = off: {lost}", f"switch {name} on, for the role hookbridge uses as well"
            )
    if seen.encoding != "UTF8":
        hint = "make a database with encoding UTF8, from template0"
        return _refused(f"keeps this database in {seen.encoding}, which does not hold every text", hint)
    if seen.unlogged:
        tables = ", ".join(f"hookbridge.{name}" for name in seen.unlogged)
        return _refused(f"does not log {tables}: {lost}", "run ALTER TABLE … SET LOGGED for each of them")
    return None


def _refused(what: str, hint: str) -> StartupError:
    return StartupError(f"The Postgres server {what}", hint=hint)


def warning(seen: Facts) -> str | None:
    """Say what the database's owner should change; None where that is nothing."""
    if seen.endless:
        return f"{', '.join(seen.endless)} of the store's role are off: a call that hangs is ended by nobody"
    if seen.statement_seconds > CALL_SECONDS:
        said = f"statement_timeout of the store's role is {seen.statement_seconds:g} s, more than {CALL_SECONDS:g} s"
        return f"{said}: an event that took so long to be stored is missed by lists that go on with newer ones"
    return None
