"""When a followed table is polled and swept again: gaps grow while nothing changes and while passes fail."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hookbridge.api.reconcile import PassResult
from hookbridge.config import ReconcileConfig
from hookbridge.errors import SourceUnavailable
from hookbridge.model import Truth
from hookbridge.naming import Naming
from hookbridge.reconcile.findings import Findings, InboxSink, judge
from hookbridge.reconcile.loop import Beside, Reconciler
from hookbridge.reconcile.passes import Subject
from hookbridge.reconcile.state import SweepState, later
from hookbridge.reconcile.table import FollowedTable
from hookbridge.reconcile.term import Term
from hookbridge.sources.source import Changes, Followed, Slice
from hookbridge.store.values import Standing
from tests.support.events import key
from tests.support.files import opened
from tests.support.tables import TableSource
from tests.support.waiting import wait_until

CONFIG = ReconcileConfig(poll_seconds=10.0, poll_seconds_max=60.0, sweep_seconds=600.0)


class Nothing:
    """A source in which there is nothing."""

    def followed(self) -> tuple[Followed, ...]:
        return ()

    async def since(self, table: str, watermark: str, overlap_seconds: float, cursor: str | None) -> Slice:
        return Slice(truths=(), next_cursor=None)

    async def listing(self, table: str, cursor: str | None) -> Slice:
        return Slice(truths=(), next_cursor=None)

    async def newest(self, table: str) -> str | None:
        return None


class Unforeseen(Nothing):
    """One whose second table gives what its own reader does not understand."""

    broken = True

    def followed(self) -> tuple[Followed, ...]:
        return Followed(table="public.fine", polled=False), Followed(table="public.odd", polled=False)

    async def listing(self, table: str, cursor: str | None) -> Slice:
        if self.broken and table == "public.odd":
            raise KeyError("id")
        return await super().listing(table, cursor)


@pytest.fixture
async def table(tmp_path: Path) -> FollowedTable:
    async with opened(tmp_path) as store:
        source, changes = TableSource(), Nothing()
        kept: Changes = changes
        sink = InboxSink(lambda events: store.append(events, 0.0))
        subject = Subject(
            of=source,
            followed=Followed(table="public.users", polled=True),
            changes=kept,
            findings=Findings(source, store, sink, lambda: 1_000.0, loads=Beside().loads, term=Term()),
            store=store,
            config=CONFIG,
            clock=lambda: 1_000.0,
            term=Term(),
        )
        return FollowedTable(subject)


def passed(table: FollowedTable, found: int) -> float:
    table.succeeded("poll", PassResult(listed=10, found=found))
    return table.gap("poll")


async def test_the_gap_grows_while_nothing_changes_and_shrinks_with_the_first_change(table: FollowedTable) -> None:
    assert table.gap("poll") == 10.0
    assert [passed(table, 0) for _ in range(6)] == [15.0, 22.5, 33.75, 50.625, 60.0, 60.0]
    assert passed(table, 1) == 10.0


async def test_the_gap_grows_with_each_failure_and_obeys_the_source(table: FollowedTable) -> None:
    gaps = []
    for _ in range(8):
        table.failed("poll", SourceUnavailable("down"))
        gaps.append(table.gap("poll"))
    assert gaps == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert table.status().state == "failing"
    table.failed("poll", SourceUnavailable("limited", retry_after_seconds=90.0))
    assert table.gap("poll") == 90.0
    assert table.gap("sweep") == 600.0
    passed(table, 0)
    assert table.status().reason is None


async def test_what_nobody_foresaw_is_the_tables_failure_and_no_end_of_the_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        source, changes = TableSource(), Unforeseen()
        source.changes = changes
        sink = InboxSink(lambda events: store.append(events, 0.0))
        config = ReconcileConfig(poll_seconds_max=0.01, sweep_seconds=0.01)
        reconciler = Reconciler(
            {"supabase": source},
            store,
            sink,
            config,
            lambda: 1_000.0,
            Naming(store),
            beside=Beside(loads=lambda source, table: True),
        )
        fine, odd = (reconciler.table("supabase", f"public.{name}") for name in ("fine", "odd"))
        with capture_logs() as lines:
            running = asyncio.create_task(reconciler.run())
            await wait_until(lambda: odd.status().state == "failing" and fine.sweep.state.loaded)
            assert odd.status().reason == "KeyError: 'id'"
            with pytest.raises(KeyError):
                await reconciler.reconcile("supabase", "public.odd", "sweep")
            changes.broken = False
            await wait_until(lambda: odd.status().state == "following")
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    told = next(line for line in lines if line["event"] == "The sweep failed unexpectedly")
    assert (told["table"], type(told["exc_info"])) == ("public.odd", KeyError)


async def test_a_sweep_is_due_when_its_time_has_come_and_at_once_when_it_was_interrupted(table: FollowedTable) -> None:
    assert table.until_sweep() == 0.0
    table.sweep.state = SweepState(completed_at=700.0, loaded=True)
    assert table.until_sweep() == 300.0
    table.sweep.state = SweepState(completed_at=100.0, loaded=True)
    assert table.until_sweep() == 0.0
    table.sweep.state = SweepState(completed_at=999.0, loaded=True, sweep=7)
    assert table.until_sweep() == 0.0


async def test_a_time_that_is_none_leaves_the_lag_as_it_is(table: FollowedTable) -> None:
    table.applied("1970-01-01T00:16:00Z", "1970-01-01T00:15:00Z")
    assert table.status().lag_seconds == 40.0
    table.applied("not a time", None)
    assert table.status().lag_seconds == 40.0


@pytest.mark.parametrize(
    ("swept_at", "changed_at", "before", "lag"),
    [
        (900.0, "1970-01-01T00:16:00Z", "1970-01-01T00:15:00Z", 40.0),
        (900.0, "1970-01-01T00:01:00Z", "1970-01-01T00:01:00Z", None),
        (900.0, "1970-01-01T00:16:00Z", None, 40.0),
        (900.0, "1970-01-01T00:01:00Z", None, None),
        (None, "1970-01-01T00:16:00Z", None, None),
    ],
    ids=["edited", "computed anew", "new", "old, and shared since", "loaded at first"],
)
async def test_the_lag_is_of_what_moved_its_time(
    table: FollowedTable, swept_at: float | None, changed_at: str, before: str | None, lag: float | None
) -> None:
    table.sweep.state = SweepState(completed_at=swept_at, loaded=swept_at is not None)
    table.applied(changed_at, before)
    assert table.status().lag_seconds == lag


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ({}, None),
        ({"known": False, "present": False}, "missing"),
        ({"present": False}, "missing"),
        ({"fingerprint": b"other"}, "differing"),
        ({"fingerprint": b"other", "ticket": 99}, None),
        ({"fingerprint": b"other", "dirty": True}, None),
        ({"fingerprint": b"other", "dirty": True, "claimed": True}, "differing"),
    ],
)
def test_what_is_listed_differs_only_from_an_older_copy_that_nobody_reads_anyway(
    standing: dict[str, object], expected: str | None
) -> None:
    shown = Truth(record=key(1), data=b"{}", ticket=50, fingerprint=b"f")
    equal: dict[str, object] = {
        "known": True,
        "present": True,
        "fingerprint": b"f",
        "changed_at": None,
        "ticket": 10,
        "verified": True,
        "dirty": False,
        "claimed": False,
    }
    assert judge(shown, Standing(**{**equal, **standing})) == expected  # type: ignore[arg-type]


def test_of_two_times_the_later_one_counts_as_it_is_written() -> None:
    assert later("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.5+00:00") == "2026-01-01T00:00:00.5+00:00"
    assert later("2026-01-01T01:00:00+01:00", "2026-01-01T00:30:00Z") == "2026-01-01T00:30:00Z"
    assert later(None, "2026-01-01T00:00:00Z") == "2026-01-01T00:00:00Z"
    assert later(None, None) is None
