"""Claims: one record, one worker; who waited longest is next; nothing that arrives during a run is forgotten."""

import asyncio

import pytest
from msgspec.structs import replace

from hookbridge.model import (
    CLAIM_BYTES_MAX,
    CLAIMED_BYTES_MAX,
    CLAIMED_EVENTS_MAX,
    COUNTED_EVENTS_MAX,
    Event,
    Outcome,
    Settled,
)
from hookbridge.store.contract import Store
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import copy, effects, event, key, settlement
from tests.support.stores import LEASE, add, books, finish, ids, matching, take, take_one


async def test_all_open_events_of_a_record_are_one_claim_in_arrival_order(store: Store) -> None:
    given = [(await add(store, event(type=kind)))[0] for kind in ("insert", "update", "update", "delete")]
    claim = await take_one(store)
    assert ids(claim) == given
    assert claim.head == given[-1]
    assert claim.types == {"insert": 1, "update": 2, "delete": 1}
    assert claim.open_events == 4
    assert claim.record == key(1)


async def test_a_record_is_due_at_once_or_when_its_lease_or_its_wait_ends(store: Store) -> None:
    assert await at(store, 100.0).next_due_in("supabase") is None
    await add(store, event(1), event(2), at=90.0)
    assert await store.next_due_in("supabase") == 0.0
    assert await store.next_due_in("notion") is None
    (first,) = await take(store, limit=1)
    assert await store.next_due_in("supabase") == 0.0
    (second,) = await take(store, limit=1)
    assert await at(store, 100.0 + LEASE / 4).next_due_in("supabase") == LEASE * 3 / 4
    await store.release([second], after_seconds=2.0)
    assert await store.next_due_in("supabase") == 2.0
    assert await at(store, 200.0 + LEASE).next_due_in("supabase") == 0.0
    await finish(store, first)
    await finish(store, await take_one(store, now=300.0))
    assert await store.next_due_in("supabase") is None


async def test_a_burst_on_one_record_is_settled_whole_though_few_bodies_are_loaded(store: Store) -> None:
    hints = [event(type="insert" if n < 300 else "update", body=b"%d" % n) for n in range(500)]
    await asyncio.gather(*[at(store, 1.0).append([hint], 1.0) for hint in hints])
    claim = await take_one(store)
    assert [one.event.body for one in claim.events] == [b"%d" % n for n in range(400, 500)]
    assert len(claim.events) == CLAIMED_EVENTS_MAX
    assert claim.types == {"insert": 300, "update": 200}
    assert await finish(store, claim) == [Settled.DONE]
    assert await books(store) == {"received": 500, "applied": 1, "coalesced": 499}
    assert await take(store, now=1_000.0) == ()


@pytest.mark.parametrize("outcome", [Outcome.APPLIED, Outcome.DEAD])
async def test_a_very_long_burst_is_settled_in_portions_and_the_books_balance_between_them(
    store: Store, outcome: Outcome
) -> None:
    number = 2 * COUNTED_EVENTS_MAX + 500
    await add(store, *[event(type="insert" if n < 300 else "update") for n in range(number)])
    claim = await take_one(store)
    assert claim.types == {"update": COUNTED_EVENTS_MAX}
    what = effects(copy(key(), await store.ticket()))
    end = settlement(claim, outcome, effects=what)
    others = 0
    while (met := await store.settle(end)) is Settled.MORE:
        others += 1
        await add(store, event("other"))
        assert (await books(store))["open"] >= number + others - others * COUNTED_EVENTS_MAX
        assert await store.copy(key()) is None  # the effects come with the last portion
    assert met is Settled.DONE
    assert others > 2
    assert await store.copy(key()) is not None
    assert (await store.totals()).by_type == {"insert": 300, "update": number - 300}
    older = {"coalesced": number - 1, "applied": 1} if outcome is Outcome.APPLIED else {"dead": number}
    assert await books(store) == {"received": number + others, "open": others, **older}


async def test_a_long_burst_that_was_settled_in_part_is_finished_by_the_next_claim(store: Store) -> None:
    await add(store, *[event() for _ in range(2 * COUNTED_EVENTS_MAX + 500)])
    (claim,) = await take(store, lease=1.0)
    assert await store.settle(settlement(claim)) is Settled.MORE
    (again,) = await take(store, now=200.0)  # the lease ended meanwhile
    assert await store.settle(settlement(claim)) is Settled.FENCED
    assert 0 < (await books(store))["coalesced"] < 2 * COUNTED_EVENTS_MAX + 499
    await add(store, event())
    assert await finish(store, again) == [Settled.STILL_DIRTY]
    assert await finish(store, *await take(store, now=300.0)) == [Settled.DONE]
    number = 2 * COUNTED_EVENTS_MAX + 501
    assert await books(store) == {"received": number, "applied": 2, "coalesced": number - 2}


@pytest.mark.parametrize("number", [99, 100, 101])
async def test_the_types_are_counted_right_around_the_limit_of_loaded_bodies(store: Store, number: int) -> None:
    await add(store, *[event() for _ in range(number)])
    claim = await take_one(store)
    assert claim.types == {"update": number}
    assert len(claim.events) == min(number, CLAIMED_EVENTS_MAX)


async def test_behind_large_bodies_older_events_come_without_theirs(store: Store) -> None:
    large = b"x" * (CLAIMED_BYTES_MAX // 2 + 1)
    await add(store, event(body=b"oldest"), event(body=b"old"), *[event(body=large) for _ in range(2)])
    claim = await take_one(store)
    assert [len(one.event.body) for one in claim.events] == [0, 0, len(large), len(large)]
    assert claim.types == {"update": 4}


async def test_the_newest_event_has_its_body_however_large(store: Store) -> None:
    large = b"x" * (3 * CLAIMED_BYTES_MAX)
    await add(store, event(body=b"old"), event(body=large))
    assert [one.event.body for one in (await take_one(store)).events] == [b"", large]


async def test_a_claim_ends_with_the_record_that_makes_it_large_enough(store: Store) -> None:
    await add(store, *[event(id_, body=b"x" * (CLAIM_BYTES_MAX // 2)) for id_ in range(3)])
    assert len(await take(store)) == 2
    assert len(await take(store)) == 1


@pytest.mark.on("sqlite")
async def test_of_many_copies_with_long_texts_the_last_ones_come_without_them(store: Store) -> None:
    for id_ in range(3):
        long = replace(copy(key(id_), await store.ticket(), b"1"), content="x" * (CLAIM_BYTES_MAX // 2))
        await store.put(long, None, exclusive=False)
    await add(store, *[event(id_) for id_ in range(3)])
    previous = [claim.previous for claim in await take(store)]
    assert [one and one.data for one in previous] == [b"1"] * 3
    assert sum(one is not None and one.content is not None for one in previous) == 2


async def test_several_records_are_claimed_at_once_each_with_its_own_events_and_copy(store: Store) -> None:
    await store.put(copy(key(2), await store.ticket(), b'"two"'), None, exclusive=False)
    a1, b1, a2, c1 = await add(store, event(1), event(2), event(1), event("x", table="t"))
    claims = {str(claim.record): claim for claim in await take(store)}
    assert {name: ids(claim) for name, claim in claims.items()} == {
        "supabase:public.users:1": [a1, a2],
        "supabase:public.users:2": [b1],
        "supabase:t:x": [c1],
    }
    assert {name: claim.previous and claim.previous.data for name, claim in claims.items()} == {
        "supabase:public.users:1": None,
        "supabase:public.users:2": b'"two"',
        "supabase:t:x": None,
    }


async def test_a_lane_is_given_only_its_own_source(store: Store) -> None:
    await add(store, event(1), event(2, source="notion"))
    assert [claim.record.source for claim in await take(store, source="notion")] == ["notion"]
    assert [claim.record.source for claim in await take(store, source="supabase")] == ["supabase"]


async def test_who_waited_longest_is_next(store: Store) -> None:
    for number, arrived in ((1, 30.0), (2, 10.0), (3, 20.0)):
        await add(store, event(number), at=arrived)
    await add(store, event(3), at=40.0)  # another event does not put a record behind the others
    claims = [*await take(store, limit=2), *await take(store, limit=2)]
    assert [claim.record.id for claim in claims] == ["2", "3", "1"]


async def test_no_more_than_the_limit_is_claimed_and_nobody_else_gets_it(store: Store) -> None:
    await add(store, *[event(n) for n in range(5)])
    first, second, third = await asyncio.gather(take(store, limit=2), take(store, limit=2), take(store, limit=2))
    assert [len(one) for one in (first, second, third)] == [2, 2, 1]
    assert len({claim.record for claim in (*first, *second, *third)}) == 5


async def test_an_event_that_comes_with_a_claim_in_one_group_is_in_it_or_leaves_the_record_dirty(store: Store) -> None:
    await add(store, event(1))
    (claim,), _ = await asyncio.gather(take(store), add(store, event(1)))
    met = await finish(store, claim)
    rest = await take(store, now=1_000.0)
    assert claim.open_events + sum(one.open_events for one in rest) == 2
    assert met == [Settled.STILL_DIRTY if rest else Settled.DONE]


# What arrives during a run


async def test_events_that_arrive_during_a_run_leave_the_record_dirty_with_only_them(store: Store) -> None:
    await add(store, event(), event())
    claim = await take_one(store)
    late = [(await add(store, event(type="delete")))[0] for _ in range(3)]
    assert await take(store) == ()  # one record, one worker
    assert await finish(store, claim) == [Settled.STILL_DIRTY]
    assert await books(store) == {"received": 5, "open": 3, "applied": 1, "coalesced": 1}
    following = await take_one(store, now=102.0)
    assert ids(following) == late
    assert following.types == {"delete": 3}
    assert await finish(store, following, now=103.0) == [Settled.DONE]
    assert await take(store, now=1_000.0) == ()
    assert await books(store) == {"received": 5, "applied": 2, "coalesced": 3}


async def test_an_event_in_the_same_group_as_the_settlement_is_not_forgotten(store: Store) -> None:
    await add(store, event())
    claim = await take_one(store)
    (met,), (late,) = await asyncio.gather(finish(store, claim), add(store, event()))
    assert met is Settled.STILL_DIRTY
    assert ids(await take_one(store, now=102.0)) == [late]


async def test_many_runs_with_arrivals_in_each_settle_every_event_once(store: Store) -> None:
    await add(store, event())
    for number in range(20):
        claim = await take_one(store, now=100.0 + number)
        assert claim.open_events == 1
        if number < 19:
            await add(store, event())
        await finish(store, claim, now=100.5 + number)
    assert await books(store) == {"received": 20, "applied": 20}
    assert await take(store, now=1_000.0) == ()


# Outcomes


@pytest.mark.parametrize(
    ("outcome", "older", "written"),
    [
        (Outcome.APPLIED, Outcome.COALESCED, {"received": 3, "applied": 1, "coalesced": 2}),
        (Outcome.IGNORED, Outcome.IGNORED, {"received": 3, "ignored": 3}),
        (Outcome.DEAD, Outcome.DEAD, {"received": 3, "dead": 3}),
    ],
)
async def test_a_settlement_ends_all_events_of_the_claim(
    store: Store, outcome: Outcome, older: Outcome, written: dict[str, int]
) -> None:
    given = await add(store, event(), event(), event())
    claim = await take_one(store)
    end = settlement(claim, outcome, reason="why", attempts=2, effects=effects(copy(key(1), await store.ticket())))
    assert await at(store, 150.0).settle(end) is Settled.DONE
    found = [one for event_id in given if (one := await store.event(event_id))]
    assert [one.outcome for one in found] == [older, older, outcome]
    assert {(one.reason, one.attempts, one.settled_at, one.verification) for one in found} == {
        ("why", 2, 150.0, end.effects.verification)
    }
    assert await books(store) == written


async def test_the_settlements_of_one_moment_are_each_their_own(store: Store) -> None:
    await add(store, *[event(n) for n in range(200)], *[event(n) for n in range(50)])
    claims = await take(store, limit=200)
    ends = [settlement(one, Outcome.DEAD if one.record.id in {"1", "2"} else Outcome.APPLIED) for one in claims]
    assert set(await asyncio.gather(*[at(store, 101.0).settle(end) for end in ends])) == {Settled.DONE}
    assert await books(store) == {"received": 250, "applied": 198, "coalesced": 48, "dead": 4}


# Leases and fences


async def test_a_lease_that_ended_can_be_claimed_and_the_old_claim_changes_nothing(store: Store) -> None:
    await add(store, event())
    old = await take_one(store, now=100.0)
    assert await take(store, now=100.0 + LEASE - 0.1) == ()
    new = await take_one(store, now=100.0 + LEASE)
    assert new.generation > old.generation
    late = settlement(old, effects=effects(copy(key(1), await store.ticket(), b'"old"'), "old"))
    assert await at(store, 170.0).settle(late) is Settled.FENCED
    assert await store.copy(key(1)) is None
    assert await matching(store, "old") == []
    assert await books(store) == {"received": 1, "open": 1}
    await store.release([old])
    assert await take(store, now=171.0) == ()
    assert await finish(store, new) == [Settled.DONE]


async def test_nothing_is_claimed_when_the_time_for_it_has_passed(store: Store) -> None:
    await add(store, event(1))
    assert await store.claim("supabase", 10, lease_seconds=LEASE, within_seconds=0.0) == ()
    (claim,) = await store.claim("supabase", 10, lease_seconds=LEASE, within_seconds=60.0)
    assert claim.record == key(1)


async def test_a_renewed_lease_ends_later(store: Store) -> None:
    await add(store, event())
    claim = await take_one(store, now=100.0)
    assert await at(store, 340.0).renew([claim], lease_seconds=LEASE) == (claim,)
    assert await take(store, now=399.9) == ()
    assert (await take_one(store, now=400.0)).generation > claim.generation


async def test_a_claim_that_was_taken_over_cannot_be_renewed(store: Store) -> None:
    await add(store, event())
    old = await take_one(store, now=100.0)
    await take_one(store, now=200.0)
    assert await at(store, 200.0).renew([old], lease_seconds=700.0) == ()
    assert len(await take(store, now=300.0)) == 1


async def test_a_claim_whose_lease_ended_still_settles_while_nobody_took_it(store: Store) -> None:
    await add(store, event())
    claim = await take_one(store, now=100.0)
    assert await finish(store, claim, now=500.0) == [Settled.DONE]


@pytest.mark.parametrize("outcome", [Outcome.APPLIED, Outcome.DEAD])
async def test_a_claim_from_before_the_record_was_clean_does_not_hold_for_what_came_after(
    store: Store, outcome: Outcome
) -> None:
    await add(store, event(identity=b"x"))
    old = await take_one(store, now=100.0)
    await finish(store, await take_one(store, now=200.0), outcome=outcome)
    # Dirty anew: the same event, opened again, where it was dead; another one where it was applied.
    await add(store, event(identity=b"x") if outcome is Outcome.DEAD else event(), at=300.0)
    new = await take_one(store, now=300.0)
    assert await finish(store, old) == [Settled.FENCED]
    assert (await books(store))["open"] == 1
    assert await finish(store, new) == [Settled.DONE]
    assert "open" not in await books(store)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("late", [True, False])
async def test_a_claim_is_settled_once(store: Store, *, together: bool, late: bool) -> None:
    await add(store, event())
    claim = await take_one(store)
    if late:
        await add(store, event())
    if together:
        met = await asyncio.gather(*[at(store, 101.0).settle(settlement(claim)) for _ in range(2)])
    else:
        met = [await at(store, 101.0).settle(settlement(claim)) for _ in range(2)]
    assert met == [Settled.STILL_DIRTY if late else Settled.DONE, Settled.FENCED]
    assert await books(store) == {"received": 2, "open": 1, "applied": 1} if late else {"received": 1, "applied": 1}


async def test_releasing_after_a_settlement_changes_nothing(store: Store) -> None:
    await add(store, event())
    claim = await take_one(store)
    await add(store, event())
    await finish(store, claim)
    following = await take_one(store, now=102.0)
    await store.release([claim])
    assert await take(store, now=103.0) == ()
    assert await finish(store, following) == [Settled.DONE]


# Release


async def test_what_is_given_back_keeps_its_place_in_the_line(store: Store) -> None:
    for place, name in enumerate("cba"):
        await add(store, event(name), at=float(place))
    await store.release(await take(store, limit=2))
    assert [claim.record.id for claim in await take(store, limit=3)] == ["c", "b", "a"]


async def test_what_is_given_back_for_later_is_claimed_later_with_all_its_events(store: Store) -> None:
    given = await add(store, event(), event())
    await store.release([await take_one(store)], after_seconds=400.0)
    given += await add(store, event())
    assert await take(store, now=499.0) == ()
    claim = await take_one(store, now=500.0)
    assert ids(claim) == list(given)
    assert await books(store) == {"received": 3, "open": 3}


MOVED = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "hint",
    [
        event(),
        event(body=b"{}", identity=b"i", occurred_at="2026-01-01T00:00:00Z", origin="poll"),
        event("with:colon", type="delete"),
        event(MOVED, source="notion", table="elsewhere", by_id=True),
        event(MOVED, source="notion", table="elsewhere", by_id=True, ignored="unknown table"),
        event(MOVED, source="notion", table="home", by_id=True),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
async def test_a_claim_is_the_same_whether_its_events_came_a_moment_ago_or_in_an_earlier_life(
    reopen: Reopen, hint: Event, number: int
) -> None:
    first, source = at(await reopen(), 1.0), hint.record.source
    await first.put(copy(key(MOVED, source="notion", table="home"), await first.ticket()), None, exclusive=True)
    for _ in range(number):
        await first.append((replace(hint, identity=None),) if number > 1 else (hint,), 1.0, b'{"host":"here"}')
    now = await take_one(first, source=source)
    second = await reopen()
    await at(second, 101.0).release_abandoned()
    later = await take_one(second, source=source, now=101.0)
    assert now == replace(later, generation=now.generation, claimed_at=now.claimed_at)


async def test_what_a_process_that_is_gone_had_claimed_is_free_at_the_next_start(reopen: Reopen) -> None:
    first = await reopen()
    await add(first, event(1), at=1.0)
    await add(first, event(2, source="notion"), at=2.0)
    await add(first, event(3), event(3), at=3.0)
    await take(first)
    await take(first, source="notion")
    second = await reopen()
    assert await take(second, now=101.0) == ()
    await at(second, 101.0).release_abandoned()
    assert second.open_events == 4
    assert [claim.record.id for claim in await take(second, now=101.0)] == ["1", "3"]
    assert [claim.record.id for claim in await take(second, now=101.0, source="notion")] == ["2"]


async def test_after_a_start_with_an_earlier_clock_nothing_is_hidden(reopen: Reopen) -> None:
    first = await reopen()
    await add(first, event(1), at=5_000.0)
    second = await reopen()
    await at(second, 100.0).release_abandoned()
    assert await at(second, 130.0).oldest_open_seconds() == 30.0  # since when it waits nobody knows, but by now it does
    (taken,) = await take(second, now=100.0)
    await second.release((taken,))
    assert len(await take(second, now=100.0)) == 1


async def test_after_a_start_with_a_later_clock_who_waited_goes_on_waiting(reopen: Reopen) -> None:
    first = await reopen()
    await add(first, event(1), at=100.0)
    second = await reopen()
    await at(second, 5_000.0).release_abandoned()
    assert await at(second, 5_000.0).oldest_open_seconds() == 4_900.0


# When, and since when


async def test_the_oldest_open_event_is_known_while_it_waits_and_while_it_is_worked_on(store: Store) -> None:
    assert await at(store, 100.0).oldest_open_seconds() is None
    await add(store, event(1), at=10.0)
    await add(store, event(2, source="notion"), at=5.0)
    assert await at(store, 100.0).oldest_open_seconds() == 95.0
    (claim,) = await take(store, source="notion")
    assert await at(store, 100.0).oldest_open_seconds() == 95.0
    await finish(store, claim)
    assert await at(store, 100.0).oldest_open_seconds() == 90.0
    await finish(store, *await take(store))
    assert await at(store, 100.0).oldest_open_seconds() is None
