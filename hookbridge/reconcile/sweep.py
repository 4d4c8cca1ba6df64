"""Everything: one sweep lists a table, compares it, and finds what is gone.

The only place that decides whether a missing key is a deletion.  Invariants: only a complete listing, in which every
record had a key, shows that something is gone; each deletion is confirmed by a read of the record itself, in the
worker; when too much is gone at once, nothing is deleted until an operator says so.  What was met is on disk, so that a
restart goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from msgspec.structs import replace

from hookbridge.api.reconcile import PassResult
from hookbridge.reconcile import asked
from hookbridge.reconcile.passes import Passes, Subject, forget
from hookbridge.reconcile.state import SweepState, encoded
from hookbridge.store import note_names
from hookbridge.store.values import Unmet

GONE_BATCH = 200
TELL_SECONDS = 5.0
"""How often a long sweep says in the log how far it is."""

_log = structlog.get_logger(__name__)

Pace = Callable[[], Awaitable[None]]


class Sweep(Passes[SweepState]):
    """The sweeps of one table."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject, SweepState)
        self._told_at = 0.0
        self._asked = asked.Asked()
        self.woken = asyncio.Event()
        """Set when a sweep is asked for that the one under way, if there is one, does not answer."""
        self._about = {"source": self._source, "table": self._table}

    async def open(self) -> None:
        """Read where they stand, and what is asked for.  Raises StoreUnavailable."""
        await super().open()
        self.hear(await self._store.note(note_names.asked_sweep(self._source, self._table)))

    @property
    def is_asked(self) -> bool:
        """Whether a sweep is asked for that has not been complete."""
        return self._asked.number > self.state.answered

    def hear(self, words: str | None) -> None:
        """Take note of what is asked for, as of a moment ago."""
        heard = asked.read(words)
        if heard.number > self._asked.number:
            self._asked = heard
            if self.is_asked:
                self.woken.set()

    async def run(self, pace: Pace, *, confirmed: bool = False, whole: bool = False) -> PassResult:
        """Run one sweep, or the rest of one, ``pace`` before each request.  Raises SourceError.

        ``confirmed`` says that what is gone is really gone, however much that is.  ``whole`` asks for all that was
        changed before now: an interrupted sweep does not look again where it was, so that a whole one follows its rest.
        What was asked for by then is answered, as it was asked.
        """
        async with self._one_at_a_time:
            wanted, known = self._asked, self.state.answered
            self.woken.clear()
            emptied = wanted.confirmed > known
            whole, confirmed = whole or wanted.number > known, confirmed or emptied
            is_rest = self.state.sweep is not None
            result = await self._complete(pace, confirmed=confirmed, emptied=emptied)
            if is_rest and whole:
                again = await self._complete(pace, confirmed=confirmed, emptied=emptied)
                result = PassResult(listed=again.listed, found=result.found + again.found)
            if wanted.number > known:
                await self._save(replace(self.state, answered=wanted.number))
            return result

    async def _complete(self, pace: Pace, *, confirmed: bool, emptied: bool) -> PassResult:
        if confirmed:
            await self._save(replace(self.state, confirmed=True))
        if self.state.sweep is None:
            await self._begin()
        found = 0
        while not self.state.listing_complete:
            if self.state.loaded:
                await pace()  # a first load is waited for, and goes as fast as the source allows
            found += await self._slice()
        gone = await self._gone(emptied=emptied)
        await self._end()
        return PassResult(listed=self.state.listed, found=found + gone)

    async def _begin(self) -> None:
        newest = await self._changes.newest(self._table)
        await self._save(
            replace(
                self.state,
                sweep=await self._store.ticket(),
                cursor=None,
                began_at=self._clock(),
                listed=0,
                total=None,
                unnamed=0,
                listing_complete=False,
                newest=newest,
            )
        )
        if not self.state.loaded:
            _log.info("Backfill begins", **self._about)

    async def _slice(self) -> int:
        before = self.state
        slice_ = await self._changes.listing(self._table, before.cursor)
        if slice_.anew:
            # What was met before was met in another order, perhaps by other names: it proves nothing any longer.
            await self._begin()
            await forget(self._store, only=before.sweep or 0)
            return 0
        differing = await self._findings.take(self._table, slice_, "sweep", first=not before.loaded)
        ids = [truth.record.id for truth in slice_.truths]
        ids += [unread.id for unread in slice_.unread if unread.id is not None]
        unnamed = len(slice_.truths) + len(slice_.unread) - len(ids)
        # A listing that was cut, or whose cursor ended, goes on with what it has shown last.
        listed = len(set(ids) - await self._store.met(before.sweep or 0, ids)) + unnamed
        after = replace(
            before,
            cursor=slice_.next_cursor,
            listed=before.listed + listed,
            unnamed=before.unnamed + unnamed,
            total=slice_.total if slice_.total is not None else before.total,
            listing_complete=slice_.next_cursor is None,
        )
        # On disk, so that a sweep needs no memory for each row, and a restart goes on.  Differences are in the inbox
        # first: a crash in between repeats the slice, and loses nothing of it.
        await self._store.meet(before.sweep or 0, ids, note=(self._note, encoded(after)), lead=self._term.lead)
        self.state = after
        self._tell()
        return differing

    def _tell(self) -> None:
        now = self._clock()
        if not self.state.loaded and now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            listed, total = self.state.listed, self.state.total
            _log.info("Backfill goes on", listed=listed, total=total, **self._about)

    async def _gone(self, *, emptied: bool) -> int:
        """Raise deletions for what was not met, unless that is too much at once; gives how many were raised.

        ``emptied``: the database itself has said that rows are gone, so no webhook was missing.
        """
        if self.state.unnamed:
            _log.warning("Records without a key that can be read: no other one counts as gone", **self._about)
            return 0
        unmet = await self._unmet(None)
        held = self._is_too_much(unmet) and not self.state.confirmed
        if held or self.state.vanished:
            await self._save(replace(self.state, vanished=unmet.count if held else 0))
        if held:
            _log.error(
                "Too many records are gone at once: their deletions wait for an operator",
                records=unmet.count,
                copies=unmet.copied,
                hint="reconcile with --source, --table, --sweep and --confirm, when they are really gone",
                **self._about,
            )
            return 0
        count = 0
        while unmet.records:
            count += await self._findings.gone(self._table, unmet.records, "sweep", announced=emptied)
            unmet = await self._unmet(unmet.records[-1].id)
        return count

    def _is_too_much(self, unmet: Unmet) -> bool:
        if unmet.count > 1 and self.state.listed == 0:
            return True  # an empty answer is more often a mistake than an emptied table
        return unmet.count > max(self._config.vanished_min, self._config.vanished_share * unmet.copied)

    async def _unmet(self, after: str | None) -> Unmet:
        return await self._store.unmet(self._source, self._table, self.state.sweep or 0, after=after, limit=GONE_BATCH)

    async def _end(self) -> None:
        first, ended = not self.state.loaded, self.state.sweep
        await self._save(
            replace(
                self.state,
                sweep=None,
                cursor=None,
                completed_at=self.state.began_at,
                loaded=True,
                confirmed=False,
            )
        )
        await forget(self._store, only=ended or 0)
        if first:
            _log.info("Backfill complete", listed=self.state.listed, **self._about)
