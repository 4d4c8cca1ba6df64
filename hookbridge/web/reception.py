"""What is done with a webhook, whichever way it came: authenticate, decode, store, and then the ack.

Invariant: an ack is made of receipts, so never before the events are on disk.  Nothing is decided here: what a body is,
``pipeline/receive`` says; whether it may come in, ``pipeline/append``; what is raised becomes an answer in ``replies``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from hookbridge.model import Receipt, SourceName
from hookbridge.naming import Naming
from hookbridge.observe.metrics import Meters
from hookbridge.pipeline.append import Intake
from hookbridge.pipeline.headers import kept
from hookbridge.pipeline.receive import receive
from hookbridge.sources.source import Delivery, Handshake, Source
from hookbridge.web.acks import Ack, ack_of

if TYPE_CHECKING:
    from hookbridge.observe.spans import Traces  # imports OpenTelemetry's SDK

WEBHOOKS: Mapping[str, SourceName] = {
    "/api/v1/webhooks/supabase": "supabase",
    "/api/v1/webhooks/notion": "notion",
}
"""The endpoints of the sources."""


class Reception:
    """The endpoint of one source."""

    def __init__(self, source: Source, intake: Intake, naming: Naming, meters: Meters, traces: Traces | None) -> None:
        self._source = source
        self._intake = intake
        self._naming = naming
        self._observe = meters.of[source.name].ack.observe
        self._traces = traces

    def take(self, headers: Mapping[str, str], body: bytes) -> UnderWay | Handshake:
        """Begin to store a webhook that is here completely.

        Raises what ``receive`` and ``Intake.submit`` raise; then nothing of it is stored.
        """
        now, began = time.time(), time.perf_counter()
        received = receive(self._source, headers, body, now)
        if isinstance(received, Handshake):
            return received
        stored = self._intake.submit(received.events, kept(headers))
        self._naming.changed(self._source.name, received.changed_tables)
        return UnderWay(self, stored, received, headers, now, began)

    def acknowledge(self, taken: UnderWay) -> Ack:
        """Give the ack of what ``stored`` says is done, and take note of it.  Raises as ``Intake.receipts``."""
        receipts = self._intake.receipts(taken.stored)
        seconds = time.perf_counter() - taken.began
        self._observe(seconds)
        if self._traces is not None:
            self._traces.received(self._source.name, taken.headers, receipts, seconds)
        return ack_of(taken.delivery.details, receipts, taken.now)


class UnderWay(msgspec.Struct, frozen=True, eq=False):
    """A webhook on its way to the disk."""

    reception: Reception
    stored: asyncio.Future[tuple[Receipt, ...]]
    """Done when it is there, or when it cannot be."""
    delivery: Delivery
    headers: Mapping[str, str]
    now: float
    """Epoch seconds."""
    began: float
    """When it was complete, by ``time.perf_counter``."""

    def ack(self) -> Ack:
        """Give its ack once ``stored`` is done; to be called once.  Raises TryLater when it could not be stored."""
        return self.reception.acknowledge(self)


def receptions(
    sources: Mapping[SourceName, Source], intake: Intake, naming: Naming, meters: Meters, traces: Traces | None
) -> dict[SourceName, Reception]:
    """Make the reception of each source."""
    return {name: Reception(source, intake, naming, meters, traces) for name, source in sources.items()}
