"""``/metrics``: the text that Prometheus reads, made when it asks.

Invariants: what the store counts durably comes from its totals, so that a restart loses none of it and no number is
counted twice; while the disk cannot be written, what would have to be read from it is left out, and everything else is
still told.  Where several nodes share a store, what is the store's is told by one of them, and what is a node's own has
its name as a label.  It counts nothing itself: what is observed while the process works is in ``observe/metrics``.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from itertools import chain, product
from typing import TypeVar, cast, get_args

import msgspec
from aiohttp import web
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from hookbridge.api.alerts import AlertsState
from hookbridge.api.cluster import ClusterState
from hookbridge.api.destinations import DestinationState
from hookbridge.api.destinations import State as DestinationWord
from hookbridge.api.health import Readiness
from hookbridge.api.lanes import LaneState
from hookbridge.api.lanes import State as LaneWord
from hookbridge.api.pull import PullState
from hookbridge.api.pull import State as PullWord
from hookbridge.api.reconcile import State as TableState
from hookbridge.api.stats import Freshness, WebhookLoss
from hookbridge.books import webhook_loss
from hookbridge.cluster import UPKEEP, reconciling
from hookbridge.errors import StoreUnavailable
from hookbridge.model import SOURCES, Origin, Outcome, SourceName, Verification
from hookbridge.observe.output import dropped
from hookbridge.reconcile.status import freshness
from hookbridge.service import Service
from hookbridge.store.values import Totals
from hookbridge.web.keys import SERVICE
from hookbridge.web.route import Answer, Route

Samples = Iterable[tuple[tuple[str, ...], float | None]]
"""Label values with their number; None where there is none to tell."""

SOURCE = ("source",)
TABLE = ("source", "table")
DESTINATION = ("destination",)

Family = TypeVar("Family", CounterMetricFamily, GaugeMetricFamily)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What a scrape tells of the service, as of one moment."""

    totals: Totals | None
    """None while the store cannot be asked."""
    readiness: Readiness
    dirty: Mapping[SourceName, int] | None
    """None while the inbox cannot be written."""
    open_events_limit: int
    stuck_workers: Mapping[str, int]
    budget_waited_seconds: float
    budget_halted_seconds: float
    now: float
    cluster: ClusterState | None
    """None where there are no other nodes."""

    @property
    def _leads(self) -> frozenset[str] | None:
        if self.cluster is None:
            return None
        return frozenset(one.duty for one in self.cluster.leases if one.node == self.cluster.node)

    @property
    def tells_store(self) -> bool:
        """Whether the store's own figures are told here."""
        return self._leads is None or UPKEEP in self._leads

    def tells_tables(self, source: SourceName) -> bool:
        """Whether it is told here how following the tables of a source goes."""
        return self._leads is None or reconciling(source) in self._leads


async def metrics(request: web.Request) -> web.StreamResponse:
    """Give all figures in Prometheus' text format."""
    service = request.app[SERVICE]
    body = generate_latest(Exposition(service, await snapshot(service)))
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4, "Cache-Control": "no-store"})


async def snapshot(service: Service) -> Snapshot:
    """Ask the service for everything that can be asked now."""
    readiness = await service.readiness()
    dirty = None
    with suppress(StoreUnavailable):  # a damaged page shows where it is read
        dirty = await service.store.dirty_records() if readiness.inbox_writable else None
    budget = service.notion_budget
    return Snapshot(
        totals=await service.totals(),
        readiness=readiness,
        dirty=dirty,
        open_events_limit=service.settings.config.store.max_open_events,
        stuck_workers=service.stuck_workers(),
        budget_waited_seconds=budget.waited_seconds,
        budget_halted_seconds=budget.halted_seconds,
        now=service.now(),
        cluster=service.neighbours.state(),
    )


class Exposition(Collector):
    """One scrape, for prometheus-client: the snapshot's families, then the observed ones."""

    def __init__(self, service: Service, seen: Snapshot) -> None:
        self._registry = service.meters.registry
        self._seen = seen

    def collect(self) -> Iterator[Metric]:
        """Give all families."""
        seen = self._seen
        if seen.tells_store and seen.totals is not None:
            yield from _events(seen, seen.totals)
            yield from _changes(seen.totals)
        if seen.tells_store:
            yield from _destinations(seen.readiness.destinations)
            yield from _pull(seen.readiness.pull)
            yield from _alerts(seen.readiness.alerts)
        yield from _tables(seen)
        for metric in chain(_sources(seen), _service(seen), self._observed()):
            yield metric if seen.cluster is None else _of_node(metric, seen.cluster.node)
        if seen.cluster is not None:
            yield from _cluster(seen.cluster)

    def _observed(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            # Nobody asks when a histogram was made, and it would double the number of names.
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


def _of_node(metric: Metric, node: str) -> Metric:
    metric.samples = [sample._replace(labels={**sample.labels, "node": node}) for sample in metric.samples]
    return metric


def _events(seen: Snapshot, totals: Totals) -> Iterator[Metric]:
    books = totals.books
    stored = "Events that were stored, duplicates not among them"
    origins = product(SOURCES, get_args(Origin))
    received = ((one, totals.by_origin.get(":".join(one), 0)) for one in origins)
    yield _counters("events_received", stored, ("source", "origin"), received)
    ended = "Events that ended; a dead letter that was opened again counts each time"
    outcomes = product(SOURCES, (outcome.value for outcome in Outcome))
    settled = ((one, totals.by_outcome.get(":".join(one), 0)) for one in outcomes)
    yield _counters("events_settled", ended, ("source", "outcome"), settled)
    yield _counter("duplicates", "Events that were known already", totals.duplicates)
    yield _gauge("open_events", "Events that are stored and not settled", books.open)
    yield _gauge("open_events_limit", "From so many open events on, more are refused", seen.open_events_limit)
    waits = "How long the record has waited that waits longest; 0 while none does"
    age = None if seen.dirty is None else max(seen.readiness.oldest_open_seconds or 0.0, 0.0)
    yield _gauge("oldest_open_event_age_seconds", waits, age)
    dirty = () if seen.dirty is None else [((name,), seen.dirty.get(name, 0)) for name in SOURCES]
    yield _gauges("dirty_records", "Records with open events", SOURCE, dirty)
    yield _gauge("dead_letters", "Events whose attempts ran out, kept for replay", books.dead)
    balanced = "Whether received = open + applied + coalesced + ignored + dead"
    yield _gauge("books_balanced", balanced, books.balanced())


def _changes(totals: Totals) -> Iterator[Metric]:
    yield _counter("retries", "Attempts after the first one of a change", totals.retries)
    said = (((one.value,), totals.by_verification.get(one.value, 0)) for one in Verification)
    yield _counters("verifications", "What reading the source said about changes", ("result",), said)


def _sources(seen: Snapshot) -> Iterator[Metric]:
    lanes = seen.readiness.lanes

    def of_each(name: str, meaning: str, figure: Callable[[LaneState], float | None]) -> GaugeMetricFamily:
        return _gauges(name, meaning, SOURCE, (((lane.source,), figure(lane)) for lane in lanes))

    up = "0 while the source cannot be reached or refuses the key; absent where this node does not ask it"
    yield of_each("source_up", up, _is_up)
    states = (((lane.source, one), lane.state == one) for lane in lanes for one in get_args(LaneWord))
    yield _gauges("lane_state", "1 for the state that the source's lane is in", ("source", "state"), states)
    yield of_each("waiting_tables", "Tables that cannot be read now, while others can", lambda one: len(one.waiting))
    yield of_each("queue_depth", "Claimed records that wait for a worker", lambda one: one.queued)
    yield of_each("busy_workers", "Workers that have a record", lambda one: one.busy)
    waited = "How long requests to Notion have waited for the budget, all together"
    yield _counter("notion_budget_wait_seconds", waited, seen.budget_waited_seconds)
    halted = "For how long nothing goes to Notion, because it asked for that"
    yield _gauge("notion_budget_halted_seconds", halted, seen.budget_halted_seconds)


def _is_up(lane: LaneState) -> bool | None:
    return lane.state not in {"down", "refused"} if lane.has_credentials and lane.state != "standby" else None


def _tables(seen: Snapshot) -> Iterator[Metric]:
    # The labels are as many as the configuration lists tables.
    tables = {(one.source, one.table): one for one in seen.readiness.tables if seen.tells_tables(one.source)}
    fresh = {name: freshness(one, seen.now) for name, one in tables.items()}

    def of_each(name: str, meaning: str, figure: Callable[[Freshness], float | None]) -> GaugeMetricFamily:
        return _gauges(name, meaning, TABLE, ((table, figure(one)) for table, one in fresh.items()))

    lag = "From the source's time of the newest change to its application"
    yield of_each("poll_lag_seconds", lag, lambda one: one.lag_seconds)
    yield of_each("poll_age_seconds", "Since the last complete poll began", lambda one: one.poll_age_seconds)
    yield of_each("sweep_age_seconds", "Since the last complete sweep began", lambda one: one.sweep_age_seconds)
    gaps = ((name, table.poll_gap_seconds) for name, table in tables.items())
    yield _gauges("poll_gap_seconds", "The gap to the next poll as it is now", TABLE, gaps)
    states = (((*name, one), table.state == one) for name, table in tables.items() for one in get_args(TableState))
    yield _gauges("table_state", "1 for the state that following the table is in", (*TABLE, "state"), states)
    if seen.totals is None:
        return
    # Zero from the beginning, so that the first loss shows as a rise.
    loss = dict.fromkeys(tables, WebhookLoss(announced=0, missed=0, share=0.0))
    counted = {_source_and_table(name): one for name, one in webhook_loss(seen.totals).items()}
    loss |= {name: one for name, one in counted.items() if seen.tells_tables(name[0])}
    announced, missed = "Changes that a webhook announced", "Changes that only the reconciler found"
    yield _counters("changes_announced", announced, TABLE, ((name, one.announced) for name, one in loss.items()))
    yield _counters("changes_missed", missed, TABLE, ((name, one.missed) for name, one in loss.items()))
    shares = ((name, one.share) for name, one in loss.items())
    yield _gauges("webhook_loss_ratio", "Missed of all changes", TABLE, shares)


def _destinations(destinations: Iterable[DestinationState]) -> Iterator[Metric]:
    known = {(one.name,): one for one in destinations}
    taken = "Changes that a destination has taken"
    yield _counters("destination_delivered", taken, DESTINATION, ((name, one.delivered) for name, one in known.items()))
    rejected = ((name, one.rejected) for name, one in known.items())
    yield _gauges("destination_rejected", "Changes that it rejected, and has not taken since", DESTINATION, rejected)
    states = (((*name, one), to.state == one) for name, to in known.items() for one in get_args(DestinationWord))
    yield _gauges("destination_state", "1 for the state that it is in", (*DESTINATION, "state"), states)
    behind = ((name, one.changes_behind) for name, one in known.items())
    yield _gauges("destination_changes_behind", "Changes since the last one that it has taken", DESTINATION, behind)
    waited = ((name, one.behind_seconds) for name, one in known.items())
    yield _gauges("destination_behind_seconds", "For how long changes have waited for it", DESTINATION, waited)


def _pull(pull: PullState | None) -> Iterator[Metric]:
    states = () if pull is None else (((one,), pull.state == one) for one in get_args(PullWord))
    meaning = "1 for the state that taking changes from Supabase's outbox is in; absent where no table is pulled"
    yield _gauges("pull_state", meaning, ("state",), states)
    waiting = None if pull is None else pull.waiting
    yield _gauges("pull_waiting", "Changes that wait in Supabase's outbox", (), [((), waiting)])
    oldest = None if pull is None or pull.waiting is None else pull.oldest_seconds or 0.0
    yield _gauges("pull_oldest_seconds", "For how long the oldest of them has waited", (), [((), oldest)])
    kept = "Changes that the outbox did not keep, because it was full; the tables were swept for them"
    yield _counters("pull_overflowed", kept, (), [((), None if pull is None else pull.overflowed)])
    refused = "Messages of the outbox that no event could be made of"
    yield _counters("pull_refused", refused, (), [((), None if pull is None else pull.refused)])


def _alerts(alerts: AlertsState | msgspec.UnsetType) -> Iterator[Metric]:
    known = alerts or None
    sent = "Alerts to people that were taken"
    yield _counters("alerts_sent", sent, (), [] if known is None else [((), known.sent)])
    unhealthy = "Whether people were told that it is not healthy"
    yield _gauge("alerts_unhealthy", unhealthy, None if known is None else known.told == "unhealthy")
    failed = "How often the alert that waits was not taken"
    yield _gauge("alert_failures", failed, None if known is None else known.failures)


def _service(seen: Snapshot) -> Iterator[Metric]:
    ready = seen.readiness
    stuck = "Workers that wait for a handler which does not end, although its time is up and it was cancelled"
    numbers = (((name,), number) for name, number in seen.stuck_workers.items())
    yield _gauges("stuck_workers", stuck, ("handler",), numbers)
    yield _gauge("ready", "Whether webhooks can be taken", ready.ready)
    yield _gauge("inbox_writable", "Whether the inbox can be written", ready.inbox_writable)
    yield _gauge("store_sound", "Whether the store can be relied on", ready.store_fault is None)
    beats = "How many beats in a row were not taken, on the node that sends them"
    alerts = ready.alerts or None
    beat = None if alerts is None else alerts.beat
    yield _gauge("beat_failures", beats, None if beat is None else beat.failures)
    unread = "Lines of the log that were dropped: nobody took them in time, or they could not be written"
    yield _counter("log_lines_dropped", unread, dropped())
    versions = (version("hookbridge"), platform.python_version())
    yield _gauges("build_info", "1, with the versions as labels", ("version", "python"), [(versions, 1)])


def _cluster(cluster: ClusterState) -> Iterator[Metric]:
    here = cluster.node
    known = "1 for each node that was heard of within the last seconds, as the node in `seen_by` knows it"
    nodes = (((one.name, here), not one.away) for one in cluster.nodes)
    yield _gauges("node_up", known, ("node", "seen_by"), nodes)
    does = "1 for what the node alone does"
    duties = (((one.duty, here), 1) for one in cluster.leases if one.node == here)
    yield _gauges("node_leads", does, ("duty", "node"), duties)
    own = [one for one in cluster.nodes if one.name == here]
    clock = "By how much the machine's clock is ahead of the store's"
    yield _gauges("node_clock_seconds", clock, ("node",), (((here,), one.clock_seconds) for one in own))
    broke = "Connections to the store that broke"
    yield _counters("store_links_lost", broke, ("node",), (((here,), one.links_lost) for one in own))


def _source_and_table(name: str) -> tuple[SourceName, str]:
    source, _, table = name.partition(":")
    return cast("SourceName", source), table


def _counter(name: str, meaning: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"hookbridge_{name}", meaning, value=value)


def _gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"hookbridge_{name}", meaning, value=value)


def _counters(name: str, meaning: str, labels: tuple[str, ...], samples: Samples) -> CounterMetricFamily:
    return _filled(CounterMetricFamily(f"hookbridge_{name}", meaning, labels=labels), samples)


def _gauges(name: str, meaning: str, labels: tuple[str, ...], samples: Samples) -> GaugeMetricFamily:
    return _filled(GaugeMetricFamily(f"hookbridge_{name}", meaning, labels=labels), samples)


def _filled(family: Family, samples: Samples) -> Family:
    for labels, value in samples:
        if value is not None:
            family.add_metric(labels, value)
    return family


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/metrics",
        handler=metrics,
        tag="health",
        name="metrics",
        answers={
            200: Answer(
                description="Prometheus' text format, version 0.0.4",
                bodies=(str,),
                media="text/plain",
                example="# TYPE hookbridge_dead_letters gauge\nhookbridge_dead_letters 0.0\n",
            )
        },
    ),
)
