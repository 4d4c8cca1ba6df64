"""What an operator asks of whichever node answers, and only the node that reconciles can do.

Invariants: an errand is done by the node that has the duty, and if that one ends before it has answered, by the next
one, from the beginning; whoever asked is told what became of it, with the error that the other node met.  Nothing is
asked of others where this node has the duty itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
import structlog

from hookbridge import errors
from hookbridge.api.reconcile import PassKind, PassResult
from hookbridge.cluster import reconciling
from hookbridge.model import SourceName
from hookbridge.store.contract import Nodes
from hookbridge.store.nodes import ASKED_SECONDS_MAX, Ask, Cluster

FIRST_LOOK_SECONDS = 0.1
LOOK_SECONDS_MAX = 1.0

_log = structlog.get_logger(__name__)

TOLD: tuple[type[errors.HookbridgeError], ...] = (
    errors.NotFound,
    errors.SourceUnavailable,
    errors.SourceRefused,
    errors.RecordUnreadable,
    errors.TableUnreadable,
    errors.RecordImpossible,
    errors.StoreUnavailable,
)
"""What a pass may end with, and whoever asked for it is to meet as it is."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """A pass that an operator wants now."""

    source: SourceName
    table: str
    kind: PassKind = "poll"
    since: str | None = None
    confirm: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: a result, or an error's class with its text."""

    result: PassResult | None = None
    error: str = ""
    message: str = ""
    hint: str = ""


class Passes(Protocol):
    """Who runs passes where this node has the duty."""

    async def reconcile(
        self, source: SourceName, name: str, kind: PassKind, *, since: str | None = None, confirm: bool = False
    ) -> PassResult:
        """Run one now."""
        ...


class Errands:
    """Those of one node: what it asks of others, and what others ask of it."""

    def __init__(
        self,
        store: Nodes,
        passes: Passes,
        does: Callable[[str], bool],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``does`` says whether this node has a duty now."""
        self._store = store
        self._passes = passes
        self._does = does
        self._sleep = sleep
        self._asked: asyncio.Queue[Ask] = asyncio.Queue()
        self._taken: set[int] = set()
        """What is under way, or was answered and may still be in an answer to a beat that was sent before."""
        self._answered: set[int] = set()
        self._cluster: Cluster | None = None

    async def reconcile(self, errand: Errand) -> PassResult:
        """Have a pass run by the node that reconciles the source, and give its result.

        Raises what the pass raises, and TryLater where no node reconciles, or the one that does has not answered by the
        time at which the question is forgotten.
        """
        duty = reconciling(errand.source)
        if self._does(duty):
            return await self._run(errand)
        self._refuse_alone(duty)
        asked = await self._store.ask(duty, msgspec.json.encode(errand).decode())
        clock = asyncio.get_running_loop().time
        until, gap = clock() + ASKED_SECONDS_MAX, FIRST_LOOK_SECONDS
        while (words := await self._store.answered(asked)) is None:
            if clock() >= until:  # by now the store has forgotten it, and nobody can answer
                message = "The node that reconciles has not answered for an hour"
                raise errors.TryLater(message, retry_after_seconds=60, hint="its log says what it does")
            await self._sleep(gap)
            gap = min(2 * gap, LOOK_SECONDS_MAX)
            self._refuse_alone(duty)
        return _result(msgspec.json.decode(words, type=Outcome))

    def _refuse_alone(self, duty: str) -> None:
        known = self._cluster
        if known is not None and duty not in known.leaders and not any("reconcile" in one.roles for one in known.nodes):
            message = "No node reconciles now"
            raise errors.TryLater(message, retry_after_seconds=5, hint="start one whose [node] roles have reconcile")

    async def _run(self, errand: Errand) -> PassResult:
        about = errand.source, errand.table, errand.kind
        return await self._passes.reconcile(*about, since=errand.since, confirm=errand.confirm)

    # What others ask

    def hear(self, cluster: Cluster) -> None:
        """Take note of who is there, and of what others ask of this node."""
        self._cluster = cluster
        self._taken -= self._answered - {ask.id for ask in cluster.asks}
        self._answered &= self._taken
        for ask in cluster.asks:
            if ask.id not in self._taken:
                self._taken.add(ask.id)
                self._asked.put_nowait(ask)

    async def run(self) -> None:
        """Do what is asked, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                ask = await self._asked.get()
                group.create_task(self._answer(ask), name=f"errand-{ask.id}")

    async def _answer(self, ask: Ask) -> None:
        try:
            outcome = await self._outcome(ask)
            await self._store.answer(ask.id, msgspec.json.encode(outcome).decode())
            self._answered.add(ask.id)
        except errors.StoreUnavailable as error:
            # It is heard of again as long as nobody has answered, here or by the node that has the duty by then.
            _log.warning("What another node asked waits", duty=ask.duty, error=error.message)
            self._taken.discard(ask.id)

    async def _outcome(self, ask: Ask) -> Outcome:
        try:
            return Outcome(result=await self._run(msgspec.json.decode(ask.words, type=Errand)))
        except errors.LeadLost:
            raise
        except errors.HookbridgeError as error:
            return Outcome(error=_name(type(error)), message=error.message, hint=error.hint)
        except Exception as error:  # noqa: BLE001  it is logged as what it is; whoever asked is told that it failed
            _log.error("What another node asked failed unexpectedly", duty=ask.duty, exc_info=error)
            return Outcome(error="internal")


def _name(kind: type[errors.HookbridgeError]) -> str:
    return next((one.__name__ for one in kind.__mro__ if one in TOLD), "internal")


def _result(outcome: Outcome) -> PassResult:
    if outcome.result is not None:
        return outcome.result
    for kind in TOLD:
        if kind.__name__ == outcome.error:
            raise kind(outcome.message, hint=outcome.hint)
    message = "The node that reconciles met an internal error: its log says which"
    raise errors.HookbridgeError(message)
