"""The express way of a webhook: from the parser to the inbox and back to the socket, without aiohttp's layers between.

A request object, a task, a route lookup, a middleware and a response cost several times what hookbridge itself does for
a webhook (docs/benchmarks.md).  What nearly every webhook is, complete in one read and in order, needs none of them.
Invariants: only what would be answered 202 takes this way, everything else goes the ordinary one, untouched; an answer
is written when its events are on disk, and never before.  What a webhook is, and whether it may come in, is decided by
the same functions as there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import structlog
from aiohttp import HttpVersion11
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from hookbridge.model import Receipt, SourceName
from hookbridge.observe.metrics import Meters
from hookbridge.observe.rejections import Rejections
from hookbridge.pipeline.append import Intake
from hookbridge.pipeline.headers import kept
from hookbridge.pipeline.receive import receive
from hookbridge.sources.source import Delivery, Source
from hookbridge.web.acks import accepted_wire, refused_wire
from hookbridge.web.replies import INTERNAL, row_of

if TYPE_CHECKING:
    from hookbridge.observe.spans import Traces  # imports OpenTelemetry's SDK

Answer = Callable[[bytes], None]

log = structlog.get_logger("hookbridge.web")


class Express:
    """What all connections share."""

    def __init__(
        self,
        intake: Intake,
        paths: Mapping[str, SourceName],
        sources: Mapping[SourceName, Source],
        limit_bytes: int,
        meters: Meters,
        rejections: Rejections,
        traces: Traces | None,
        admits: Callable[[str], bool] | None,
    ) -> None:
        """``paths`` are the endpoints; ``limit_bytes`` is the largest body; ``admits`` decides about ``Host``."""
        self._admits = admits
        self._intake = intake
        self._meters = meters
        self._rejections = rejections
        self._traces = traces
        self._sources = {path: (sources[name], meters.of[name].ack.observe) for path, name in paths.items()}
        self._limit_bytes = limit_bytes

    def take(self, message: RawRequestMessage, body: bytes, answer: Answer) -> bool:
        """Store a webhook, and call ``answer`` with the wire's bytes when that is done; False leaves it untouched."""
        known = self._sources.get(message.path)
        if known is None or len(body) > self._limit_bytes:
            return False
        source, observe = known
        headers = message.headers
        if headers.get("Content-Type") != "application/json" or "Content-Encoding" in headers:
            return False
        if self._admits is not None and not self._admits(headers.get("Host", "")):
            return False
        now, began = time.time(), time.perf_counter()
        try:
            received = receive(source, headers, body, now)
            if not isinstance(received, Delivery):
                return False
            stored = self._intake.submit(received.events, kept(headers))
        except Exception:  # noqa: BLE001  the ordinary way meets it again, and says or logs what it is
            return False

        def done(future: asyncio.Future[tuple[Receipt, ...]]) -> None:
            error = future.exception()
            if error is None:
                answer(accepted_wire(received.details, future.result(), now))
                seconds = time.perf_counter() - began
                observe(seconds)
                if self._traces is not None:
                    self._traces.received(source.name, headers, future.result(), seconds)
            else:
                answer(self._refuse(error, source.name, message.path, len(body)))

        stored.add_done_callback(done)
        return True

    def _refuse(self, error: BaseException, source: SourceName, path: str, length: int) -> bytes:
        refusal = self._intake.refusal(error)
        row = row_of(type(refusal))
        if row is INTERNAL:
            log.error("Request failed", method="POST", path=path, exc_info=error)
        self._meters.refused(source, row.code)
        # Who sent it is not known here; it was a signed webhook, and a full inbox is nobody's in particular.
        self._rejections.note(path, row.status, row.code, refusal.message, peer=None, length=length, hint=refusal.hint)
        return refused_wire(refusal)


def whole_body(message: RawRequestMessage, payload: StreamReader) -> bytes | None:
    """Look at the body of a request that can go express; None for any other one.

    It stays where it is: aiohttp's own way of reading would take it from the ordinary handler.
    """
    if message.method != "POST" or message.version != HttpVersion11 or message.should_close or message.upgrade:
        return None
    if payload is EMPTY_PAYLOAD or not payload.is_eof():
        return None
    chunks = payload._buffer  # noqa: SLF001  there is no public way to look without taking
    return chunks[0] if len(chunks) == 1 and "Expect" not in message.headers else None
