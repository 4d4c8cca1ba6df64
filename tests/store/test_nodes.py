"""The nodes that share a store: who does what alone, what they tell each other, how much they ask of a source."""

import asyncio

import pytest

from hookbridge.errors import LeadLost
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Cluster, Lead, Report
from hookbridge.store.values import Rejected
from tests.support.engines import at
from tests.support.events import copy, event, key

NOW = 1_000.0
DUTY = "reconcile:supabase"
REJECTED = Rejected(record=key(1), seq=1, reason="it answered 422")


def report(*wants: str, hears: tuple[str, ...] = ()) -> Report:
    return Report(
        version="1.2", roles=("process",), figures='{"queued": 3}', wants=wants, lease_seconds=6.0, hears=hears
    )


def lead(cluster: Cluster, duty: str = DUTY) -> Lead:
    leader = cluster.leaders[duty]
    assert leader.mine
    return Lead(duty, leader.epoch)


async def test_a_node_that_is_alone_does_what_it_wants_and_is_the_one_that_is_there(store: Store) -> None:
    cluster = await store.beat(report(DUTY))
    (node,) = cluster.nodes
    assert (node.name, node.version, node.roles, node.figures) == (store.node, "1.2", ("process",), '{"queued": 3}')
    assert node.seen_seconds < 60
    assert set(cluster.leaders) == {DUTY}
    assert cluster.leaders[DUTY].node == store.node
    assert cluster.leaders[DUTY].left_seconds > 0


async def test_a_duty_stays_with_its_node_and_keeps_its_epoch_with_each_beat(store: Store) -> None:
    first = lead(await store.beat(report(DUTY)))
    assert lead(await store.beat(report(DUTY, "upkeep"))) == first


async def test_a_duty_that_is_no_longer_wanted_is_given_up(store: Store) -> None:
    before = lead(await store.beat(report(DUTY, "upkeep")))
    assert set((await store.beat(report("upkeep"))).leaders) == {"upkeep"}
    assert lead(await store.beat(report(DUTY))).epoch > before.epoch


async def write_all(store: Store, lead: Lead) -> list[type[BaseException] | None]:
    """Write in each way that takes a lead; gives what was raised."""
    sweep, standings = await store.ticket(), await store.standings("supabase", "public.users", ["1"])
    await store.reject("goes", [REJECTED], note=("goes", "there"))
    writes = (
        store.put_note("where", "here", lead=lead),
        store.drop_destination("goes", ("goes",), value="there", lead=lead),
        store.meet(sweep, ["1"], note=("place", "there"), lead=lead),
        store.load([(copy(key(1), sweep), None)], exclusive=False, lead=lead),
        store.note_findings([key(2)], standings, lead=lead),
        store.reject("search", [REJECTED], note=("stands", "so"), lead=lead),
    )
    raised = await asyncio.gather(*writes, return_exceptions=True)
    return [type(one) if isinstance(one, BaseException) else None for one in raised]


async def test_what_is_written_with_a_lead_that_holds_is_written(store: Store) -> None:
    held = lead(await store.beat(report(DUTY)))
    assert await write_all(store, held) == [None] * 6
    assert (await store.note("where"), await store.note("place")) == ("here", "there")
    assert (await store.note("goes"), await store.rejection_counts()) == (None, {"search": 1})
    assert await store.copy(key(1)) is not None


@pytest.mark.parametrize("how", ["left", "left and back", "given up"])
async def test_nothing_is_written_with_a_lead_that_has_ended(store: Store, how: str) -> None:
    held = lead(await store.beat(report(DUTY, "upkeep")))
    if how == "given up":
        await store.beat(report("upkeep"))
    else:
        await store.leave()
    if how == "left and back":
        assert lead(await store.beat(report(DUTY))).epoch > held.epoch
    assert await write_all(store, held) == [LeadLost] * 6
    assert (await store.note("stands"), await store.rejection_counts()) == (None, {"goes": 1})
    assert (await store.note("where"), await store.note("place")) == (None, None)
    assert await store.note("goes") == "there"
    assert await store.copy(key(1)) is None
    assert await store.settle_findings(0.0) == ()


async def test_a_beat_tells_the_notes_that_are_wanted_and_there(store: Store) -> None:
    await store.put_note("paused:notion", "by hand")
    await store.put_note("other", "unheard")
    cluster = await store.beat(report(hears=("paused:notion", "paused:supabase")))
    assert cluster.notes == {"paused:notion": "by hand"}
    await store.put_note("paused:notion", None)
    assert (await store.beat(report(hears=("paused:notion",)))).notes == {}


async def test_a_beat_tells_when_which_source_has_something_to_do(store: Store) -> None:
    assert (await at(store, NOW).beat(report())).due == {}
    await at(store, NOW).append([event(1)], NOW)
    assert (await at(store, NOW).beat(report())).due == {"supabase": 0.0}
    await at(store, NOW).claim("supabase", 1, lease_seconds=30.0)
    assert (await at(store, NOW + 10).beat(report())).due == {"supabase": pytest.approx(20.0)}


async def test_a_source_that_wants_to_be_left_alone_is_told_of(store: Store) -> None:
    halted = Report(lease_seconds=6.0, halts={"notion": 30.0})
    cluster = await store.beat(halted)
    assert cluster.halts["notion"] == pytest.approx(30.0, abs=5)
    assert "supabase" not in cluster.halts


async def test_what_is_asked_of_a_duty_reaches_who_does_it_until_it_is_answered(store: Store) -> None:
    await store.beat(report(DUTY))
    first, second = await store.ask(DUTY, "sweep"), await store.ask(DUTY, "poll — ü")
    await store.ask("upkeep", "not mine")
    cluster = await store.beat(report(DUTY))
    assert [(ask.id, ask.duty, ask.words) for ask in cluster.asks] == [
        (first, DUTY, "sweep"),
        (second, DUTY, "poll — ü"),
    ]
    assert await store.answered(first) is None
    await store.answer(first, "done")
    assert [ask.id for ask in (await store.beat(report(DUTY))).asks] == [second]
    assert await store.answered(first) == "done"
    assert await store.answered(first) is None, "an answer is taken once"
    await store.answer(first, "again")
    assert await store.answered(first) is None, "nobody waits for it any more"


async def test_a_store_tells_its_own_time(store: Store) -> None:
    await at(store, NOW).beat(report())
    assert at(store, NOW).now() == pytest.approx(NOW, abs=60)
