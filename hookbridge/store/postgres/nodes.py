"""The nodes that share a Postgres store: each beat is one statement, which says and asks everything.

Invariants: an epoch is never given twice, and what is written with one that has ended fails (``require_lead_1``); the
node's own time follows the server's, and is neither ahead of it nor goes back.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog

from hookbridge.errors import StartupError, StoreUnavailable
from hookbridge.model import SOURCES, SourceName
from hookbridge.store import note_names
from hookbridge.store.moving import unfinished
from hookbridge.store.nodes import ASKED_SECONDS_MAX, FORGOTTEN_SECONDS, Ask, Cluster, Leader, Node, Permit, Report
from hookbridge.store.postgres.connections import Record
from hookbridge.store.postgres.engine import Role
from hookbridge.store.postgres.floors import LATE_SECONDS

EVERYTHING_SECONDS = 10.0
"""So often a beat looks at all that is dirty, else behind what was due last: a foreign transaction keeps dead rows."""

BACK_SECONDS = 5.0
"""By less a server's clock may be corrected, or its answer be late."""

_BEAT = f"SELECT hookbridge.beat_1({', '.join(f'${number}' for number in range(1, 16))})"


class _Answer(msgspec.Struct, frozen=True):
    now: float
    open: int
    nodes: tuple[Node, ...]
    leaders: Mapping[str, Leader]
    due: Mapping[SourceName, float]
    notes: Mapping[str, str]
    halts: Mapping[SourceName, float]
    asks: tuple[Ask, ...]


_decode = msgspec.json.Decoder(_Answer).decode

_log = structlog.get_logger(__name__)


class Nodes(Role):
    """The node among the others."""

    _life = 0
    """Of this process: larger than that of an earlier one of the same name."""
    _lows: Mapping[SourceName, float] = {}
    _all_looked_at = 0.0
    _offset = -math.inf
    """By how much the server's clock was ahead of the event loop's when it answered last."""

    @property
    def node(self) -> str:
        """The name that the store was opened with."""
        return self._engine.node

    def now(self) -> float:
        """Give the server's time."""
        moment = self._engine.moment
        return self._engine.clock() if moment is None else moment

    async def beat(self, report: Report) -> Cluster:
        """Say that this node is there."""
        is_first = not self._life
        self._life = self._life or await self._engine.ticket()
        lows, asked_at = self._lows, asyncio.get_running_loop().time()
        if asked_at - self._all_looked_at >= EVERYTHING_SECONDS or self._engine.moment is not None:
            lows, self._all_looked_at = {}, asked_at
        said = (self.node, self._life, report.version, list(report.roles), report.figures)
        wanted = (sorted(report.wants), report.lease_seconds, list(report.hears))
        looked = (list(SOURCES), [lows.get(source, 0.0) for source in SOURCES])
        halts = (list(report.halts), list(report.halts.values()))
        bounds = (FORGOTTEN_SECONDS, ASKED_SECONDS_MAX)
        ((text,),) = await self._engine.at_once(_BEAT, self._engine.moment, *said, *wanted, *looked, *halts, *bounds)
        if text is None:
            message = f"Another process uses the name of this node, {self.node}"
            raise StoreUnavailable(message, hint="give each node a name of its own in [node] name")
        if is_first:
            await self._refuse_unfinished()
        answer = _decode(text)
        self._notice(answer.now)
        self._engine.clock.told(answer.now)
        self._engine.open_events = answer.open
        # Behind what is due first nothing comes but an append that commits late, and what another node gives back.
        reached = answer.now - LATE_SECONDS
        self._lows = {source: min(answer.due.get(source, reached), reached) for source in SOURCES}
        return Cluster(
            nodes=answer.nodes,
            leaders=answer.leaders,
            due={source: max(at - answer.now, 0.0) for source, at in answer.due.items()},
            notes=answer.notes,
            halts=answer.halts,
            asks=answer.asks,
        )

    async def _refuse_unfinished(self) -> None:
        """Look once more, now that whoever carries a data file in can see this node.  Raises StartupError."""
        try:
            await refuse_unfinished(self._engine.read)
        except StartupError:
            await self.leave()
            raise

    def _notice(self, now: float) -> None:
        """Notice that the server's clock was set back; an answer that was long on its way looks like it."""
        offset = now - asyncio.get_running_loop().time()
        if offset < self._offset - BACK_SECONDS:
            _log.warning("The clock of the store's server was set back", back_seconds=round(self._offset - offset))
            self._engine.ahead.update(SOURCES)
        self._offset = offset

    async def leave(self) -> None:
        """Say that this node stops."""
        asked = (self._engine.moment, self.node, self._life)
        # On the connection of the beats: one that is under way, whoever asked for it, would take the duties again.
        await self._engine.at_once("SELECT hookbridge.leave_store_1($1, $2, $3)", *asked)

    async def permit(self, source: SourceName, number: int, *, per_second: float) -> Permit:
        """Reserve requests."""
        asked = (self._engine.moment, source, number, per_second)
        ((wait, halted),) = await self._engine.write("SELECT * FROM hookbridge.permit_1($1, $2, $3, $4)", *asked)
        return Permit(wait, halted)

    async def ask(self, duty: str, words: str) -> int:
        """Write a question down."""
        sql = "INSERT INTO hookbridge.asks (duty, words, asked_at) VALUES ($1, $2, hookbridge.now_1($3)) RETURNING id"
        ((number,),) = await self._engine.write(sql, duty, words, self._engine.moment)
        return int(number)

    async def answer(self, ask: int, words: str) -> None:
        """Write the answer beside it."""
        await self._engine.write("UPDATE hookbridge.asks SET answer = $2 WHERE id = $1 AND answer IS NULL", ask, words)

    async def answered(self, ask: int) -> str | None:
        """Take the answer, and the question with it."""
        sql = "DELETE FROM hookbridge.asks WHERE id = $1 AND answer IS NOT NULL RETURNING answer"
        rows = await self._engine.write(sql, ask)
        return rows[0][0] if rows else None


async def refuse_unfinished(read: Callable[..., Awaitable[list[Record]]]) -> None:
    """Raises StartupError while somebody carries a data file into this store."""
    rows = await read("SELECT value FROM hookbridge.notes WHERE name = $1", note_names.MIGRATION)
    if rows and (why := unfinished(rows[0][0])) is not None:
        raise why
