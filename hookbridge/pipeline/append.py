"""Admission: what is decoded goes into the inbox, or is refused whole.

Invariant: a receipt means fsynced; a TryLater means that nothing of the request is stored.  It bounds the appends in
flight by number and by size, the open events and the use of the disk, and it wakes the lane whose records became dirty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookbridge.clock import Clock
from hookbridge.config import ServerConfig, StoreConfig
from hookbridge.errors import FieldProblem, InvalidFields, NameTooLong, StoreUnavailable, TryLater
from hookbridge.model import Event, Receipt, SourceName
from hookbridge.store.contract import Store

IN_FLIGHT_BYTES_MAX = 64 * 1024 * 1024
"""Bodies that wait for the disk at once; a single request may have more."""

TOO_LONG = FieldProblem(
    ("body",), "expected a record's id that is not too long for an index (2,700 bytes on Postgres)", "value_error"
)
"""A name that the other engine takes: how long one may be, Postgres says of it compressed."""

_FULL_RETRY_SECONDS = 30
_BUSY_RETRY_SECONDS = 1
_STOPPING_RETRY_SECONDS = 5


class Intake:
    """The one way into the inbox."""

    def __init__(
        self, store: Store, server: ServerConfig, limits: StoreConfig, wake: Callable[[SourceName], None], clock: Clock
    ) -> None:
        self._store = store
        self._clock = clock
        self._in_flight_max = server.max_appends_in_flight
        self._open_max = limits.max_open_events
        self._wake = wake
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._stopping = False
        self.disk_is_low = False

    @property
    def most_at_once(self) -> int:
        """So many events of one request fit when nothing else is there."""
        return min(self._in_flight_max, self._open_max)

    async def accept(self, events: tuple[Event, ...], headers: bytes | None = None) -> tuple[Receipt, ...]:
        """Store the events of one request durably, with its masked headers, and give their receipts.

        Raises TryLater at a limit, while stopping, or when the store cannot write; InvalidFields as ``receipts``.
        """
        stored = self.submit(events, headers)
        # A caller that is cancelled cancels nothing: what is stored has to wake its lane.
        await asyncio.wait((stored,))
        return self.receipts(stored)

    def submit(self, events: tuple[Event, ...], headers: bytes | None = None) -> asyncio.Future[tuple[Receipt, ...]]:
        """Begin to store the events of one request; the future has their receipts when they are on disk.

        Raises TryLater at a limit or while stopping.  What has become of them is in ``receipts``.
        """
        number, source = len(events), events[0].record.source
        size = sum([len(one.body) for one in events])
        self.check(number)
        # One request alone may weigh more than all that may be in flight: it would else be refused for ever.
        if self._in_flight + number > self._in_flight_max or (
            self._in_flight and self._in_flight_bytes + size > IN_FLIGHT_BYTES_MAX
        ):
            message = "Too many requests are waiting to be stored"
            raise TryLater(message, retry_after_seconds=_BUSY_RETRY_SECONDS)
        stored = self._store.append(events, self._clock(), headers)
        self._in_flight += number
        self._in_flight_bytes += size

        def done(future: asyncio.Future[tuple[Receipt, ...]]) -> None:
            self._in_flight -= number
            self._in_flight_bytes -= size
            if not future.cancelled() and future.exception() is None:
                self._wake(source)

        stored.add_done_callback(done)
        return stored

    def receipts(self, stored: asyncio.Future[tuple[Receipt, ...]]) -> tuple[Receipt, ...]:
        """Give the receipts of what ``submit`` has begun and is done.

        Raises TryLater when the store cannot write, InvalidFields for a record's name that is too long for it, and
        StoreError when it cannot hold them for a reason of its own.
        """
        try:
            return stored.result()
        except StoreUnavailable as error:
            message = "The event could not be stored"
            raise TryLater(message, retry_after_seconds=_FULL_RETRY_SECONDS, reason=error.message) from error
        except NameTooLong as error:
            raise InvalidFields([TOO_LONG]) from error

    def check(self, number: int) -> None:
        """Raise TryLater when so many more open events cannot be taken: at the cap, on a full disk, while stopping."""
        if self._stopping:
            message = "The service is stopping"
            raise TryLater(message, retry_after_seconds=_STOPPING_RETRY_SECONDS)
        if self.disk_is_low:
            message = "The disk is nearly full"
            raise TryLater(message, retry_after_seconds=_FULL_RETRY_SECONDS)
        if self._store.open_events + self._in_flight + number > self._open_max:
            message = "The inbox is full"
            raise TryLater(message, retry_after_seconds=_FULL_RETRY_SECONDS)

    def stop(self) -> None:
        """Refuse whatever comes from now on."""
        self._stopping = True
