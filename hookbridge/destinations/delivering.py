"""All destinations of one service: their duties, and how they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hookbridge.api.destinations import DestinationState
from hookbridge.clock import Clock
from hookbridge.cluster import Duty, delivering
from hookbridge.config import Destination
from hookbridge.destinations.driver import Driver
from hookbridge.destinations.sender import origin
from hookbridge.model import SourceName
from hookbridge.settings.destinations import EVERY_TABLE
from hookbridge.sources.source import Source
from hookbridge.store.contract import Store
from hookbridge.store.values import FeedFilter
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
    ) -> None:
        self._store = store
        self._clock = clock
        self._drivers = [Driver(one, _meant(one, sources), store, telling, clock) for one in to]

    def duties(self) -> Iterator[tuple[str, Duty]]:
        """Name what one node does for each."""
        for driver in self._drivers:
            yield delivering(driver.to.name), driver.run

    async def states(self) -> tuple[DestinationState, ...]:
        """Say how each stands, whichever node drives it.  Raises StoreUnavailable."""
        if not self._drivers:
            return ()
        ends, now = await self._store.feed_ends(), self._clock()
        return tuple(
            [(await one.kept()).shown(one.to.name, origin(one.to.url), ends, now) for one in self._drivers],
        )


def _meant(to: Destination, sources: Mapping[SourceName, Source]) -> FeedFilter:
    whole: list[SourceName] = []
    tables: list[tuple[SourceName, str]] = []
    for name, source in sources.items():
        written = [one.partition(":")[2] for one in to.tables if one.startswith(f"{name}:")]
        whole += [name] if EVERY_TABLE in written else []
        tables += [(name, source.normal_table(one)) for one in written if one != EVERY_TABLE]
    return FeedFilter(sources=tuple(whole), tables=tuple(tables))
