"""What the reconciler asks of a store: how records stand, what a sweep met, what was found and announced."""

import pytest
from msgspec.structs import replace

from hookbridge.model import RecordKey
from hookbridge.store.contract import Store
from hookbridge.store.values import ContentCounts
from tests.support.engines import at
from tests.support.events import copy, effects, event, key, settlement
from tests.support.stores import finish, take

NOW = 1_000.0


async def copied(store: Store, *ids: object, ticket: int | None = None) -> None:
    await store.load([(copy(key(id_), ticket or await store.ticket()), None) for id_ in ids], exclusive=False)


async def test_a_record_stands_as_its_copy_and_its_open_events_say(store: Store) -> None:
    await copied(store, 1, 2)
    await store.load([(copy(key(3), await store.ticket(), data=None), None)], exclusive=False)
    await at(store, NOW).append([event(2), event(5)], NOW)
    (claimed,) = await at(store, NOW).claim("supabase", 1, lease_seconds=60.0)
    found = await at(store, NOW).standings("supabase", "public.users", ["1", "2", "3", "4", "5"])
    assert {id_: (one.known, one.present, one.dirty) for id_, one in found.by_id.items()} == {
        "1": (True, True, False),
        "2": (True, True, True),
        "3": (True, False, False),
        "4": (False, False, False),
        "5": (False, False, True),
    }
    assert found.by_id[claimed.record.id].claimed
    assert not found.by_id["5" if claimed.record.id == "2" else "2"].claimed
    assert found.ticket > found.by_id["1"].ticket


async def test_what_a_sweep_has_not_met_is_what_is_older_than_it_and_has_data(store: Store) -> None:
    await copied(store, *range(10))
    await store.load([(copy(key(50), await store.ticket(), data=None), None)], exclusive=False)
    await store.load([(copy(key(1, table="public.other"), await store.ticket()), None)], exclusive=False)
    sweep = await store.ticket()
    await copied(store, "young")
    await store.meet(sweep, [str(n) for n in range(7)], note=("where", "here"))
    unmet = await store.unmet("supabase", "public.users", sweep, limit=2)
    assert [record.id for record in unmet.records] == ["7", "8"]
    assert (unmet.count, unmet.copied) == (3, 11)
    rest = await store.unmet("supabase", "public.users", sweep, after="8", limit=2)
    assert [record.id for record in rest.records] == ["9"]
    assert await store.note("where") == "here"


async def test_the_copies_without_content_are_listed_by_id_and_counted(store: Store) -> None:
    ids = ["", "1", "2", "3", "4"]
    await copied(store, *ids)
    has_content = replace(copy(key("2"), await store.ticket()), content='{"markdown":""}')
    await store.load([(has_content, None)], exclusive=False)
    await store.load([(copy(key("5"), await store.ticket(), data=None), None)], exclusive=False)
    await store.load([(copy(key(6, table="public.other"), await store.ticket()), None)], exclusive=False)
    first = await store.wanting("supabase", "public.users", limit=3)
    assert [one.record.id for one in first] == ["", "1", "3"]
    assert first[1] == await store.copy(key("1"))
    rest = await store.wanting("supabase", "public.users", after="3", limit=3)
    assert [one.record.id for one in rest] == ["4"]
    assert await store.wanting("supabase", "public.users", after="4", limit=3) == ()
    assert await store.content_counts("supabase", "public.users") == ContentCounts(wanting=4, copied=5)
    assert await store.wanting("supabase", "public.empty", limit=3) == ()
    assert await store.content_counts("supabase", "public.empty") == ContentCounts(wanting=0, copied=0)


async def test_sweeps_are_forgotten_one_by_one_or_all_but_some(store: Store) -> None:
    await copied(store, 1, 2, 3)
    first, second = await store.ticket(), await store.ticket()
    for sweep in (first, second):
        await store.meet(sweep, ["1", "2", "3"])
    assert await store.forget_sweeps(only=first, limit=2) == 2
    assert await store.forget_sweeps(only=first, limit=2) == 1
    third = await store.ticket()
    assert await store.forget_sweeps(before=third, keep=[second], limit=10) == 0
    assert await store.forget_sweeps(before=second, limit=10) == 0, "it began later"
    assert (await store.unmet("supabase", "public.users", second, limit=10)).count == 0
    assert await store.forget_sweeps(before=third, limit=10) == 3
    assert (await store.unmet("supabase", "public.users", second, limit=10)).count == 3


async def found(store: Store, *ids: object) -> None:
    records = [key(id_) for id_ in ids]
    standings = await at(store, NOW).standings("supabase", "public.users", [one.id for one in records])
    await at(store, NOW).note_findings(records, standings)


async def test_a_webhook_after_the_comparison_announces_and_one_before_it_does_not(store: Store) -> None:
    await copied(store, 1, 2, 3)
    await at(store, NOW).append([event(2, origin="webhook")], NOW)
    for taken in await take(store):
        await finish(store, taken)
    await found(store, 1, 2, 3)
    await at(store, NOW).append([event(1, origin="poll"), event(2, origin="poll"), event(3, origin="poll")], NOW)
    await at(store, NOW).append([event(1, origin="webhook")], NOW)
    assert await at(store, NOW).settle_findings(0.0) == ()
    await finish(store, *await take(store, now=NOW))
    (counted,) = await at(store, NOW + 1).settle_findings(0.0)
    assert (counted.table, counted.announced, counted.missed) == ("public.users", 1, 2)
    assert await at(store, NOW + 1).settle_findings(0.0) == ()
    totals = await store.totals()
    assert (totals.announced, totals.missed) == ({"supabase:public.users": 1}, {"supabase:public.users": 2})


async def test_a_change_is_counted_once_however_long_its_webhook_waits(store: Store) -> None:
    await copied(store, 1)
    await found(store, 1)
    await at(store, NOW).append([event(1, origin="webhook")], NOW)
    (claim,) = await take(store, now=NOW)
    assert await at(store, NOW + 1_000).settle_findings(120.0) == ()
    read = effects(copy(key(1), await store.ticket(), b'{"id": 1}'), "")
    await at(store, NOW + 1_000).settle(settlement(claim, effects=read, announced=True))
    (counted,) = await at(store, NOW + 1_001).settle_findings(120.0)
    assert (counted.announced, counted.missed) == (1, 0)
    assert (await store.totals()).announced == {"supabase:public.users": 1}


@pytest.mark.parametrize("announced", [True, False])
async def test_what_was_found_while_the_clock_was_ahead_is_counted_when_it_is_right_again(
    store: Store, *, announced: bool
) -> None:
    await copied(store, 1, 2)
    await found(store, 1, 2)
    if announced:
        await at(store, NOW).append([event(1, origin="webhook"), event(2, origin="webhook")], NOW)
        await finish(store, *await take(store, now=NOW))
    (counted,) = await at(store, NOW - 86_400.0).settle_findings(120.0)
    assert (counted.announced, counted.missed) == ((2, 0) if announced else (0, 2))
    await found(store, 1)
    assert await at(store, NOW).settle_findings(120.0) == ()


async def test_a_copy_younger_than_the_comparison_is_no_finding(store: Store) -> None:
    await copied(store, 1)
    standings = await at(store, NOW).standings("supabase", "public.users", ["1"])
    await copied(store, 1)
    await at(store, NOW).note_findings([key(1)], standings)
    assert await at(store, NOW + 1).settle_findings(0.0) == ()


async def test_a_load_never_overwrites_what_was_read_later(store: Store) -> None:
    await copied(store, 1, ticket=50)
    await store.load([(copy(key(1), 40, data=b'{"old": true}'), None)], exclusive=False)
    kept = await store.copy(key(1))
    assert kept is not None
    assert kept.data == b"{}"


@pytest.mark.parametrize("id_", ["a:b", "ä", '"', "%,%"])
async def test_any_id_is_found_again(store: Store, id_: str) -> None:
    record = RecordKey("supabase", "public.users", id_)
    await store.load([(copy(record, await store.ticket()), None)], exclusive=False)
    await at(store, NOW).append([event(id_)], NOW)
    standing = (await at(store, NOW).standings("supabase", "public.users", [id_])).by_id[id_]
    assert (standing.present, standing.dirty) == (True, True)


async def test_what_a_sweep_has_met_before_is_known_and_what_another_has_is_not(store: Store) -> None:
    first, second = await store.ticket(), await store.ticket()
    await store.meet(first, ["1", "2", "é:,"])
    await store.meet(second, ["3"])
    assert await store.met(first, ["2", "3", "é:,", "4"]) == {"2", "é:,"}
    assert await store.met(second, []) == frozenset()
