"""The writers: each changes rows of a table of its own, at every isolation level, and of one that all have in common.

Each version of a row has a number that is larger than that of every earlier one, so that what came in another order
shows.  Between two writers there is nothing that a database could refuse either of them for: rows that all have in
common are changed by single statements that read no other one.  So whatever is refused, is because of the outbox.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal

import asyncpg

Isolation = Literal["read_committed", "repeatable_read", "serializable"]
ISOLATIONS: tuple[Isolation, ...] = ("read_committed", "repeatable_read", "serializable")

LOST = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    OSError,
    TimeoutError,
)
"""The database was stopped."""

COMMON = "users"
COMMON_ROWS = 40
IN_COMMON_SHARE = 0.3

SETTING_UP = f"""
create sequence versions;
create table {COMMON} (id bigint primary key, n bigint not null, name text);
insert into {COMMON} select id, nextval('versions'), 'common' from generate_series(1, {COMMON_ROWS}) as id;
"""  # noqa: S608  of names of ours

# $1 is a key, $2 another one, $3 a text: each statement names all of them, so that it has them.
_STATEMENTS = {
    "insert": "insert into {own} select $1::bigint, nextval('versions'), $3::text where $2::bigint > 0"
    " on conflict (id) do update set n = nextval('versions')",
    "update": "update {own} set n = nextval('versions'), name = $3 where id = $1 and $2::bigint > 0",
    "same": "update {own} set n = n where id = $1 and $2::bigint > 0 and $3::text <> ''",
    "delete": "delete from {own} where id = $1 and $2::bigint > 0 and $3::text <> ''",
    "move": "update {own} set id = $2, n = nextval('versions'), name = $3 where id = $1"
    " and not exists (select from {own} where id = $2)",
    "many": "update {own} set n = nextval('versions')"
    " where id between $1 and $1 + 3 and $2::bigint > 0 and $3::text <> ''",
}
_KINDS = ("insert", "insert", "update", "update", "update", "same", "delete", "move", "many")
_IN_COMMON = f"update {COMMON} set n = nextval('versions') where id = $1"  # noqa: S608  likewise


def own_table(number: int) -> str:
    """Name the table that is a writer's own."""
    return f"users_{number}"


class Writer:
    """One connection after the other, as long as there is something to write."""

    def __init__(self, number: int, url: str, seed: int, rows: int) -> None:
        """``rows``: how many keys its own table has at most."""
        self._own = own_table(number)
        self._rows = rows
        self._url = url
        self._random = random.Random(seed * 100 + number)  # noqa: S311  changes, not secrets
        self._sql: asyncpg.Connection | None = None
        self.transactions = 0
        """Committed."""
        self.changes = 0
        """Rows that those wrote."""
        self.lost = 0
        """Transactions of which a stop of the database left nothing, or nobody knows."""
        self.refused: Counter[str] = Counter()
        """By their SQLSTATE: what the database refused."""

    async def write(self, more: Callable[[], Awaitable[bool]]) -> None:
        """Write each time that says yes, until it says no."""
        while await more():
            try:
                self.changes += await self._transaction(await self._connected())
                self.transactions += 1
            except LOST:
                self.lost += 1
                await asyncio.sleep(0.05)
            except asyncpg.PostgresError as error:
                self.refused[str(error.sqlstate)] += 1
        if self._sql is not None:
            with suppress(*LOST):
                await self._sql.close(timeout=1.0)

    async def _connected(self) -> asyncpg.Connection:
        if self._sql is None or self._sql.is_closed():
            self._sql = await asyncpg.connect(self._url, timeout=5.0, command_timeout=30.0)
        return self._sql

    async def _transaction(self, sql: asyncpg.Connection) -> int:
        if self._random.random() < IN_COMMON_SHARE:
            return _rows(await sql.execute(_IN_COMMON, self._random.randint(1, COMMON_ROWS)))
        async with sql.transaction(isolation=self._random.choice(ISOLATIONS)):
            return sum([await self._change(sql) for _ in range(self._random.choice((1, 1, 1, 2, 5)))])

    async def _change(self, sql: asyncpg.Connection) -> int:
        kind = self._random.choice(_KINDS)
        key, other = (self._random.randint(1, self._rows) for _ in range(2))
        text = "x" * self._random.choice((10, 10, 10, 3_000))
        rows = _rows(await sql.execute(_STATEMENTS[kind].format(own=self._own), key, other, text))
        return 0 if kind == "same" else rows


def _rows(status: str) -> int:
    """Read how many rows a statement changed: ``UPDATE 3``."""
    return int(status.rpartition(" ")[2])


def refused(writers: Sequence[Writer]) -> dict[str, int]:
    """Add up what the database refused."""
    found: Counter[str] = Counter()
    for writer in writers:
        found.update(writer.refused)
    return dict(found)
