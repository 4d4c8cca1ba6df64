"""What the process measures while it works: histograms and refusals, kept by prometheus-client.

Invariants: one registry a service, nothing global; no label takes more values than are written here or in the table of
answers, never a table's or a record's name; whatever is observed for each webhook or change is bound to its label
beforehand.  An observation costs 0.9 µs.

What the store counts durably is not counted here a second time: ``web/metrics`` reads it when it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from hookbridge.model import SOURCES, Settlement, SourceName

ACK_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""pg_net hangs up after 1 to 5 s."""

PROCESSING_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Two retries take 6 s."""

COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""A disk that flushes takes 0.5 to 20 ms; beyond that it, or somebody else on it, is what acks wait for."""

ATTEMPTS = (1, 2, 3, 5, 10)
LAG_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NUMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class SourceMeters(NamedTuple):
    """What is observed of one source."""

    ack: Histogram
    processing: Histogram
    attempts: Histogram
    events: Histogram
    batch: Histogram


class Meters:
    """What is observed of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def histogram(name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"hookbridge_{name}", meaning, ("source",), registry=self.registry, buckets=buckets)

        ack = histogram("ack_seconds", "From a complete webhook to the moment when its events are on disk", ACK_SECONDS)
        processing = histogram(
            "processing_seconds", "Of one change, from its first attempt to its settlement", PROCESSING_SECONDS
        )
        attempts = histogram("change_attempts", "Attempts that one change took", ATTEMPTS)
        events = histogram("change_events", "Events that were settled as one change", NUMBERS)
        batch = histogram("read_records", "Records that one read of the source asked for", NUMBERS)
        self.of: Mapping[SourceName, SourceMeters] = {
            name: SourceMeters(*(one.labels(name) for one in (ack, processing, attempts, events, batch)))
            for name in SOURCES
        }
        self.loop_lag = Histogram(
            "hookbridge_loop_lag_seconds",
            "How late the event loop was, looked at four times a second",
            registry=self.registry,
            buckets=LAG_SECONDS,
        )
        self._commit_seconds = Histogram(
            "hookbridge_store_commit_seconds",
            "Of one group of writes, from its hand-over to the store until it is on disk",
            registry=self.registry,
            buckets=COMMIT_SECONDS,
        )
        self._commit_jobs = Histogram(
            "hookbridge_store_commit_jobs",
            "Writes that shared one transaction: appends, settlements, claims and others",
            registry=self.registry,
            buckets=NUMBERS,
        )
        self._refused = Counter(
            "hookbridge_requests_refused",
            "Requests that were answered with an error, by its code",
            ("endpoint", "reason"),
            registry=self.registry,
        )

    def settled(self, settlement: Settlement) -> None:
        """Take note of a change that ended."""
        meters = self.of[settlement.claim.record.source]
        meters.processing.observe(settlement.duration)
        meters.attempts.observe(settlement.attempts)
        meters.events.observe(settlement.claim.open_events)

    def committed(self, jobs: int, seconds: float) -> None:
        """Take note of a group of writes."""
        self._commit_seconds.observe(seconds)
        self._commit_jobs.observe(jobs)

    def refused(self, endpoint: str, reason: str) -> None:
        """Take note of a request that was answered with an error; ``reason`` is the answer's code."""
        self._refused.labels(endpoint, reason).inc()
