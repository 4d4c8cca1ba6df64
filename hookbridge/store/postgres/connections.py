"""Connections to the server, each kept and used by one call at a time, and what it means when one fails.

Invariants: no session state and no named statements, so that any connection of a pooler can run each call; a call that
was refused for what it says leaves the connection as it was, and after anything else the connection is given up; once
the server could not be reached, calls fail at once until it is time to try again.  Nobody learns the password.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from hookbridge.errors import LeadLost, NameTooLong, StoreError, StoreUnavailable, named

Record = Any
"""A row: what asyncpg gives, which has no types."""

CONNECT_SECONDS = 10.0
CALL_SECONDS = 20.0
"""The role's statement_timeout, which the server keeps, is shorter; this is for a server that does not answer."""

LONG_SECONDS = 3_600.0
"""For what may take long: the schema, and a count of everything."""

IDLE_SECONDS_MAX = 120.0
"""A connection that was not used for so long is given back: the server has few, and one that something on the way has
forgotten would be found out by the next call."""

BACKOFF_SECONDS = 0.1
BACKOFF_SECONDS_MAX = 5.0

# https://www.postgresql.org/docs/18/errcodes-appendix.html.  What was given is wrong: data, constraints, limits.
_REFUSED_CLASSES = ("22", "23", "54")
# Two calls were in each other's way, and this one was rolled back whole.
_CONFLICTS = {"40001", "40P01", "55P03"}

_OF_CONNECTIONS = {"08", "57"}
"""Also that the server goes down, or an operator has ended the call."""

REACHABLE_HINT = "look whether the server runs and can be reached"

_LEAD_LOST = "HB001"
"""Ours: see leads.sql."""

_TOO_LONG = "54000"
"""For an index: no other limit of the server can be met."""

_ENDED = "57014"
"""By the role's statement_timeout, or by an operator: the call was rolled back, and the connection is as it was."""

READ_ONLY_HINT = (
    "let it take writes again (default_transaction_read_only; Supabase switches that on when a project's disk is full)"
)

_HINTS = {
    "28": "check user and password of the store's url",
    "3D": "check the database's name in the store's url",
    "3F": "python -m hookbridge store-sql prints what the database's owner has to run",
    "42": "python -m hookbridge check says what is missing",
    "53": "check the server's disk, its memory, and how many connections it allows",
    "25006": READ_ONLY_HINT,
}
"""By an error's code, or by its class."""


_log = structlog.get_logger(__name__)


class Conflict(StoreUnavailable):
    """Another call was in the way; nothing of this one was done, and it may be made again at once."""


class Lost(StoreUnavailable):
    """The connection ended.  Whether the call was done is not known."""


class Server:
    """Where the connections lead, as all of them find it: reached, or not to be asked before some time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._loop = asyncio.get_running_loop()
        self._backoff = 0.0
        self._try_again_at = 0.0
        self._refused: StoreUnavailable | None = None
        self._was_reached = False

    async def connect(self) -> asyncpg.Connection:
        """Open a connection.  Raises StoreUnavailable, which says nothing that a stranger may not know."""
        if self._refused is not None and self._loop.time() < self._try_again_at:
            raise StoreUnavailable(self._refused.message, hint=self._refused.hint)
        try:
            connection = await _connected(self.url)
        except StoreUnavailable as error:
            if self._refused is None and self._was_reached:  # else it is told as the reason not to start
                _log.error(error.message, error=named(error.__cause__), remedy=error.hint)
            self._backoff = min(max(2 * self._backoff, BACKOFF_SECONDS), BACKOFF_SECONDS_MAX)
            self._try_again_at, self._refused = self._loop.time() + self._backoff, error
            raise
        if self._refused is not None:
            _log.info("Postgres is reached again")
        self._backoff, self._refused, self._was_reached = 0.0, None, True
        return connection


async def _connected(url: str) -> asyncpg.Connection:
    try:
        # No settings of a session: poolers refuse what they do not know, and another session may run the next call.
        return await asyncpg.connect(url, statement_cache_size=0, timeout=CONNECT_SECONDS, command_timeout=CALL_SECONDS)
    except asyncpg.PostgresError as error:
        hint = _hint(error.sqlstate or "", REACHABLE_HINT)
        raise StoreUnavailable("Postgres refuses the connection", hint=hint) from error
    except ValueError as error:
        hint = "look at what stands behind the ? of the store's url, and at the files that it names"
        raise StoreUnavailable("The store's url cannot be used", hint=hint) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError) as error:
        raise StoreUnavailable("Postgres cannot be reached", hint=REACHABLE_HINT) from error


class Link:
    """One connection, made when it is needed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._turn = asyncio.Lock()
        self._connection: asyncpg.Connection | None = None
        self._statements: dict[str, Any] = {}
        self._used_at = 0.0
        self._forget_later: asyncio.TimerHandle | None = None
        self.lost = 0
        """How often it broke."""
        self._loop = asyncio.get_running_loop()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection now."""
        return self._connection is not None and not self._connection.is_closed()

    async def call(self, sql: str, *arguments: object) -> list[Record]:
        """Run one statement, which is a transaction.

        Raises Conflict, Lost (also another StoreUnavailable), or StoreError when what was given cannot be stored.
        """
        async with self._turn:
            connection = await self._connected()
            try:
                statement = self._statements.get(sql)
                if statement is None:
                    # Not connection.fetch: without a cache that is two round trips each time, and is parsed twice.
                    statement = self._statements[sql] = await connection.prepare(sql, name="")
                rows: list[Record] = await statement.fetch(*arguments)
            except Exception as error:
                raise self._failed(error) from error
            self._used_at = self._loop.time()
            return rows

    async def script(self, sql: str) -> None:
        """Run several statements as one transaction, which may take long.  Raises as ``call``."""
        async with self._turn:
            connection = await self._connected()
            try:
                await connection.execute(sql, timeout=LONG_SECONDS)
            except Exception as error:
                raise self._failed(error) from error

    async def at_length(self, sql: str) -> list[Record]:
        """Read with one statement that may take longer than the role's statement_timeout.  Raises as ``call``."""
        async with self._turn:
            connection = await self._connected()
            try:
                async with connection.transaction(readonly=True):
                    await connection.execute("SET LOCAL statement_timeout = 0")
                    rows: list[Record] = await connection.fetch(sql, timeout=LONG_SECONDS)
            except Exception as error:
                raise self._failed(error) from error
            self._used_at = self._loop.time()
            return rows

    async def close(self) -> None:
        """Close the connection when its call is done."""
        async with self._turn:
            connection = self._forget()
            if connection is not None:
                with suppress(Exception):
                    await connection.close(timeout=1.0)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        self._give_up()
        self._connection = await self._server.connect()
        self._used_at = self._loop.time()
        self._look_later(IDLE_SECONDS_MAX)
        return self._connection

    def _look_later(self, seconds: float) -> None:
        self._forget_later = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """Give the connection back when nobody has needed it."""
        left = self._used_at + IDLE_SECONDS_MAX - self._loop.time()
        if left > 0 or self._turn.locked():
            self._look_later(max(left, 1.0))
        else:
            self._give_up()

    def _failed(self, error: Exception) -> StoreError:
        """Say what an error means, and give the connection up unless it was only this call's."""
        code = getattr(error, "sqlstate", None) or ""
        if isinstance(error, asyncpg.PostgresError) and (own := _of_the_call(error, code)) is not None:
            return own
        self.lost += 1
        self._give_up()
        if isinstance(error, asyncpg.PostgresError) and code[:2] not in _OF_CONNECTIONS:
            message = f"Postgres could not do it: {_said(error)}"
            return StoreUnavailable(message, hint=_hint(code, "look into the server's log"))
        # A killed backend shows as an InternalClientError as often as one of its proper errors.
        _log.warning("A connection to Postgres was lost", error=named(error))
        return Lost("The connection to Postgres was lost", hint=REACHABLE_HINT)

    def _give_up(self) -> None:
        connection = self._forget()
        if connection is not None:
            connection.terminate()

    def _forget(self) -> asyncpg.Connection | None:
        connection, self._connection = self._connection, None
        self._statements.clear()
        if self._forget_later is not None:
            self._forget_later.cancel()
        return connection


def _of_the_call(error: asyncpg.PostgresError, code: str) -> StoreError | None:
    """Say what an error means that was this call's alone; None where the connection, or the server, is in question."""
    if code in _CONFLICTS:
        return Conflict(f"Other calls of the store were in the way: {_said(error)}")
    if code == _LEAD_LOST:
        return LeadLost(str(error))
    if code == _TOO_LONG:
        return NameTooLong(f"The store's indexes cannot hold this: {_said(error)}")
    if code[:2] in _REFUSED_CLASSES:
        return StoreError(f"The store cannot hold this: {_said(error)}")  # or it could not even be sent
    if code == _ENDED:
        hint = "look what keeps the server busy, and at the statement_timeout of the store's role"
        return StoreUnavailable(f"Postgres ended the call: {_said(error)}", hint=hint)
    return None


def _hint(code: str, otherwise: str) -> str:
    return _HINTS.get(code) or _HINTS.get(code[:2], otherwise)


def _said(error: Exception) -> str:
    """Give the first line: the others show what was stored."""
    return next(iter(str(error.__cause__ or error).splitlines()), "")
