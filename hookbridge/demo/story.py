"""What happens in the demonstration, round after round, and what is said of it.

A round: records are edited and some of their webhooks are lost, and of several nodes one is killed; then a source goes
down while edits go on.  One table has no webhooks: its changes wait in an outbox until they are taken, so none is lost.
Invariant: both halves end with copy and source equal, counted from outside and proven by the service, or with
NotConverged.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

from hookbridge.api.reconcile import TableProof, Verdict
from hookbridge.demo.comparison import differing
from hookbridge.demo.others import Others
from hookbridge.demo.places import PULLED, Places, Told, other
from hookbridge.demo.sender import Sender
from hookbridge.demo.telling import Kind, Line, Tell, counted
from hookbridge.errors import HookbridgeError
from hookbridge.model import SOURCES, RecordKey, SourceName
from hookbridge.service import Service

EDITS = 12
"""In each source, in each half of a round."""
PULLED_EDITS = 6
"""Besides, in the table whose changes are taken."""
LOST_OF = 3
"""Every third webhook of the first half is lost."""
TITLES = {"supabase": "Supabase", "notion": "Notion"}

LOOK_SECONDS = 0.1
REST_SECONDS = 3.0
"""Between rounds, for the reader."""
PATIENCE_SECONDS = 60.0


class NotConverged(HookbridgeError):
    """Copy and source are not equal after all that time."""


class Story:
    """The demonstration's rounds on a service that runs."""

    def __init__(
        self,
        service: Service,
        places: Places,
        sender: Sender,
        tell: Tell,
        *,
        others: Others | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._service = service
        self._places = places
        self._sender = sender
        self._tell = tell
        self._others = others
        self._sleep = sleep
        self._round = 0

    async def run(self, seconds: float | None) -> None:
        """Go on for ever, or until the round that is under way after so many seconds is complete."""
        end = None if seconds is None else self._service.now() + seconds
        await self._load()
        for self._round in count(1):
            await self._bring_back()
            await self._lose_webhooks()
            await self._take_down(SOURCES[(self._round - 1) % len(SOURCES)])
            await self._balance()
            if end is not None and self._service.now() >= end:
                return
            await self._sleep(REST_SECONDS)

    async def _load(self) -> None:
        await self._until_equal(quiet=True)
        records = len(self._places.truths())
        self._say("loaded", f"{records} records were there before: all of them are in the copy now.", records=records)

    async def _bring_back(self) -> None:
        """Start those nodes again that the reader ended, which one is tempted to."""
        for one in await self._others.bring_back() if self._others is not None else ():
            self._say("returned", f"{one.name} was ended by somebody else, and is back.")

    # The halves of a round

    async def _lose_webhooks(self) -> None:
        posts = self._edit()
        lost, arriving = posts[::LOST_OF], [one for at, one in enumerate(posts) if at % LOST_OF]
        half = len(arriving) // 2
        await self._sender.deliver(arriving[:half])
        async with self._one_killed():
            # One comes twice, as every sender's may.
            await self._sender.deliver([*arriving[half:], arriving[0]])
            self._say(
                "delivered",
                f"{counted(len(lost), 'webhook')} of these got lost on the way. {len(arriving)} arrived, out of order,"
                " one of them twice: on disk, and answered 202.",
                lost=len(lost),
                delivered=len(arriving),
            )
        await self._until_equal()
        await self._prove()

    @asynccontextmanager
    async def _one_killed(self) -> AsyncIterator[None]:
        """Kill one of the other nodes, where there are any, in the middle of what it does, and bring it back after."""
        if self._others is None:
            yield
            return
        victim = self._others.next_victim()
        await victim.kill()
        self._say("killed", f"{victim.name} is killed with -9, half-way. Its senders turn to the others.")
        yield
        await victim.start()
        self._say("returned", f"{victim.name} is back; what it had in hand was lost by nobody.")

    async def _take_down(self, source: SourceName) -> None:
        name, living = TITLES[source], other(source)
        async with self._places.standin(source).down():
            self._say("down", f"{name} goes down: it refuses every connection.", source=source)
            posts = self._edit()
            await self._sender.deliver(posts)
            await self._until(lambda: self._lane_waits(source), f"{name}'s lane did not notice that {name} is down")
            waiting = sum(record.table != f"public.{PULLED}" for record in await self._differing(source))
            self._say(
                "waiting",
                f"All {counted(len(posts), 'webhook')} arrived. {name}'s lane waits, with"
                f" {counted(waiting, 'record')} to read when it is back, and gives none up."
                + (f" What changed in {PULLED} waits in Supabase's own outbox." if source == "supabase" else ""),
                source=source,
                delivered=len(posts),
                waiting=waiting,
            )
            await self._until_equal(living, quiet=True)
            self._say(
                "apart",
                f"Meanwhile {TITLES[living]} is not held up: 0 of its records differ.",
                source=living,
                differing=0,
            )
        self._say("up", f"{name} is back.", source=source)
        await self._until_equal()
        await self._prove()

    def _edit(self) -> list[Told]:
        for source in SOURCES:
            self._places.edit(source, EDITS)
        self._places.edit_pulled(PULLED_EDITS)
        posts = self._places.take_outbox()
        what = "records are added, changed and deleted, texts of pages rewritten."
        text = (
            f"{EDITS} edits in Supabase and {EDITS} in Notion: {what} {PULLED_EDITS} more in Supabase's table {PULLED},"
            " whose changes hookbridge fetches itself."
        )
        self._say("edited", text, edits=EDITS * len(SOURCES) + PULLED_EDITS)
        return posts

    # What is shown to hold

    async def _until_equal(self, source: SourceName | None = None, *, quiet: bool = False) -> None:
        """Wait until no record differs, and say each change of their number."""
        last = -1

        async def equal() -> bool:
            nonlocal last
            left = len(await self._differing(source))
            if left != last and not quiet:
                self._say("differing", f"{counted(left, 'record differs', 'records differ')}", differing=left)
            last = left
            return left == 0

        await self._until(equal, "Copy and source are still different")

    async def _prove(self) -> None:
        lines = [line async for line in self._service.reconciler.verify(None, None, heal=False)]
        if not (isinstance(lines[-1], Verdict) and lines[-1].agrees):
            raise NotConverged("The proof found records that differ")
        equal = sum(line.equal for line in lines if isinstance(line, TableProof))
        text = f"Proven, as `verify` does it: all {equal} records of both sources are equal to their copies."
        self._say("proven", text, equal=equal, differing=0)

    async def _balance(self) -> None:
        outbox = self._places.supabase.outbox

        async def is_taken() -> bool:
            return not len(outbox)

        await self._until(is_taken, f"Changes of {PULLED} still wait in Supabase's outbox")
        statistics = await self._service.statistics()
        books = statistics.books
        pulled = f"supabase:public.{PULLED}"
        missed = sum(loss.missed for name, loss in statistics.webhook_loss.items() if name != pulled)
        self._say(
            "books",
            f"So far: {books.received} events received = {books.open} open + {books.applied} applied"
            f" + {books.coalesced} coalesced + {books.ignored} ignored + {books.dead} dead;"
            f" {counted(missed, 'change')} missed, which no webhook announced (fewer than webhooks were lost: where"
            " another one of the same record arrived, the record was read all the same)."
            f" Of {PULLED} all {outbox.kept} changes were fetched, and none can get lost: each stays in an outbox in"
            " Supabase until it is on disk here.",
            received=books.received,
            open=books.open,
            applied=books.applied,
            coalesced=books.coalesced,
            ignored=books.ignored,
            dead=books.dead,
            missed=missed,
            fetched=outbox.kept,
        )

    async def _differing(self, source: SourceName | None = None) -> list[RecordKey]:
        return list(await differing(self._service.store, self._places.expected(), source))

    async def _lane_waits(self, source: SourceName) -> bool:
        own = self._service.lanes[source].state().state == "down"
        return own or (self._others is not None and await self._others.lane_waits(source))

    async def _until(self, condition: Callable[[], Awaitable[bool]], complaint: str) -> None:
        end = self._service.now() + PATIENCE_SECONDS
        while not await condition():
            if self._service.now() >= end:
                raise NotConverged(f"{complaint} after {PATIENCE_SECONDS:.0f} seconds")
            await self._sleep(LOOK_SECONDS)

    def _say(self, kind: Kind, text: str, *, source: str = "", **figures: int) -> None:
        self._tell(Line(kind=kind, text=text, round=self._round, source=source, figures=figures))
