"""The two ways to the outbox: the Data API's functions, and a connection to the project's Postgres.

Invariants: what goes wrong is one of our errors; no error shows a key or a password.  A connection is made when it is
needed and given up after any error, and needs no session: a pooler may lie between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol
from uuid import UUID

import msgspec

from hookbridge.api.pull import Way
from hookbridge.errors import PullRefused, SourceRefused, SourceUnavailable, StartupError, named, to_install
from hookbridge.sources.supabase.pull.taken import RUN_AGAIN, Taken, read

if TYPE_CHECKING:
    import asyncpg

    from hookbridge.sources.supabase.client import SupabaseClient  # imports the SDK

MESSAGES_MAX = 500
"""So many at once, and at most 4 MiB of them, which the function sees to."""

LEASE_SECONDS = 20.0
"""For so long nobody else is given them: longer than to store them takes, and what a crash holds up."""

_TAKE, _DONE = "hookbridge_take", "hookbridge_done"

_OPERATOR_HINT = "correct SUPABASE_DB_URL (Supabase's dashboard: Connect)"

_encode = msgspec.json.Encoder().encode


class Outbox(Protocol):
    """One way.  Each method raises PullRefused, SourceRefused, or another SourceError."""

    way: ClassVar[Way]

    async def take(self, store: str) -> Taken:
        """Lease the next messages for this store; the first store that asks has the outbox."""
        ...

    async def done(self, ids: Sequence[UUID]) -> None:
        """Have these removed: they are stored."""
        ...

    async def close(self) -> None:
        """Close the connection.  Idempotent."""
        ...


class OverDataApi:
    """By ``POST /rest/v1/rpc/…``."""

    way: ClassVar[Way] = "data_api"

    def __init__(self, client: SupabaseClient, schema: str) -> None:
        """``client`` is its owner's to close."""
        self._client = client
        self._schema = schema

    async def take(self, store: str) -> Taken:
        """Lease the next messages."""
        asked = {"most": MESSAGES_MAX, "lease_seconds": LEASE_SECONDS, "store": store}
        return read(await self._client.call(self._schema, _TAKE, _encode(asked)))

    async def done(self, ids: Sequence[UUID]) -> None:
        """Have these removed."""
        await self._client.call(self._schema, _DONE, _encode({"ids": ids}))

    async def close(self) -> None:
        """Nothing is its own."""


class OverDatabase:
    """By a connection to the database itself."""

    way: ClassVar[Way] = "database"

    def __init__(self, url: str, schema: str, timeout_seconds: float) -> None:
        """Raises StartupError where what it needs is not installed."""
        try:
            import asyncpg  # noqa: PLC0415  an extra
        except ImportError:
            message = "SUPABASE_DB_URL is set, and asyncpg is not installed"
            raise StartupError(message, hint=to_install("postgres")) from None
        self._asyncpg = asyncpg
        self._url = url
        self._timeout = timeout_seconds
        quoted = '"' + schema.replace('"', '""') + '"'
        self._take = f"SELECT {quoted}.{_TAKE}($1::integer, $2::double precision, $3::text)"
        self._done = f"SELECT {quoted}.{_DONE}($1::uuid[])"
        self._connection: asyncpg.Connection | None = None
        self._one_at_a_time = asyncio.Lock()

    async def take(self, store: str) -> Taken:
        """Lease the next messages."""
        return read(str(await self._call(self._take, MESSAGES_MAX, LEASE_SECONDS, store)).encode())

    async def done(self, ids: Sequence[UUID]) -> None:
        """Have these removed."""
        await self._call(self._done, list(ids))

    async def _call(self, sql: str, *arguments: object) -> object:
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(2 * self._timeout):
                    connection = await self._connected()
                    # In a transaction, so that a pooler keeps one session for it; and of this isolation, without which
                    # what is read here would be a reason to end the users' own serializable ones.  Not by ``async
                    # with``: its rollback waits for a database that is silent, and its error ends a cancellation.
                    transaction = connection.transaction(isolation="read_committed")
                    await transaction.start()
                    value: object = await connection.fetchval(sql, *arguments)
                    await transaction.commit()
                    return value
            except BaseException as error:
                self._give_up()
                if isinstance(error, self._asyncpg.PostgresError):
                    raise self._refused(error) from None
                if isinstance(error, ValueError):  # also what asyncpg makes one of
                    raise SourceRefused("SUPABASE_DB_URL cannot be used", hint=_OPERATOR_HINT) from None
                unreached = (self._asyncpg.InterfaceError, self._asyncpg.InternalClientError, OSError, TimeoutError)
                if isinstance(error, unreached):
                    message = f"Supabase's database cannot be reached: {type(error).__name__}"
                    raise SourceUnavailable(message, hint="look whether SUPABASE_DB_URL can be reached") from None
                raise

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._asyncpg.connect(
                self._url, statement_cache_size=0, timeout=self._timeout, command_timeout=self._timeout
            )
        return self._connection

    def _refused(self, error: asyncpg.PostgresError) -> SourceRefused | SourceUnavailable:
        code = error.sqlstate or ""
        said = named(error)
        if code in ("42883", "3F000", "42P01"):
            return PullRefused(f"Supabase's database has no outbox: {said}", hint=RUN_AGAIN)
        if code == "42501":
            hint = "name the owner of the tables in SUPABASE_DB_URL, or grant it service_role"
            return PullRefused(f"Supabase's database does not let us take: {said}", hint=hint)
        if code[:2] in ("28", "3D"):
            return SourceRefused("Supabase's database refuses the connection", hint=_OPERATOR_HINT)
        return SourceUnavailable(f"Supabase's database could not do it: {said}")

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Give the connection up: nothing is under way that has to end."""
        self._give_up()
