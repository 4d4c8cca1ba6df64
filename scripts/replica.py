"""The records as one consumer of the feed has them, and what no consumer may ever be told.  Pure.

Used by tests and by the crash test.  A replica does what docs/changes.md says: it applies what it is told, however
often, and when a snapshot ends it forgets what the snapshot did not tell.  Whatever comes again or late, these hold:
the places of one reading grow, a record never comes with an earlier place than before, one place is one state, and no
text is older than one that was told before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SHOWN_MAX = 5

_NUMBERED = re.compile(r"\b([a-z]+) ?(\d+)\b")


NO_CONTENT = frozenset({"last_edited_time", "last_edited_by"})
"""Of a page: that it was edited is no change of it where nothing else is."""


class Held(NamedTuple):
    """A record as the feed told it last."""

    data: Any
    markdown: str | None
    """The text behind it."""

    @classmethod
    def of(cls, data: Mapping[str, Any], markdown: str | None) -> Held:
        """Give what counts of a record's columns or page object."""
        return cls({name: value for name, value in data.items() if name not in NO_CONTENT}, markdown)


class _Told(NamedTuple):
    seq: int
    held: Held | None


class Replica:
    """What one consumer has."""

    def __init__(self, name: str, *, overlap_seconds: float = 0.0) -> None:
        """``overlap_seconds``: for so long, reads of a record that were under way at once may end in either order."""
        self.name = name
        self.records: dict[str, Held] = {}
        self.wrong: list[str] = []
        self.snapshots = 0
        """How many have ended."""
        self.told = 0
        """How many changes it was told."""
        self._overlap_seconds = overlap_seconds
        self._last_seq = 0
        self._has_begun = False
        self._doubted: set[str] | None = None
        """In a snapshot, what it has not told of yet."""
        self._told: dict[str, _Told] = {}
        self._newest: dict[str, dict[str, tuple[int, float]]] = {}
        """By record: the largest number behind each word, and when it was told first."""

    def begin(self) -> None:
        """A snapshot begins: whatever it does not tell of is gone when it has ended."""
        self._doubted = set(self.records)
        self._has_begun = True
        self.go_on()

    def go_on(self) -> None:
        """What comes next may have come before: the answer to it was lost, or somebody has gone back."""
        self._last_seq = 0

    def take(self, entries: Iterable[Mapping[str, Any]], now: float) -> None:
        """Apply what was told at a time."""
        for entry in entries:
            match entry["type"]:
                case "snapshot_begin":
                    self.begin()
                case "snapshot_end":
                    self._end()
                case _:
                    self._apply(entry, now)

    def differing(self, records: Mapping[str, Held]) -> list[str]:
        """Name the records that are not held as they are here."""
        names = sorted({*records, *self.records})
        return [
            f"{self.name} holds {name} as {_other(self.records.get(name), records.get(name))}"
            for name in names
            if records.get(name) != self.records.get(name)
        ]

    def _end(self) -> None:
        if not self._has_begun:
            self._say("a snapshot ended that had not begun")
        for record in self._doubted or ():
            self.records.pop(record, None)
        self._doubted = None
        self.snapshots += 1

    def _apply(self, entry: Mapping[str, Any], now: float) -> None:
        record, seq = name_of(entry), int(entry["seq"])
        held = None
        self.told += 1
        if entry["type"] == "upsert":
            held = Held.of(entry["data"], (entry.get("content") or {}).get("markdown"))
        self._look(record, seq, held)
        self._look_at_text(record, held, now)
        if held is None:
            self.records.pop(record, None)
        else:
            self.records[record] = held
        if self._doubted is not None:
            self._doubted.discard(record)

    def _look(self, record: str, seq: int, held: Held | None) -> None:
        if seq <= self._last_seq:
            self._say(f"{record} came with place {seq} behind place {self._last_seq}")
        self._last_seq = seq
        before = self._told.get(record)
        if before is not None and seq < before.seq:
            self._say(f"{record} came as of place {seq} after it had come as of {before.seq}")
        elif before is not None and seq == before.seq and held != before.held:
            self._say(f"{record} was {before.held} at place {seq}, and is {held} there")
        self._told[record] = _Told(seq, held)

    def _look_at_text(self, record: str, held: Held | None, now: float) -> None:
        if held is None:
            return
        newest = self._newest.setdefault(record, {})
        for word, number in numbers(held).items():
            before, since = newest.get(word, (0, now))
            if number > before:
                newest[word] = number, now
            elif number < before and now - since >= self._overlap_seconds:
                self._say(f"{record} had {word} {before} and has {word} {number} again")

    def _say(self, what: str) -> None:
        if len(self.wrong) < SHOWN_MAX:
            self.wrong.append(f"{self.name}: {what}")


def name_of(entry: Mapping[str, Any]) -> str:
    """Name the record that an entry of the feed tells of."""
    return f"{entry['source']}:{entry['table']}:{entry['id']}"


def _other(held: Held | None, is_: Held | None) -> str:
    """Tell two states of a record apart; of two that there are, by what differs alone."""
    if held is None or is_ is None or held.markdown != is_.markdown:
        return f"{held}, and it is {is_}"
    names = [name for name in {**held.data, **is_.data} if held.data.get(name) != is_.data.get(name)]
    return ", ".join(f"{name}: {held.data.get(name)}, and it is {is_.data.get(name)}" for name in names)


def numbers(held: Held) -> dict[str, int]:
    """Give the numbers that a world has written into a record: each edit has a larger one than those before."""
    name = held.data.get("name")
    if name is None:
        name = "".join(part["plain_text"] for part in held.data["properties"]["Name"]["title"])
    found = [*_NUMBERED.findall(name), *_NUMBERED.findall(held.markdown or "")]
    return {word: int(number) for word, number in found}
