"""Everything that a data file holds, carried into a Postgres, and compared there.

Invariants: what the file holds is not changed, and this process has it meanwhile; no node starts on the database before
all of it is there and was found equal; who is interrupted goes on where he was; at the end the file gets another name,
so that nobody starts on it by mistake.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec

from hookbridge.errors import StartupError
from hookbridge.indexing import elsewhere
from hookbridge.model import StoredEvent
from hookbridge.store import note_names
from hookbridge.store.moving import KINDS, Kind, Mark, Tally
from hookbridge.store.postgres import Arrival
from hookbridge.store.sqlite import SqliteStore, lock
from hookbridge.store.values import EventFilter
from hookbridge.text import parse

EVENTS_COMPARED = 1_000
SEARCHES_COMPARED = 50

PAGE = 100

ENDING = ".migrated"

OWN_NOTES = frozenset({note_names.STARTS, note_names.CHECKED, note_names.MIGRATION})
"""What says something of the file itself."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """How far it is with one kind of rows."""

    kind: Kind
    done: int
    total: int


class Result(msgspec.Struct, frozen=True, kw_only=True, tag="result"):
    """What was carried, and what of it is not equal on both sides."""

    equal: bool
    differences: tuple[str, ...]
    rows: dict[Kind, int]
    events_compared: int
    searches_compared: int
    replaced: int
    """Texts in which U+0000, which Postgres does not hold, is U+2400 now."""
    file: str
    """Where the data file is now."""


async def migrate(path: Path, url: str) -> AsyncGenerator[Progress | Result]:
    """Carry a data file into a database; the last line is the result.

    Raises StartupError (a service has the file, the database has something else in it, one of them cannot be used),
    StoreUnavailable, or StoreError for what Postgres cannot hold.
    """
    _look_for(path)
    async with _opened(path, url) as (file, target):
        moving = _Moving(file, target, await file.tally())
        async for step in moving.run():
            yield step
        # Once it was done, nodes may have changed what is there.
        result = await moving.compared() if not moving.mark.done else moving.result(())
        if result.equal:
            await target.let_start(moving.mark)
    if result.equal:
        result = msgspec.structs.replace(result, file=str(_renamed(path)))
    yield result


def _look_for(path: Path) -> None:
    """Raises StartupError where there is no such file: opening it would make one."""
    if not path.is_file():
        there = path.with_name(path.name + ENDING)
        hint = f"it was carried over, and is {there} now" if there.is_file() else "name the data file of the service"
        raise StartupError(f"There is no data file at {path}", hint=hint)


@asynccontextmanager
async def _opened(path: Path, url: str) -> AsyncIterator[tuple[SqliteStore, Arrival]]:
    file = await SqliteStore.open(path)
    try:
        target = await Arrival.open(url)
        try:
            yield file, target
        finally:
            await target.close()
    finally:
        await file.close()


def _renamed(path: Path) -> Path:
    """Give the file its other name.  Raises StartupError when somebody has taken it meanwhile."""
    handle = lock(path)
    try:
        return path.rename(path.with_name(path.name + ENDING))
    except OSError as error:
        message = f"All is carried over, but the data file cannot be renamed: {error.strerror}"
        raise StartupError(message, hint=f"rename {path} yourself, so that nobody starts on it") from error
    finally:
        os.close(handle)


class _Moving:
    """One way from a file to a database."""

    def __init__(self, file: SqliteStore, target: Arrival, tally: Tally) -> None:
        self._file = file
        self._target = target
        self._tally = tally
        self._events_compared = self._searches_compared = 0
        self.mark = Mark(origin=_origin(tally))

    async def run(self) -> AsyncIterator[Progress]:
        """Carry all of it."""
        self.mark = await self._target.begin(self.mark, self._tally.ends.feed.newest)
        while self.mark.kind is not None:
            kind, done = self.mark.kind, self.mark.carried
            batch = self._target.fitted(await self._file.batch(kind, self.mark.cursor))
            self.mark = self.mark.behind(batch)
            await self._target.take(batch, self.mark)
            yield Progress(kind=kind, done=done + batch.rows, total=self._tally.rows[kind])
        if not self.mark.done:
            ends = msgspec.structs.replace(self._tally.ends, ticket=await self._file.ticket())
            await self._target.finish(self.mark, await self._notes(), self._tally.counters, ends)

    async def _notes(self) -> dict[str, str]:
        notes = {name: value for name, value in (await self._file.notes()).items() if name not in OWN_NOTES}
        if (index := elsewhere(notes.pop(note_names.INDEX, None))) is not None:
            notes[note_names.INDEX] = index
        return notes

    async def compared(self) -> Result:
        """Compare both sides."""
        events, searches = await self._events(), await self._searches()
        differences = [*self._counts(await self._target.tally()), *events, *searches]
        if not (books := (await self._target.totals()).books).balanced():
            differences.append(f"the books do not balance: {books}")
        return self.result(tuple(differences))

    def result(self, differences: tuple[str, ...]) -> Result:
        """Say what was carried."""
        return Result(
            equal=not differences,
            differences=differences,
            rows=self._tally.rows,
            events_compared=self._events_compared,
            searches_compared=self._searches_compared,
            replaced=self.mark.replaced,
            file=self._file.describe(),
        )

    def _counts(self, there: Tally) -> list[str]:
        here = self._tally
        pairs: dict[str, tuple[object, object]] = {
            **{kind: (here.rows[kind], there.rows[kind]) for kind in KINDS},
            "hash of all copies": (here.copies, there.copies),
            "newest event": (here.ends.event, there.ends.event),
            "the feed's id and places": (here.ends.feed, there.ends.feed),
            "counters": (here.counters, there.counters),
        }
        return [
            f"{name}: {one} in the file, {other} in Postgres" for name, (one, other) in pairs.items() if one != other
        ]

    async def _events(self) -> list[str]:
        """Compare some events byte for byte."""
        ids = await self._file.some_events(EVENTS_COMPARED)
        self._events_compared = len(ids)
        here, there = await _listed(self._file, ids), await _listed(self._target, ids)
        return [
            f"event {id_} is another one in Postgres"
            for id_ in sorted(ids)
            if (known := here.get(id_)) is None or _as_carried(known) != there.get(id_)
        ]

    async def _searches(self) -> list[str]:
        """Search on both sides for words of some records."""
        different = []
        for tokens in await self._file.some_words(2 * SEARCHES_COMPARED):
            query = parse(random.choice(tokens.split()))  # noqa: S311  no secret
            here = await self._file.candidates(query, source=None, table=None)
            there = await self._target.candidates(query, source=None, table=None)
            if not (here.complete and there.complete) or self._searches_compared == SEARCHES_COMPARED:
                continue  # of what very many have, each engine looks at another part
            self._searches_compared += 1
            if [one.record for one in here.copies] != [one.record for one in there.copies]:
                different.append(f"a search for {query.terms[0].tokens} finds something else in Postgres")
        return different


def _origin(tally: Tally) -> str:
    """Name what a file holds: while nothing is stored in it, it stays the same."""
    return blake2b(msgspec.json.encode(tally, order="deterministic"), digest_size=16).hexdigest()


async def _listed(store: SqliteStore | Arrival, ids: Sequence[int]) -> dict[int, StoredEvent]:
    """Give these events, as far as there are such."""
    found: dict[int, StoredEvent] = {}
    for first in range(0, len(ids), PAGE):
        which, before = EventFilter(ids=tuple(ids[first : first + PAGE])), None
        while True:
            page = await store.events(which, before=before, limit=PAGE)
            found |= {one.id: one for one in page.events}
            if (before := page.next_cursor) is None:
                break
    return found


def _as_carried(stored: StoredEvent) -> StoredEvent:
    """Give an event as it is to be on the other side."""
    event = stored.event
    return msgspec.structs.replace(
        stored,
        event=msgspec.structs.replace(
            event,
            type=Arrival.shown(event.type) or "",
            occurred_at=Arrival.shown(event.occurred_at),
        ),
        reason=Arrival.shown(stored.reason),
        stored_at=stored.received_at if stored.stored_at is None else stored.stored_at,
    )
