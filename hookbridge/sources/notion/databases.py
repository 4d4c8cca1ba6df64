"""Which data sources a database has, as known for a while: pages lie in those, and those are queried.

It tells ``places`` what lies where.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hookbridge.sources.notion.budget import Urgency
from hookbridge.sources.notion.places import Places

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import NotionClient  # imports the SDK

KNOWN_SECONDS = 600.0
"""How long a database's data sources are taken to be the same; a new one's pages are retrieved singly until then."""

KNOWN_MAX = 1_000


class Databases:
    """The data sources of each database that was asked for.  One instance for the process."""

    def __init__(self, client: NotionClient, places: Places, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._places = places
        self._clock = clock
        self._known: dict[str, tuple[tuple[str, ...], float]] = {}

    async def data_sources(self, table: str, urgency: Urgency = Urgency.READ) -> tuple[str, ...]:
        """Give the data sources of a database.  Raises SourceError."""
        known, until = self._known.get(table, ((), 0.0))
        if self._clock() < until:
            return known
        found = await self._client.data_sources(table, urgency)
        if found is None:
            # A data source may be listed, or named by a sender, in place of a database.
            await self._learn_database(table, urgency)
        for source in found or ():
            self._places.learn(source, table)
        return self.keep(table, (table,) if found is None else found)

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
        """Find out where a data source lies, because many senders name only the database of a page."""
        if self._places.database_of(data_source) is None:
            database = await self._client.database_of(data_source, urgency)
            if database is not None:
                self._places.learn(data_source, database)
