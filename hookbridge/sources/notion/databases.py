"""Which data sources a database has, as known for a while: pages lie in those, and those are queried.

It tells ``places`` what lies where, and whoever shows tables what people call them: the same answer says both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hookbridge.sources.notion.budget import Urgency
from hookbridge.sources.notion.places import Places
from hookbridge.sources.source import Labels, unlabelled

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import NotionClient  # imports the SDK

KNOWN_SECONDS = 600.0
"""How long a database is taken to be the same; a new data source's pages are retrieved singly until then."""

KNOWN_MAX = 1_000


class Databases:
    """The data sources of each database that was asked for.  One instance for the process."""

    def __init__(
        self,
        client: NotionClient,
        places: Places,
        labels: Labels = unlabelled,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._places = places
        self._labels = labels
        self._clock = clock
        self._known: dict[str, tuple[tuple[str, ...], float]] = {}

    async def data_sources(self, table: str, urgency: Urgency = Urgency.READ, *, anew: bool = False) -> tuple[str, ...]:
        """Give the data sources of a database; ``anew``: whatever is known of it.  Raises SourceError."""
        known, until = self._known.get(table, ((), 0.0))
        if not anew and self._clock() < until:
            return known
        database = await self._client.database(table, urgency)
        if database is None:
            # A data source may be listed, or named by a sender, in place of a database.
            await self._learn_database(table, urgency)
            return self.keep(table, (table,))
        await self._labels(table, database.title)
        for source in database.data_sources:
            self._places.learn(source, table)
        return self.keep(table, database.data_sources)

    def keep(self, table: str, data_sources: tuple[str, ...]) -> tuple[str, ...]:
        """Take these for the data sources of a database, for a while; none where it cannot be queried."""
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[table] = (data_sources, self._clock() + KNOWN_SECONDS)
        return data_sources

    def forget(self, table: str) -> None:
        """Ask for the data sources of a database anew the next time."""
        self._known.pop(table, None)

    async def _learn_database(self, data_source: str, urgency: Urgency) -> None:
        """Find out where a data source lies, because many senders name only the database of a page; and its title."""
        found = await self._client.data_source(data_source, urgency)
        if found is None:
            return
        await self._labels(data_source, found.title)
        if found.database is not None:
            self._places.learn(data_source, found.database)
