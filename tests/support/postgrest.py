"""A PostgREST before a real Postgres, of which the reads are there, each with its plan, and the calls of functions."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from hookbridge.standins.faults import Faults
from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.keys import Keys
from hookbridge.standins.postgrest.standin import PREFIX
from hookbridge.standins.server import Standin
from hookbridge.standins.wire import Reply
from tests.support.rpc import LOST, Rpc
from tests.support.statements import Read, Statement, read


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One statement that was asked, as `EXPLAIN (ANALYZE)` shows it."""

    shape: str
    cost: float
    """What the planner expects, in its own unit: the page of a table that is read in turn is 1."""
    milliseconds: float
    nodes: tuple[dict[str, Any], ...]

    @property
    def looked_at(self) -> int:
        """How many rows and entries of indexes were looked at."""
        return sum(_looked_at(node) for node in self.nodes if "Scan" in node["Node Type"] and _is_of_table(node))

    @property
    def sorted(self) -> int:
        """How many rows the planner means to sort before the first one is given; among equal values are not meant."""
        return max((node["Plan Rows"] for node in self.nodes if node["Node Type"] == "Sort"), default=0)

    @property
    def scans(self) -> set[str]:
        """The tables that are read from their beginning, for more than any one row."""
        return {
            node["Relation Name"] for node in self.nodes if node["Node Type"] == "Seq Scan" and _looked_at(node) > 1
        }


def _is_of_table(node: dict[str, Any]) -> bool:
    return "Relation Name" in node or "Index Name" in node


def _looked_at(node: dict[str, Any]) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return int((node["Actual Rows"] + removed) * node["Actual Loops"])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


class Planner:
    """One connection that prepares each statement once, as PostgREST does: its plans may become generic ones."""

    def __init__(
        self, connection: asyncpg.Connection, again: Callable[[], Awaitable[asyncpg.Connection]] | None = None
    ) -> None:
        """``again`` makes another connection where the server was stopped and started."""
        self._connection = connection
        self._again = again
        self._prepared: dict[str, str] = {}
        self._turn = asyncio.Lock()

    async def rows(self, statement: Statement) -> list[asyncpg.Record]:
        """Run a statement."""
        async with self._turn:
            rows: list[asyncpg.Record] = await self._connection.fetch(await self._execute(statement))
            return rows

    async def explained(self, statement: Statement, shape: str) -> Asked:
        """Run a statement for its plan."""
        async with self._turn:
            execute = await self._execute(statement)
            text = await self._connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {execute}")
        (explained,) = msgspec.json.decode(text)
        return Asked(
            shape=shape,
            cost=explained["Plan"]["Total Cost"],
            milliseconds=explained["Execution Time"],
            nodes=tuple(_nodes(explained["Plan"])),
        )

    async def guessed(self, statement: Statement) -> int:
        """Give how many rows the planner expects, without running anything."""
        async with self._turn:
            execute = await self._execute(statement)
            (explained,) = msgspec.json.decode(await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) {execute}"))
        return int(explained["Plan"]["Plan Rows"])

    async def _execute(self, statement: Statement) -> str:
        if self._again is not None and self._connection.is_closed():
            self._connection = await self._again()
            self._prepared.clear()
        name = self._prepared.get(statement.sql)
        if name is None:
            name = self._prepared[statement.sql] = f"s{len(self._prepared)}"
            await self._connection.execute(f"PREPARE {name} AS {statement.sql}")
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in statement.values)
        return f"EXECUTE {name}({values})" if values else f"EXECUTE {name}"


class PostgrestOnPostgres(Standin):
    """Answers reads from a real database, and calls its functions; `asked` has each statement that a read was."""

    def __init__(
        self,
        planner: Planner,
        key: str,
        *,
        max_rows: int = 1000,
        rpc: Rpc | None = None,
        anon_key: str | None = None,
    ) -> None:
        self.keys = Keys(key, anon_key, gateway=True)
        super().__init__(port=0, faults=Faults(errors.own_error, lambda: self.keys.refused().reply))
        self._planner = planner
        self._max_rows = max_rows
        self._rpc = rpc
        self.asked: list[Asked] = []

    async def answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        """Answer a GET of rows, or a POST that calls a function."""
        try:
            role = self.keys.role(request.headers)
            if request.path.startswith(f"{PREFIX}rpc/"):
                return await self._called(request, role, body)
            preferred = re.search(r"\bcount=(\w+)", ",".join(request.headers.getall("Prefer", [])))
            schema = request.headers.get("Accept-Profile", "public")
            asked = read(request.raw_path, schema, preferred[1] if preferred else None, self._max_rows)
            return await self._answer(asked)
        except errors.WireError as refused:
            return refused.reply
        except LOST:
            return errors.no_schema_cache().reply
        except asyncpg.PostgresError as error:
            return errors.error(400, error.sqlstate, str(error)).reply

    async def _called(self, request: web.BaseRequest, role: str, body: bytes) -> Reply:
        name = request.path.removeprefix(f"{PREFIX}rpc/")
        if self._rpc is None:
            raise errors.unknown_function("public", name)
        schema = request.headers.get("Content-Profile", self._rpc.schemas[0])
        return await self._rpc.call(role, schema, name, body)

    async def _answer(self, asked: Read) -> Reply:
        self.asked.append(await self._planner.explained(asked.page, asked.shape))
        (row,) = await self._planner.rows(asked.page)
        total = row["total_result_set"] if asked.planned is None else await self._planner.guessed(asked.planned)
        extent = f"0-{row['page_total'] - 1}" if row["page_total"] else "*"
        headers = {"Content-Type": errors.JSON_TYPE, "Content-Range": f"{extent}/{'*' if total is None else total}"}
        return Reply(status=200, body=row["body"].encode(), headers=headers)


@asynccontextmanager
async def data_api(url: str, key: str, *, anon_key: str | None = None) -> AsyncIterator[PostgrestOnPostgres]:
    """The Data API of a project whose database this is."""
    connections: list[asyncpg.Connection] = []

    async def connected() -> asyncpg.Connection:
        connections.append(await asyncpg.connect(url))
        return connections[-1]

    planner = Planner(await connected(), connected)
    try:
        async with Rpc(url) as rpc, PostgrestOnPostgres(planner, key, rpc=rpc, anon_key=anon_key) as standin:
            yield standin
    finally:
        for connection in connections:
            await connection.close()
