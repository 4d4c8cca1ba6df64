"""The way of an event as one trace, by OpenTelemetry: receive → process → its steps → settle.

A sender's ``traceparent`` is the parent of *receive*; *receive* is that of the change which the event becomes part of.
What else became part of the same change is linked.  Invariants: nothing global is set; between the two an event's
context is kept in memory, for a bounded number of events, so after a restart its change begins a new trace; no span
holds an error's words or anything of a body, both of which may hold secrets.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hookbridge.errors import HandlerFailed
from hookbridge.model import Claim, Outcome, Receipt, Settled, Settlement, SourceName

KNOWN_MAX = 10_000
"""So many events that wait have their context kept; about 5 MB."""

LAST_EXPORT_SECONDS = 3.0
"""A collector that does not answer delays the end of the process by no more."""

NANOSECONDS = 1_000_000_000

_W3C = TraceContextTextMapPropagator()


class _Run(NamedTuple):
    """One change that is under way in this task."""

    span: Span
    began: int


_run: ContextVar[_Run] = ContextVar("hookbridge_run")


class Traces:
    """The spans of one service."""

    def __init__(self, processor: SpanProcessor, exporter: SpanExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("hookbridge", version("hookbridge"))
        self._known: OrderedDict[int, SpanContext] = OrderedDict()

    def received(
        self, source: SourceName, headers: Mapping[str, str], receipts: Sequence[Receipt], seconds: float
    ) -> None:
        """Take note of a webhook that is on disk now, so many seconds after it was complete."""
        now = time.time_ns()
        span = self._tracer.start_span(
            "receive",
            context=_W3C.extract(headers, Context()),
            kind=SpanKind.SERVER,
            start_time=now - int(seconds * NANOSECONDS),
            attributes={
                "hookbridge.source": source,
                "hookbridge.events": [receipt.event_id for receipt in receipts],
                "hookbridge.duplicates": sum(receipt.duplicate for receipt in receipts),
            },
        )
        span.end(now)
        for receipt in receipts:
            self._known.setdefault(receipt.event_id, span.get_span_context())
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    @contextmanager
    def change(self, claim: Claim) -> Iterator[None]:
        """Around the processing of a change."""
        arrivals = [self._known[event.id] for event in claim.events if event.id in self._known]
        parent = set_span_in_context(NonRecordingSpan(arrivals[-1]), Context()) if arrivals else Context()
        began = time.time_ns()
        with self._tracer.start_as_current_span(
            "process",
            context=parent,
            kind=SpanKind.CONSUMER,
            links=[Link(event) for event in arrivals[:-1]],
            start_time=began,
            attributes={
                "hookbridge.source": claim.record.source,
                "hookbridge.record": str(claim.record),
                "hookbridge.events": [event.id for event in claim.events],
                "hookbridge.origin": claim.events[-1].event.origin,
                # Until it is settled: a lane that stops gives its changes back.
                "hookbridge.outcome": "given back",
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            token = _run.set(_Run(span, began))
            try:
                yield
            finally:
                _run.reset(token)

    @contextmanager
    def step(self, name: str, attempt: int) -> Iterator[None]:
        """Around one step of the change in this task."""
        with self._tracer.start_as_current_span(
            name, attributes={"hookbridge.attempt": attempt}, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except Exception as error:
                raised = error.__cause__ if isinstance(error, HandlerFailed) else error
                span.set_attribute("error.type", type(raised).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise

    def settled(self, settlement: Settlement, met: Settled) -> None:
        """Take note of how the change in this task ended."""
        run = _run.get()
        # The change's duration ends where its settlement begins.
        begun = run.began + int(settlement.duration * NANOSECONDS)
        self._tracer.start_span("settle", start_time=begun).end()
        fenced = met is Settled.FENCED
        run.span.set_attribute("hookbridge.outcome", "fenced" if fenced else settlement.outcome.value)
        run.span.set_attribute("hookbridge.attempts", settlement.attempts)
        if settlement.effects.verification is not None:
            run.span.set_attribute("hookbridge.verification", settlement.effects.verification.value)
        if settlement.outcome is Outcome.DEAD:
            run.span.set_status(StatusCode.ERROR)
        if not fenced:
            for one in settlement.claim.events:
                self._known.pop(one.id, None)

    async def close(self) -> None:
        """Send what is left, if the collector takes it now."""
        closing = asyncio.create_task(asyncio.to_thread(self._provider.shutdown), name="traces-close")
        done, _ = await asyncio.wait({closing}, timeout=LAST_EXPORT_SECONDS)
        if not done:
            self._exporter.shutdown()  # ends the retries of the export that is under way
            await closing


def exporting(environ: Mapping[str, str]) -> Traces:
    """Make traces that go where the standard variables say, in batches by a thread of the SDK's."""
    exporter = OTLPSpanExporter()
    return Traces(BatchSpanProcessor(exporter), exporter, resource(environ))


def resource(environ: Mapping[str, str]) -> Resource:
    """Say who we are; the name can be another one by the standard variables."""
    found = {"service.version": version("hookbridge")}
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        found["service.name"] = "hookbridge"
    return Resource.create(found)
