"""All destinations of one service: their duties, and how they stand."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence

from hookbridge import feed
from hookbridge.api.destinations import DestinationState, TrialAnswer
from hookbridge.clock import Clock
from hookbridge.cluster import Duty, delivering
from hookbridge.config import Destination
from hookbridge.destinations.driver import Driver
from hookbridge.destinations.lag import Lag
from hookbridge.destinations.message import body_of
from hookbridge.destinations.sender import Sender, Undelivered
from hookbridge.destinations.standing import REJECTED_MAX, Dismissal
from hookbridge.errors import NotFound
from hookbridge.model import SourceName
from hookbridge.outgoing import origin
from hookbridge.settings.destinations import EVERY_TABLE
from hookbridge.sources.source import Source
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.values import FeedEnds, FeedFilter, Rejection
from hookbridge.telling import Telling


class Destinations:
    """Whoever is told of changes."""

    def __init__(
        self,
        to: Sequence[Destination],
        store: Store,
        telling: Telling,
        sources: Mapping[SourceName, Source],
        clock: Clock,
        leads: Callable[[str], bool],
    ) -> None:
        """``leads``: whether this node has a duty, as far as it knows at this moment."""
        self._store = store
        self._clock = clock
        self._drivers = [Driver(one, _meant(one, sources), store, telling, clock, leads) for one in to]
        self._lags = {one.name: Lag(store, _meant(one, sources), one.types) for one in to}

    def duties(self) -> Iterator[tuple[str, Duty]]:
        """Name what one node does for each."""
        for driver in self._drivers:
            yield delivering(driver.to.name), driver.run

    async def states(self) -> tuple[DestinationState, ...]:
        """Say how each stands, whichever node drives it.  Raises StoreUnavailable."""
        if not self._drivers:
            return ()
        ends = await self._store.feed_ends()
        rejected = await self._store.rejection_counts()
        return tuple([await self._state(one, ends, rejected) for one in self._drivers])

    async def state(self, name: str) -> DestinationState:
        """Say how one stands.  Raises NotFound, StoreUnavailable."""
        driver = self._driver(name)
        return await self._state(driver, await self._store.feed_ends(), await self._store.rejection_counts())

    async def pause(self, name: str) -> None:
        """Send it nothing until ``resume``, restarts included.  Raises NotFound, StoreUnavailable."""
        await self._driver(name).say(lambda word: word.and_then(self._clock(), paused=True))

    async def resume(self, name: str) -> None:
        """Let it go on, also where it has stopped, and try it at once.  Raises NotFound, StoreUnavailable."""
        await self._driver(name).say(lambda word: word.and_then(self._clock(), paused=False))

    async def rewind(self, name: str, to: str) -> None:
        """Let it go on at ``start``, ``now`` or behind the change with a number.

        Raises NotFound, StoreUnavailable, and ValueError for what is no place of the feed.
        """
        driver = self._driver(name)
        if to == "start":
            place = await feed.snapshot(self._store)
        elif to == "now":
            place = await feed.newest(self._store)
        else:
            ends = await self._store.feed_ends()
            if not (re.fullmatch(feed.SEQ, to) and ends.oldest <= int(to) <= ends.newest):
                message = f"expected start, now, or a number from {ends.oldest} to {ends.newest}"
                raise ValueError(message)
            place = feed.Place(ends.id, int(to))
        await driver.say(lambda word: word.and_then(self._clock(), place=place))

    async def rejected(self, name: str, *, before: int | None, limit: int) -> tuple[Rejection, ...]:
        """Give what it has rejected, the newest change first.  Raises NotFound, StoreUnavailable."""
        return await self._store.rejections(self._driver(name).to.name, before=before, limit=limit)

    async def replay(self, name: str) -> None:
        """Send it what it has rejected again, and let it go on, also where it has stopped.

        Raises NotFound, StoreUnavailable.
        """
        await self._driver(name).say(lambda word: word.and_then(self._clock(), replay=True))

    async def dismiss(self, name: str, seqs: frozenset[int] | None) -> int:
        """Give up what it has rejected: changes with these numbers, or all that there are by now; gives how many.

        Whichever node drives it forgets them.  Raises NotFound, StoreUnavailable.
        """
        driver = self._driver(name)
        stands, word = await driver.kept()  # before the list: what was given up until then is not in there any more
        kept = await self._store.rejections(driver.to.name, limit=REJECTED_MAX)
        before = {one.seq for one in word.since(stands.heard).dismissed(kept)}
        chosen = [one.seq for one in kept if one.seq not in before and (seqs is None or one.seq in seqs)]
        if chosen:
            what = Dismissal(to=max(chosen)) if seqs is None else Dismissal(seqs=tuple(chosen))
            await driver.say(lambda word: word.and_then(self._clock(), dismissal=what))
        return len(chosen)

    async def test(self, name: str) -> TrialAnswer:
        """Send it a message without changes, from this node, in whichever state it is; nothing of that changes.

        Raises NotFound, StoreUnavailable.
        """
        driver = self._driver(name)
        place = str(await feed.newest(self._store))
        async with Sender(driver.to) as sender:
            try:
                await sender.post(body_of((), place), f"msg_{uuid.uuid4().hex}")
            except Undelivered as error:
                return TrialAnswer(taken=False, reason=error.message)
        return TrialAnswer(taken=True, reason=None)

    @property
    def notes(self) -> tuple[str, ...]:
        """The names of the notes that other nodes may write."""
        return tuple(note_names.word_on_destination(one.to.name) for one in self._drivers)

    def hear(self, notes: Mapping[str, str]) -> None:
        """Take note of what is noted, as of a moment ago."""
        for driver in self._drivers:
            driver.hear(notes.get(note_names.word_on_destination(driver.to.name)))

    def _driver(self, name: str) -> Driver:
        for driver in self._drivers:
            if driver.to.name == name:
                return driver
        message = f"There is no destination {name}"
        raise NotFound(message, hint="those that there are: destinations list")

    async def _state(self, driver: Driver, ends: FeedEnds, rejected: Mapping[str, int]) -> DestinationState:
        kept, word = await driver.kept()
        now = kept.obeying(word)
        since = await self._lags[driver.to.name].since(now, ends)
        about = driver.to.name, origin(driver.to.url), ends, self._clock()
        number = rejected.get(driver.to.name, 0)
        return now.shown(*about, waiting_since=since, paused=word.paused, rejected=number)


def _meant(to: Destination, sources: Mapping[SourceName, Source]) -> FeedFilter:
    whole: list[SourceName] = []
    tables: list[tuple[SourceName, str]] = []
    for name, source in sources.items():
        written = [one.partition(":")[2] for one in to.tables if one.startswith(f"{name}:")]
        whole += [name] if EVERY_TABLE in written else []
        tables += [(name, source.normal_table(one)) for one in written if one != EVERY_TABLE]
    return FeedFilter(sources=tuple(whole), tables=tuple(tables))
