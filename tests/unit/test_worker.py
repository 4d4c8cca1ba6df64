"""The worker: one claim becomes one change, the change an outcome, and the outcome the guide's log line."""

import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from hookbridge.config import ProcessingConfig
from hookbridge.errors import HandlerGaveUp, SourceRefused, SourceUnavailable
from hookbridge.model import Change, Claim, Effects, Outcome, Settled, Verification
from hookbridge.observe.redaction import hide
from hookbridge.pipeline.attempts import Attempts
from hookbridge.pipeline.retry import STRIKES_MAX, Case, Fate, fate_of
from hookbridge.pipeline.worker import Worker
from hookbridge.store.sqlite import SqliteStore
from tests.support.events import copy, event, key
from tests.support.files import opened, refuse_writes
from tests.support.naps import Naps
from tests.support.stores import LEASE, add, books, ids, take, take_one


class Doing:
    """A step that does what the test says and keeps the changes it was given."""

    def __init__(self, name: str, do: Callable[[Change, Effects], Effects] | None = None) -> None:
        self.name = name
        self.changes: list[Change] = []
        self._do = do

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        self.changes.append(change)
        return so_far if self._do is None else self._do(change, so_far)


def failing(*failures: Exception | None) -> Callable[[Change, Effects], Effects]:
    """Fail with each of these in turn (None: do not), and then no more."""
    left = list(failures)

    def do(_change: Change, so_far: Effects) -> Effects:
        if left and (failure := left.pop(0)) is not None:
            raise failure
        return so_far

    return do


class Judging:
    """The lane's side: keeps what it was told, of a record with so many strikes."""

    def __init__(self, strikes: int = 0) -> None:
        self.told: list[Exception] = []
        self._case = Case(strikes=strikes)

    async def __call__(self, claim: Claim, error: Exception) -> Fate:
        self.told.append(error)
        return fate_of(error, self._case)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as one:
        yield one


def worker(store: SqliteStore, *steps: Doing, naps: Naps | None = None, **config: int) -> Worker:
    """A worker whose clock goes on by a quarter of a second with each look at it; each change takes half a second."""
    ticks, looks = itertools.count(), itertools.count()
    naps = naps or Naps()
    attempts = Attempts(ProcessingConfig(**config), sleep=naps)
    return Worker(
        store,
        steps,
        attempts,
        clock=lambda: 1000.0 + 0.25 * next(ticks),
        monotonic=lambda: 0.5 * next(looks),
        sleep=naps,
    )


async def test_the_steps_run_in_order_and_each_sees_what_the_ones_before_it_found(store: SqliteStore) -> None:
    (id_,) = await add(store, event(1))
    first = Doing("one", lambda _, so_far: replace(so_far, verification=Verification.VERIFIED))
    ticket = await store.ticket()
    second = Doing("two", lambda change, so_far: replace(so_far, copy=copy(change.record, ticket, b'{"a":1}')))
    seen: list[Effects] = []

    def look(_change: Change, so_far: Effects) -> Effects:
        seen.append(so_far)
        return so_far

    third = Doing("three", look)
    met = await worker(store, first, second, third).work(await take_one(store), Judging())
    assert met is Settled.DONE
    assert seen[0].copy is not None
    assert seen[0].verification is Verification.VERIFIED
    kept, written = await store.event(id_), await store.copy(key(1))
    assert kept is not None
    assert (kept.outcome, kept.verification, kept.attempts) == (Outcome.APPLIED, Verification.VERIFIED, 1)
    assert written is not None
    assert written.data == b'{"a":1}'


async def test_all_open_events_of_the_record_are_one_change_with_the_copy_before_it(store: SqliteStore) -> None:
    await store.put(copy(key(1), await store.ticket(), b'"before"'), None, exclusive=False)
    await add(store, event(1, type="insert"), event(1), event(1, type="delete"))
    step, claim = Doing("one"), await take_one(store)
    await worker(store, step).work(claim, Judging())
    (change,) = step.changes
    assert [one.id for one in change.events] == ids(claim)
    assert (change.type, change.newest.event.type, change.attempt) == ("delete", "delete", 1)
    assert change.copy is not None
    assert change.copy.data == b'"before"'
    assert await books(store) == {"received": 3, "applied": 1, "coalesced": 2}


async def test_a_success_is_logged_as_the_guide_has_it(store: SqliteStore) -> None:
    await add(store, event(1), event(1))
    step = Doing("data_verification", lambda _, so_far: replace(so_far, verification=Verification.SKIPPED))
    with capture_logs() as lines:
        await worker(store, step).work(await take_one(store), Judging())
    assert [(line["log_level"], line["event"]) for line in lines] == [
        ("debug", "Starting webhook processing: supabase/update for record 1"),
        ("debug", "Processing Supabase update event"),
        ("debug", "Supabase webhook processed: ['data_verification']"),
        ("info", "Webhook processed successfully in 0.50s (attempt 1/3)"),
    ]
    assert lines[-1] == {
        "event": "Webhook processed successfully in 0.50s (attempt 1/3)",
        "log_level": "info",
        "record": "supabase:public.users:1",
        "outcome": "applied",
        "attempt": 1,
        "duration": 0.5,
        "events": 2,
        "steps": ("data_verification",),
        "verification": "skipped",
    }


async def test_attempts_that_failed_leave_nothing_behind_and_are_counted(store: SqliteStore) -> None:
    (id_,) = await add(store, event(1))
    first, second, naps = Doing("one"), Doing("two", failing(ValueError(), ValueError())), Naps()
    with capture_logs() as lines:
        await worker(store, first, second, naps=naps).work(await take_one(store), Judging())
    assert [change.attempt for change in first.changes] == [1, 2, 3]
    assert naps.taken == [2.0, 4.0]
    assert lines[-1]["event"].endswith("(attempt 3/3)")
    assert lines[-1]["steps"] == ("one", "two")
    kept, totals = await store.event(id_), await store.totals()
    assert kept is not None
    assert (kept.outcome, kept.attempts) == (Outcome.APPLIED, 3)
    assert (totals.retries, totals.changes, totals.failed) == (2, 1, 0)


async def test_a_change_whose_attempts_run_out_is_a_dead_letter_with_the_reason(store: SqliteStore) -> None:
    one, two = await add(store, event(1), event(1))
    step, judging = Doing("one", failing(*[ValueError("bad row\nand more")] * 9)), Judging()
    with capture_logs() as lines:
        assert await worker(store, step, max_attempts=2).work(await take_one(store), judging) is Settled.DONE
    assert [str(error) for error in judging.told] == ["bad row\nand more"]
    for id_ in (one, two):
        kept = await store.event(id_)
        assert kept is not None
        assert (kept.outcome, kept.reason, kept.attempts) == (Outcome.DEAD, "ValueError: bad row", 2)
    assert lines[-1]["event"] == "Webhook processing failed (attempt 2/2)"
    assert (lines[-1]["log_level"], lines[-1]["outcome"]) == ("error", "dead")
    assert lines[-1]["reason"] == "ValueError: bad row"
    assert await books(store) == {"received": 2, "dead": 2}


async def test_no_secret_stands_in_what_is_kept_of_a_step_that_failed(store: SqliteStore) -> None:
    hide("planted-by-this-test")
    (id_,) = await add(store, event(1))
    step = Doing("one", failing(*[ValueError("not planted-by-this-test")] * 3))
    await worker(store, step).work(await take_one(store), Judging())
    kept = await store.event(id_)
    assert kept is not None
    assert kept.reason == "ValueError: not [secret]"
    for failure in await store.failures(kept):
        assert failure.error == kept.reason
        assert str(failure.traceback).endswith(kept.reason)


async def test_a_bug_in_a_step_is_logged_with_its_traceback_for_those_who_debug(store: SqliteStore) -> None:
    await add(store, event(1))
    failure = KeyError("column")
    with capture_logs() as lines:
        await worker(store, Doing("one", failing(*[failure] * 3))).work(await take_one(store), Judging())
    assert [line["exc_info"] for line in lines if "exc_info" in line] == [failure]


async def test_a_permanent_failure_is_a_dead_letter_after_one_attempt(store: SqliteStore) -> None:
    (id_,) = await add(store, event(1))
    await worker(store, Doing("one", failing(HandlerGaveUp("never")))).work(await take_one(store), Judging())
    kept = await store.event(id_)
    assert kept is not None
    assert (kept.outcome, kept.attempts) == (Outcome.DEAD, 1)


@pytest.mark.parametrize(
    ("failure", "tries"), [(SourceUnavailable("down"), 3), (SourceRefused("key"), 1)], ids=["down", "refused"]
)
async def test_a_source_that_is_down_is_the_lanes_business_and_settles_nothing(
    store: SqliteStore, failure: Exception, tries: int
) -> None:
    await add(store, event(1))
    step, judging = Doing("one", failing(*[failure] * 9)), Judging()
    assert await worker(store, step).work(await take_one(store), judging) is None
    assert judging.told == [failure]
    assert len(step.changes) == tries
    assert await books(store) == {"received": 1, "open": 1}


async def test_the_lane_may_say_that_the_fault_is_the_records_own(store: SqliteStore) -> None:
    (id_,) = await add(store, event(1))
    step = Doing("one", failing(*[SourceUnavailable("502 for this row")] * 9))
    assert await worker(store, step).work(await take_one(store), Judging(STRIKES_MAX)) is Settled.DONE
    kept = await store.event(id_)
    assert kept is not None
    assert (kept.outcome, kept.attempts) == (Outcome.DEAD, 3)
    assert kept.reason == "SourceUnavailable: 502 for this row"


async def test_a_worker_that_was_overtaken_changes_nothing_and_says_so(store: SqliteStore) -> None:
    await add(store, event(1))
    slow = await take_one(store, now=100.0)
    fast = await take_one(store, now=100.0 + LEASE)
    ticket = await store.ticket()
    writing = Doing("one", lambda change, so_far: replace(so_far, copy=copy(change.record, ticket, b'"slow"')))
    with capture_logs() as lines:
        assert await worker(store, writing).work(slow, Judging()) is Settled.FENCED
    assert (lines[-1]["log_level"], lines[-1]["outcome"]) == ("warning", "fenced")
    assert await store.copy(key(1)) is None
    assert await books(store) == {"received": 1, "open": 1}
    await worker(store, Doing("one")).work(fast, Judging())
    assert await books(store) == {"received": 1, "applied": 1}


async def test_events_that_arrive_during_the_run_are_reported_to_whoever_asked_for_it(store: SqliteStore) -> None:
    await add(store, event(1))
    claim = await take_one(store)
    await add(store, event(1))
    assert await worker(store, Doing("one")).work(claim, Judging()) is Settled.STILL_DIRTY


async def test_a_finished_change_waits_for_a_store_that_cannot_write_and_is_not_done_twice(store: SqliteStore) -> None:
    await add(store, event(1))
    claim = await take_one(store)
    step = Doing("one")

    class Repairing(Naps):
        """The file is writable again after the third wait."""

        async def __call__(self, seconds: float) -> None:
            await super().__call__(seconds)
            if len(self.taken) == 3:
                refuse_writes(store, refuse=False)

    naps = Repairing()
    refuse_writes(store, refuse=True)
    with capture_logs() as lines:
        await worker(store, step, naps=naps).work(claim, Judging())
    assert naps.taken == [0.1, 0.2, 0.4]
    assert len(step.changes) == 1
    waits: list[Any] = [line for line in lines if line["event"] == "Settling waits for the store"]
    assert [line["log_level"] for line in waits] == ["error", "debug", "debug"], "an outage is told once"
    assert await books(store) == {"received": 1, "applied": 1}
    assert await take(store, now=10_000.0) == ()
