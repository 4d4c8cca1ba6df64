"""The task that takes changes from the outbox at Supabase: take, store, and only then say done.

Invariants: a message is done when its events are on disk, or when the sweep that it asks for is asked for durably; so
nothing is lost, and what a crash in between gives twice is known by its name, as a duplicate.  Messages are stored in
the order in which they are given, and none before those that were given earlier.  Nothing is taken while the inbox
takes nothing.  What no event can be made of holds nothing up: it is told as a refused webhook is, and gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import msgspec
import structlog

from hookbridge.api.pull import PullState
from hookbridge.errors import (
    HookbridgeError,
    InvalidFields,
    InvalidJson,
    LeadLost,
    Refusal,
    SourceError,
    SourceRefused,
    StoreError,
    StoreUnavailable,
    TryLater,
)
from hookbridge.model import Event
from hookbridge.observe.rejections import Rejections
from hookbridge.pipeline.append import Intake
from hookbridge.pipeline.receive import taken as events_of
from hookbridge.pulling.standing import Kept, Standing
from hookbridge.reconcile import asked
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.sources.supabase.pull import Message, Outbox, Taken, by_its_keys
from hookbridge.sources.supabase.pull.taken import OtherStore
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Lead

MESSAGES_PER_APPEND = 100
"""One transaction each; fewer where the inbox has smaller bounds."""

EVENTS_PER_MESSAGE = 2
"""At most: where a key changed, one of each record."""

STORE_SECONDS = 2.0
"""After so long a store that could not be asked is asked again."""

UNEXPECTED_SECONDS = 60.0

ENDPOINT, REFUSED_STATUS = "pull", 422
"""As what a message is told among refused webhooks that no event can be made of."""

_log = structlog.get_logger(__name__)


class Pulling:
    """Of one service: what it takes, and how that goes."""

    def __init__(
        self,
        source: SupabaseSource,
        outbox: Outbox,
        standing: Standing,
        intake: Intake,
        store: Store,
        rejections: Rejections,
        *,
        is_followed: Callable[[str], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``is_followed`` says whether a table is swept here."""
        self._source = source
        self._outbox = outbox
        self._standing = standing
        self._intake = intake
        self._store = store
        self._rejections = rejections
        self._per_append = max(1, min(MESSAGES_PER_APPEND, intake.most_at_once // EVENTS_PER_MESSAGE))
        self._tables = source.pulled
        self._is_followed = is_followed
        self._sleep = sleep
        self._lead: Lead | None = None
        self._kept: Kept | None = None
        self._swept_for = 0
        """For so many that were not kept sweeps were asked for, and not all of them may have been committed by then."""
        self._undone: Sequence[UUID] = ()
        """Stored, and not known to be removed: as long as they are leased, later changes of their records wait."""

    def state(self) -> PullState:
        """Say how it goes, as far as this node knows."""
        return self._standing.shown()

    async def run(self, lead: Lead) -> None:
        """Take until cancelled.  Raises LeadLost."""
        self._lead, self._kept, self._undone = lead, None, ()
        while True:
            await self._sleep(await self._look())

    async def _look(self) -> float:
        """Take once; gives the seconds until the next time."""
        try:
            await self._go_on()
        except LeadLost:
            raise
        except TryLater as error:
            return self._standing.failed("held", error, error.retry_after_seconds)
        except StoreUnavailable as error:
            return self._standing.failed("held", error, STORE_SECONDS)
        except SourceRefused as error:
            if isinstance(error, OtherStore):
                await self._forget_store()
            return self._standing.failed("refused", error)
        except SourceError as error:
            return self._standing.failed("down", error)
        except Exception as error:  # noqa: BLE001  it is logged as what it is, and tried again
            _log.error("Taking changes failed unexpectedly", exc_info=error)
            message = "Taking changes failed unexpectedly: the log says where"
            return self._standing.failed("down", HookbridgeError(message), UNEXPECTED_SECONDS)
        return self._standing.went_on()

    async def _go_on(self) -> None:
        await self._done(self._undone)
        self._intake.check(self._per_append)
        # A store that was restored from a backup is another one: what was taken since then it does not know of.
        store = (await self._store.feed_ends()).id
        taken = await self._outbox.take(store)
        self._standing.answered(taken)
        await self._make_good(store, taken)
        stored: list[UUID] = []
        try:
            for start in range(0, len(taken.messages), self._per_append):
                some = taken.messages[start : start + self._per_append]
                await self._store_all(some)
                stored += [message.id for message in some]
        except (TryLater, StoreUnavailable):
            await self._done(stored)
            raise
        await self._done(stored)

    async def _done(self, stored: Sequence[UUID]) -> None:
        if stored:
            self._undone = stored
            await self._outbox.done(stored)
            self._undone = ()
            self._standing.took(len(stored))

    # What was not kept

    async def _make_good(self, store: str, taken: Taken) -> None:
        """Have everything swept where changes were not kept for us: at once, and then once a minute while more are not.

        And once more when all of them are committed.  What is put off is not noted, so that it is not forgotten: the
        last sweep begins after the last loss was seen, and could be seen by it.
        """
        if self._kept is None:
            note = await self._store.note(note_names.PULL)
            self._kept = None if note is None else msgspec.json.decode(note, type=Kept)
        before, now = self._kept, Kept(store=store, overflowed=taken.overflowed)
        if before == now:
            return
        if taken.overflowed and (before is None or taken.overflowed != before.overflowed):
            again = taken.overflowed == self._swept_for
            if again and taken.overflowing:
                return
            if before is not None and before.store == store and not self._standing.may_ask_for_sweeps():
                return
            if again:
                _log.warning("What was not kept is committed by now: every pulled table is swept again")
            else:
                _log.error(
                    "The outbox at Supabase was full: changes were not kept, and every pulled table is swept for them",
                    changes=taken.overflowed,
                    tables=self._tables,
                )
            await self._sweep_all()
            self._standing.asked_for_sweeps()
            self._swept_for = taken.overflowed
            if taken.overflowing:
                now = Kept(store=store, overflowed=0 if before is None else before.overflowed)
        elif before is not None and before.store != store:
            _log.warning("Another store has taken changes before: every pulled table is swept", tables=self._tables)
            await self._sweep_all()
        await self._keep(now)

    async def _sweep_all(self) -> None:
        for table in self._tables:
            await asked.ask(self._store, "supabase", table, confirmed=False, lead=self._lead)

    async def _forget_store(self) -> None:
        """Note that others take by now: if this store comes to it again, something is missing to it."""
        try:
            await self._keep(Kept(overflowed=0 if self._kept is None else self._kept.overflowed))
        except LeadLost:
            raise
        except StoreUnavailable as error:
            _log.warning("It is not noted that another store takes changes", error=error.message)

    async def _keep(self, now: Kept) -> None:
        if now != self._kept:
            await self._store.put_note(note_names.PULL, msgspec.json.encode(now).decode(), lead=self._lead)
            self._kept = now

    # What was kept

    async def _store_all(self, messages: Sequence[Message]) -> None:
        """Store the events of some messages, in their order.  Raises TryLater, StoreUnavailable."""
        events: list[tuple[Message, tuple[Event, ...]]] = []
        for message in messages:
            body = bytes(message.message)
            if (table := self._source.emptied_table(body)) is not None:
                await self._emptied(table)
                continue
            try:
                events.append((message, self._events_of(message.name, body)))
            except Refusal as error:
                self._refuse(message, error)
        try:
            await self._accept([event for _, some in events for event in some])
        except (InvalidFields, StoreError) as error:
            if isinstance(error, StoreUnavailable):
                raise
            for message, some in events:  # one of them has no form on disk, and would take the others with it
                await self._store_one(message, some)

    def _events_of(self, name: str, body: bytes) -> tuple[Event, ...]:
        """Make events of a message; of what cannot be decoded, by its keys: the row is read.  Raises Refusal."""
        try:
            return events_of(self._source, name, body)
        except InvalidJson as error:
            try:
                return events_of(self._source, name, by_its_keys(body))
            except ValueError:
                raise error from None

    async def _store_one(self, message: Message, events: Sequence[Event]) -> None:
        try:
            await self._accept(events)
        except (InvalidFields, StoreError) as error:
            if isinstance(error, StoreUnavailable):
                raise
            self._refuse(message, error)

    async def _accept(self, events: Sequence[Event]) -> None:
        if events:
            await self._intake.accept(tuple(events))

    async def _emptied(self, table: str) -> None:
        """Have a table swept that was emptied: a TRUNCATE names no row."""
        if self._is_followed(table):
            await asked.ask(self._store, "supabase", table, confirmed=True, lead=self._lead)
            _log.info("A table was emptied, and is swept", source="supabase", table=table)
        else:
            hint = "list it in [[supabase.tables]], with credentials and [reconcile] enabled; then verify --heal"
            _log.warning("A table was emptied that is not followed: its copies stay", table=table, hint=hint)

    def _refuse(self, message: Message, error: HookbridgeError) -> None:
        self._standing.refused += 1
        self._rejections.note(
            ENDPOINT, REFUSED_STATUS, "no_event", str(error), peer=None, length=len(bytes(message.message))
        )
