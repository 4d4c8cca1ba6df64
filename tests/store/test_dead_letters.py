"""Dead letters by their reasons, and those that an operator gives up: the same on every engine."""

import asyncio

import pytest

from hookbridge.model import Event, Outcome
from hookbridge.pipeline.replay import dismiss, replay, replayable
from hookbridge.store.contract import Store
from hookbridge.store.listed import GROUPS_MAX, TABLES_MAX
from hookbridge.store.reasons import kind
from hookbridge.store.values import EventFilter
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import event, settlement
from tests.support.stores import add, books, bury, finish, take

ALL = EventFilter()
UUID = "0ef104cd-477e-80e1-8571-cfd10e92339a"


async def die(store: Store, hint: Event, reason: str | None, *, came: float = 1.0, now: float = 101.0) -> int:
    """Let one event become a dead letter for this reason; gives its id."""
    (event_id,) = await add(store, hint, at=came)
    (claim,) = await take(store, now=now, source=hint.record.source)
    await at(store, now).settle(settlement(claim, Outcome.DEAD, reason=reason))
    return event_id


async def outcomes(store: Store) -> dict[int, Outcome | None]:
    return {one.id: one.outcome for one in (await store.events(ALL, before=None, limit=100)).events}


async def test_a_dead_letter_that_is_given_up_is_ignored_with_the_note_and_the_reason_it_had(reopen: Reopen) -> None:
    store = await reopen()
    first = await die(store, event(1), "KeyError: 'no'")
    second = await die(store, event(2), None)
    other = await die(store, event("p", source="notion"), "gone")
    assert (await dismiss(at(store, 200.0), EventFilter(source="supabase"), note="a test", limit=10)).count == 2
    assert await books(store) == {"received": 3, "ignored": 2, "dead": 1}
    store = await reopen()
    for event_id, reason in ((first, "dismissed (a test): KeyError: 'no'"), (second, "dismissed (a test)")):
        stored = await store.event(event_id)
        assert stored is not None
        assert (stored.outcome, stored.reason, stored.settled_at) == (Outcome.IGNORED, reason, 200.0)
    assert await outcomes(store) == {first: Outcome.IGNORED, second: Outcome.IGNORED, other: Outcome.DEAD}
    assert (await store.totals()).by_outcome == {"supabase:dead": 2, "supabase:ignored": 2, "notion:dead": 1}


async def test_what_was_given_up_is_neither_replayed_nor_opened_by_its_duplicate(store: Store) -> None:
    (event_id,) = await bury(store, event(identity=b"x"))
    await dismiss(store, ALL, limit=10)
    assert await replayable(store, ALL) == 0
    assert (await store.open_again([event_id])).count == 0
    (receipt,) = await store.append([event(identity=b"x")], 300.0)
    assert (receipt.event_id, receipt.duplicate) == (event_id, True)
    assert await books(store) == {"received": 1, "ignored": 1}


async def test_only_dead_letters_are_given_up_whatever_is_named(store: Store) -> None:
    (dead,) = await bury(store, event(1))
    (applied,) = await add(store, event(2))
    await finish(store, *await take(store))
    (ignored, opened) = await add(store, event(3, ignored="no"), event(4))
    done = await store.dismiss([dead, applied, ignored, opened, 99, dead], "dismissed")
    assert (done.count, done.looked_at) == (1, 6)
    assert await outcomes(store) == {
        dead: Outcome.IGNORED,
        applied: Outcome.APPLIED,
        ignored: Outcome.IGNORED,
        opened: None,
    }
    assert (await dismiss(store, EventFilter(outcome=Outcome.APPLIED), limit=10)).count == 0
    assert await books(store) == {"received": 4, "open": 1, "applied": 1, "ignored": 2}


async def test_many_are_given_up_in_portions_and_a_limit_says_where_it_goes_on(store: Store) -> None:
    given = await add(store, *[event(number) for number in range(1_100)])
    await finish(store, *await take(store, limit=2_000), outcome=Outcome.DEAD)
    assert (await store.dismiss(given, "dismissed")).looked_at < 1_100
    done = await dismiss(store, ALL, limit=300)
    assert done.count == 300
    assert done.next_cursor is not None
    rest = await dismiss(store, ALL, limit=5_000, before=done.next_cursor)
    assert rest.next_cursor is None
    assert await books(store) == {"received": 1_100, "ignored": 1_100}


async def test_large_bodies_are_portioned_by_their_size(store: Store) -> None:
    given = await add(store, *[event(number, body=b"x" * 3_000_000) for number in range(6)])
    await finish(store, *await take(store, limit=10), outcome=Outcome.DEAD)
    assert (await dismiss(store, EventFilter(ids=given), limit=10)).count == 6
    assert await books(store) == {"received": 6, "ignored": 6}


async def test_who_replays_and_who_dismisses_at_the_same_moment_share_the_dead_letters(store: Store) -> None:
    given = await add(store, *[event(number) for number in range(60)])
    await finish(store, *await take(store), outcome=Outcome.DEAD)
    at(store, 200.0)
    ways = [given[:40], given[20:], given[10:50]]
    done = await asyncio.gather(
        *[store.open_again(one) for one in ways], *[store.dismiss(one[::-1], "dismissed") for one in ways]
    )
    assert sum(one.count for one in done) == 60
    written = (await store.totals()).books
    assert written.balanced()
    assert (written.open, written.ignored) == (sum(one.count for one in done[:3]), sum(one.count for one in done[3:]))


async def test_dead_letters_are_gathered_by_the_kind_of_their_reason(store: Store) -> None:
    await die(store, event(1), "no user 41", now=101.0)
    await die(store, event(2), "KeyError: 'no'", now=102.0)
    await die(store, event(3), "no user 7", now=103.0)
    last = await die(store, event("p", source="notion"), "no user 1000", now=104.0)
    await add(store, event(5, ignored="no user 5"))
    found = await store.dead_letters(ALL)
    assert found.complete
    users, keys = found.groups
    assert (users.kind, users.count, users.newest, users.reason) == ("no user …", 3, last, "no user 1000")
    assert (users.first_at, users.last_at) == (101.0, 104.0)
    assert (keys.kind, keys.count) == ("KeyError: 'no'", 1)
    (rows, pages) = users.tables
    assert (rows.source, rows.table, rows.count) == ("supabase", event(1).record.table, 2)
    assert (rows.first_at, rows.last_at) == (101.0, 103.0)
    assert (pages.source, pages.table, pages.count) == ("notion", event("p", source="notion").record.table, 1)
    assert [of.count for of in keys.tables] == [1]
    (only,) = (await store.dead_letters(EventFilter(source="notion"))).groups
    assert (only.count, only.first_at) == (1, 104.0)
    assert (await store.dead_letters(EventFilter(ids=(99,)))).groups == ()


async def test_groups_and_their_tables_are_the_largest_ones_and_so_many(store: Store) -> None:
    hints = [event(number, table=f"public.t{number % 25}") for number in range(75)]
    hints += [event(number, table="public.t3") for number in range(100, 110)]
    await add(store, *hints)
    await finish(store, *await take(store, limit=200), outcome=Outcome.DEAD)
    (group,) = (await store.dead_letters(ALL)).groups
    assert (group.count, len(group.tables)) == (85, TABLES_MAX)
    assert [(of.table, of.count) for of in group.tables[:2]] == [("public.t3", 13), ("public.t24", 3)]
    for number in range(GROUPS_MAX):
        await die(store, event(f"x{number}"), f"reason {'x' * number}")
    found = await store.dead_letters(ALL)
    assert (len(found.groups), found.complete) == (GROUPS_MAX, False)
    assert found.groups[0].count == 85
    assert [one.kind for one in found.groups[1:3]] == ["reason " + "x" * 99, "reason " + "x" * 98]


async def test_a_group_is_replayed_or_dismissed_by_its_reason_alone(store: Store) -> None:
    same = [await die(store, event(number), f"no user {number}") for number in range(3)]
    other = await die(store, event(3), "no user at all")
    assert await replayable(store, EventFilter(outcome=Outcome.DEAD, reason="no user …")) == 3
    assert (await replay(at(store, 200.0), EventFilter(reason="no user 17"), limit=1)).count == 1
    assert (await dismiss(store, EventFilter(reason="no user …"), limit=10)).count == 2
    assert await outcomes(store) == {
        same[0]: Outcome.IGNORED,
        same[1]: Outcome.IGNORED,
        same[2]: None,
        other: Outcome.DEAD,
    }


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("greet (handlers.py:17): KeyError: 'user 42'", "greet (handlers.py:17): KeyError: 'user …'"),
        (f"no page {UUID}", "no page …"),
        (f"no page {UUID.replace('-', '')}, {'12' * 20}", "no page …, …"),
        ("at 12:30:59.125 on 2026-01-01", "at …:…:….… on …-…-…"),
        ("٣ of 100% „Ümlaut“ 😀1", "٣ of …% „Ümlaut“ 😀…"),
        ("deadbeef-1 or 1deadbeef", "deadbeef-… or …deadbeef"),
        ("x" * 500 + "1", "x" * 200),
        ("line\none 1\ttab", "line\none …\ttab"),
        ("", ""),
    ],
)
async def test_the_kind_of_a_reason_is_the_same_wherever_it_is_made(store: Store, reason: str, expected: str) -> None:
    assert (kind(reason), kind(expected)) == (expected, expected)
    event_id = await die(store, event(1), reason)
    await die(store, event(2), "another one")
    assert [one.kind for one in (await store.dead_letters(ALL)).groups if one.newest == event_id] == [expected]
    for asked in (reason, expected):
        page = await store.events(EventFilter(reason=asked), before=None, limit=10)
        assert [one.id for one in page.events] == [event_id]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (EventFilter(since=20.0), [3, 2]),
        (EventFilter(until=20.0), [1]),
        (EventFilter(since=20.0, until=30.0), [2]),
        (EventFilter(since=30.5), []),
        (EventFilter(since=-(2.0**40), until=2.0**40), [3, 2, 1]),
        (EventFilter(reason="\x00"), []),
    ],
)
async def test_events_are_found_by_the_time_they_came(store: Store, which: EventFilter, expected: list[int]) -> None:
    for number in (1, 2, 3):
        await add(store, event(number), at=10.0 * number)
    page = await store.events(which, before=None, limit=10)
    assert [int(one.event.record.id) for one in page.events] == expected


async def test_a_note_that_one_engine_cannot_hold_is_kept_as_it_can(store: Store) -> None:
    (event_id,) = await bury(store, event(1))
    assert (await dismiss(store, ALL, note="a\x00b", limit=1)).count == 1
    stored = await store.event(event_id)
    assert stored is not None
    assert stored.reason in {"dismissed (a\x00b): why", "dismissed (a␀b): why"}
