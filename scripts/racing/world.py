"""What the raced stores are to become: sources that change, and what of them was acknowledged and settled.

A page lies in one of two tables and moves between them; a row stays.  What is read is what is there at that moment.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

import msgspec

from hookbridge.model import Copy, Document, Event, RecordKey
from hookbridge.text import tokens

ROWS = 32
PAGES = 8
TABLES = ("listed", "archive")


class World:
    """The sources' truth."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._numbers: dict[int, int] = {}
        self._tables: dict[int, str] = {}
        self.acknowledged: dict[bytes, int] = {}
        """Event ids by identity."""
        self.recent: list[Event] = []

    def change(self) -> Event:
        """Change a record, and give the event of it; a page's may name another table, or the page alone."""
        number = self._rng.randrange(ROWS + PAGES)
        self._numbers[number] = self._numbers.get(number, 0) + 1
        if number >= ROWS and self._may(0.2):
            self._tables[number] = self._rng.choice(TABLES)
        record = self._named(number)
        if number >= ROWS and self._may(0.3):
            record = msgspec.structs.replace(record, table=self._rng.choice(TABLES))
        return Event(
            record=record,
            type=self._rng.choice(("insert", "update", "delete")),
            format="guide",
            identity=self._rng.randbytes(16),
            body=b"x" * self._rng.choice((2, 600, 5_000)),
            by_id=number >= ROWS and self._may(0.5),
        )

    async def read(self, record: RecordKey, ticket: Callable[[], Awaitable[int]]) -> tuple[Copy, Document]:
        """Read what a record's source has, as one does: the ticket first."""
        taken = await ticket()
        number = _number(record)
        named, text = self._named(number), f"name{self._numbers.get(number, 0)}"
        data = msgspec.json.encode({"name": text})
        copy = Copy(record=named, data=data, fingerprint=text.encode(), ticket=taken, read_at=time.time())
        return copy, Document(named, properties=" ".join(tokens(text)))

    def some(self) -> RecordKey:
        """Name a record."""
        return self._named(self._rng.randrange(ROWS + PAGES))

    def state(self) -> dict[str, str]:
        """Give the text of each record that has changed, under its one name."""
        return {str(self._named(number)): f"name{times}" for number, times in self._numbers.items()}

    def _may(self, chance: float) -> bool:
        return self._rng.random() < chance

    def _named(self, number: int) -> RecordKey:
        if number < ROWS:
            return RecordKey("supabase", "public.users", str(number))
        # As long as Notion's ids are: by that the store finds a page that is in work under another name.
        return RecordKey("notion", self._tables.get(number, TABLES[0]), f"00000000-0000-4000-8000-{number:012}")


def _number(record: RecordKey) -> int:
    return int(record.id.rpartition("-")[2])
