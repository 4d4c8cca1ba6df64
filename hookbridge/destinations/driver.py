"""The task of one destination: it reads the feed behind the destination's place, and has one message taken by one.

Invariants: the place is kept only when everything up to it was taken or rejected, in the transaction that keeps what
was rejected, with the lead of the node that drives it; what was not taken is sent again, by whichever node, under the
same id; nothing is sent before what comes before it was taken or refused alone.  It holds one message, however far
behind the destination is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from hookbridge import feed
from hookbridge.clock import Clock
from hookbridge.config import Destination
from hookbridge.destinations.cutting import ALONE, Cutting
from hookbridge.destinations.keeping import Keeping
from hookbridge.destinations.message import Message, is_left, message, until_told
from hookbridge.destinations.replaying import MISSES_MAX, again
from hookbridge.destinations.sender import Sender, Undelivered
from hookbridge.destinations.standing import FULL, Standing, Word, read_word
from hookbridge.errors import LeadLost, PlaceGone, StoreUnavailable
from hookbridge.outgoing import wait_seconds
from hookbridge.outgoing.calls import WAIT_SECONDS_MAX
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Lead
from hookbridge.store.values import FeedEnds, FeedFilter, Rejected
from hookbridge.telling import Telling

STORE_SECONDS = 2.0
"""After so long a store that could not be asked is asked again."""

UNEXPECTED = "A destination failed unexpectedly"

_log = structlog.get_logger(__name__)


class Driver:
    """One destination's."""

    def __init__(
        self,
        to: Destination,
        which: FeedFilter,
        store: Store,
        telling: Telling,
        clock: Clock,
        leads: Callable[[str], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``leads``: whether this node has a duty, as far as it knows at this moment."""
        self.to = to
        self._which = which
        self._store = store
        self._telling = telling
        self._clock = clock
        self._leads = leads
        self._sleep = sleep
        self._kept = Keeping(to.name, store)
        self._cutting = Cutting()
        self._woken = asyncio.Event()

    @property
    def _standing(self) -> Standing:
        return self._kept.standing

    async def kept(self) -> tuple[Standing, Word]:
        """Give how it stands, whichever node drives it, and what operators have said.  Raises StoreUnavailable."""
        return await self._kept.read()

    async def say(self, next_: Callable[[Word], Word]) -> None:
        """Say a word more that whichever node drives it does, restarts included.  Raises StoreUnavailable."""
        await self._kept.say(next_)
        self._woken.set()

    def hear(self, word: str | None) -> None:
        """Take note of what operators have said to any node, as of a moment ago."""
        if read_word(word).number > self._kept.word.number:
            self._woken.set()

    async def run(self, lead: Lead) -> None:
        """Deliver until cancelled.  Raises LeadLost."""
        self._kept.lead = lead
        async with Sender(self.to) as sender:
            while True:
                self._woken.clear()
                try:
                    await self._begin()
                    waits = self._kept.word.paused or self._standing.state == "stopped"
                    await self._until_woken(None if waits else self._deliver_all(sender))
                except LeadLost:
                    raise
                except StoreUnavailable as error:
                    _log.warning("A destination waits for the store", destination=self.to.name, error=error.message)
                    await self._sleep(STORE_SECONDS)
                except Exception as error:  # noqa: BLE001  it is logged as what it is, and tried again
                    self._tell_bug(error)
                    await self._until_woken(self._sleep(WAIT_SECONDS_MAX))

    def _tell_bug(self, error: Exception) -> None:
        _log.error(UNEXPECTED, destination=self.to.name, exc_info=error)

    async def _until_woken(self, work: Awaitable[None] | None) -> None:
        """Do this until it is done or an operator says something; without work wait for that."""
        tasks: set[asyncio.Future[Any]] = {asyncio.ensure_future(self._woken.wait())}
        if work is not None:
            tasks.add(asyncio.ensure_future(work))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # or asyncio logs that nobody looks at what they raise

    async def _begin(self) -> None:
        """Take up where it stands, or give it its first place."""
        self._cutting = Cutting()
        await self._kept.take_up()
        if not self._standing.place:
            others = await self._kept.rejections()  # of another one that had its name
            place = await (feed.snapshot if self.to.start == "snapshot" else feed.newest)(self._store)
            # In one transaction, with the lead: a node that stood still here forgets nothing of the one that went on.
            await self._kept.keep(self._standing.begun(place, self._clock()), taken=[one.record for one in others])

    async def _deliver_all(self, sender: Sender) -> None:
        """Deliver until it is stopped, or a bug of ours was waited for as a destination that fails is."""
        try:
            if self._standing.replay:
                await self._replay(sender)
            while self._standing.state != "stopped":
                await self._go_on(sender)
        except (LeadLost, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001  it is logged as what it is, shown, and tried again
            self._tell_bug(error)
            await self._failed(Undelivered(f"{UNEXPECTED}: the log says where"))

    async def _go_on(self, sender: Sender) -> None:
        """Have the next changes taken; where there are none, wait for some."""
        cut = self._cutting
        place = cut.place(feed.Place.parse(self._standing.place))
        try:
            limit = 1 if cut.suspects else self.to.batch
            part = await feed.read(self._store, place, self._which, limit=limit, bytes_max=self.to.batch_bytes)
        except PlaceGone as error:
            _log.warning("A destination is told everything anew", destination=self.to.name, reason=error.message)
            self._cutting = Cutting()
            start = await feed.snapshot(self._store)
            await self._kept.keep(self._standing.begun(start, self._clock(), anew=error.message))
            return
        about = self._telling, self.to, self._standing.series
        next_ = await message(*about, place, part, until=cut.until, has_begun=cut.has_begun)
        if next_.places:
            if not await self._deliver(sender, next_):
                return
        elif cut.suspects:
            await self._look_behind(next_, is_end=part.is_last)
            return
        else:
            await self._pass(next_)
            cut.passed(next_.next)
        if next_.is_last:
            await self._wait(part.ends)

    async def _pass(self, what: Message) -> None:
        """Take note that there is nothing to tell up to somewhere; for long that is not kept.

        Where that is the end, nothing is due: what it did not take has gone, or is not meant for it any more.
        """
        now = self._standing.passed(what.next)
        if what.is_last and now.state != "running":
            _log.info("Nothing is left that a destination has not taken", destination=self.to.name)
            await self._kept.keep(now.going())
        else:
            await self._kept.passed(now)

    async def _look_behind(self, what: Message, *, is_end: bool) -> None:
        """Go on to look for a neighbour of what was refused alone; at the end of the feed, wait a while for one."""
        if not is_end:
            self._cutting.look_behind(what.next)
            return
        reason = f"{self._cutting.suspects[-1].reason}; {ALONE}"
        self._cutting.start_over()
        wait = await self._keep_failure(Undelivered(reason))
        with contextlib.suppress(TimeoutError, PlaceGone):
            async with asyncio.timeout(wait or 0.0):
                await until_told(self._store, self._which, self.to, what.next)

    async def _deliver(self, sender: Sender, what: Message) -> bool:
        """Have a message taken, however often it takes; gives whether nothing of it is left to be told.

        It is left when it is sent otherwise from now on, is not meant any more, or the destination has stopped.
        """
        while True:
            looks_behind = bool(self._cutting.suspects)
            try:
                await self._post(sender, what)
            except Undelivered as error:
                match self._cutting.refused(what, error, self._clock()):
                    case "otherwise":
                        return False
                    case "reject":
                        return await self._done(what, taken=False)
                    case _:
                        await self._failed(error, also=ALONE if looks_behind else None)
                        is_over = looks_behind or self._standing.state == "stopped"
                        if is_over or not await is_left(self._store, self.to, what):
                            return False
            else:
                return await self._done(what, taken=True)

    async def _post(self, sender: Sender, what: Message) -> None:
        """Have a message taken, unless another node may have told something newer than what is in hand here.

        A node that stood still goes on wherever it was, and only then finds its duties ended.
        Raises LeadLost, Undelivered.
        """
        lead = self._kept.lead
        if lead is not None and not self._leads(lead.duty):
            raise LeadLost(lead.duty)
        await sender.post(what.body, what.id)

    async def _done(self, what: Message, *, taken: bool) -> bool:
        """Keep that nothing is left of a message, and that what was suspected is rejected; False where it cannot be."""
        records = [record for _, record in what.told] if taken else []
        # One that has changed since it was refused, and is taken as it is now, is not rejected.
        rejected = tuple(one for one in self._cutting.suspects if one.record not in records)
        now, anew = self._clock(), self._standing.anew
        if rejected and not self._kept.has_room(len(rejected)):
            await self._kept.keep(self._standing.stopped(FULL, now))
            return False
        if taken and self._standing.state != "running":
            _log.info("A destination takes changes again", destination=self.to.name)
        for one in rejected:
            about = {"record": str(one.record), "seq": one.seq, "reason": one.reason}
            _log.warning("A destination has rejected a change", destination=self.to.name, **about)
        standing = self._standing.passed(what.next).rejecting(rejected, now)
        await self._kept.keep(standing.taken(len(records), now) if taken else standing, rejected, records)
        self._cutting.passed(what.next, taken=bool(records), begins=taken and what.begins)
        if anew and not standing.anew:
            _log.info("A destination has been told everything anew", destination=self.to.name)
        return True

    async def _replay(self, sender: Sender) -> None:
        """Send again what was rejected; what is not taken stays so, and where the destination fails, the rest does."""
        misses, about = 0, (self._store, self._telling, self.to, self._which)
        while self._standing.replay:
            before = self._standing
            rows = await self._store.rejections(self.to.name, before=before.replayed_to, limit=1)
            if not rows or misses >= MISSES_MAX:
                await self._kept.keep(before.replayed(None))
                return
            (row,) = rows
            now = before.replayed(row.seq)
            series = f"{before.series} replay {before.replay}"
            what = await again(*about, row, series, feed.Place.parse(before.place))
            try:
                if what is not None:
                    await self._post(sender, what)
                    now, misses = now.taken(1, self._clock()), 0
                await self._kept.keep(now, taken=[row.record])
            except Undelivered as error:
                _log.warning("A destination rejects a change again", record=str(row.record), reason=error.message)
                misses = 0 if error.about == "message" else MISSES_MAX if error.about == "destination" else misses + 1
                if error.state == "stopped":
                    now = now.stopped(error.message, self._clock())
                refused = Rejected(record=row.record, seq=row.seq, reason=error.message)
                await self._kept.keep(now, [refused] if error.about == "message" else [])

    async def _failed(self, error: Undelivered, *, also: str | None = None) -> None:
        """Keep why it did not take a message, and wait until it is tried again."""
        if (wait := await self._keep_failure(error, also=also)) is not None:
            await self._sleep(wait)

    async def _keep_failure(self, error: Undelivered, *, also: str | None = None) -> float | None:
        """Keep why it did not take a message; gives for how long it is left alone, None where it has stopped."""
        before, wait = self._standing, None
        reason = error.message if also is None else f"{error.message}; {also}"
        if error.state != "stopped":
            wait = max(wait_seconds(before.failures + 1), error.retry_after_seconds)
        await self._kept.keep(before.failed(error.state, reason, self._clock(), wait))
        tell = _log.warning if before.state != error.state else _log.debug
        about = {"destination": self.to.name, "reason": reason, "failures": before.failures + 1}
        tell("A destination does not take a change", **about, wait_seconds=wait)
        return wait

    async def _wait(self, ends: FeedEnds) -> None:
        """Wait for changes; a place behind what is not told is kept when it has not been for a while."""
        if self._kept.due_at is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._kept.due_at):
                    await self._store.beyond(ends)
                return
            await self._kept.keep(self._standing)
        await self._store.beyond(ends)
