"""Several nodes on one database: duties that change hands, what is told of others, requests that all reserve."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from structlog.testing import capture_logs

from hookbridge.errors import LeadLost, StoreUnavailable
from hookbridge.store.contract import Store
from hookbridge.store.nodes import FORGOTTEN_SECONDS, Cluster, Lead, Report
from hookbridge.store.postgres import PostgresStore, claims
from tests.support.engines import HandClock
from tests.support.events import event

pytestmark = pytest.mark.on("postgres")

DUTY = "reconcile:supabase"
LEASE = 6.0
NOW = 1_000.0

Enter = Callable[[str], Awaitable[Store]]

WANTS = Report(version="1", wants=(DUTY,), lease_seconds=LEASE)
WATCHES = Report(version="1", lease_seconds=LEASE)


@pytest.fixture
def clock() -> HandClock:
    """That of the server."""
    clock = HandClock()
    clock.now = NOW
    return clock


@pytest.fixture
async def enter(url: str, clock: HandClock) -> AsyncIterator[Enter]:
    """Open the store as another node, or as a later life of one."""
    stores: list[Store] = []

    async def opened(name: str) -> Store:
        store = await PostgresStore.open(url, node=name, moment=lambda: clock.now)
        stores.append(store)
        return store

    yield opened
    for store in stores:
        await store.close()


def lead(cluster: Cluster) -> Lead | None:
    """The lead of the node that was answered."""
    leader = cluster.leaders.get(DUTY)
    return Lead(DUTY, leader.epoch) if leader is not None and leader.mine else None


async def test_a_duty_is_one_nodes_until_its_lease_has_ended_and_then_whoever_wants_it_first(
    enter: Enter, clock: HandClock
) -> None:
    one, other = await enter("one"), await enter("other")
    first = lead(await one.beat(WANTS))
    assert first is not None
    for seconds in (0.0, LEASE - 0.1):
        clock.now = NOW + seconds
        told = await other.beat(WANTS)
        assert lead(told) is None
        assert told.leaders[DUTY].node == "one"
        assert told.leaders[DUTY].left_seconds == pytest.approx(LEASE - seconds)
    clock.now = NOW + LEASE
    taken = lead(await other.beat(WANTS))
    assert taken is not None
    assert taken.epoch > first.epoch
    assert lead(await one.beat(WANTS)) is None
    assert await other.put_note("by", "other", lead=taken)
    with pytest.raises(LeadLost):
        await one.put_note("by", "one", lead=first)
    assert await one.note("by") == "other"


async def test_a_duty_that_is_renewed_stays_however_long(enter: Enter, clock: HandClock) -> None:
    one, other = await enter("one"), await enter("other")
    first = lead(await one.beat(WANTS))
    for second in range(1, 20):
        clock.now = NOW + second
        assert lead(await one.beat(WANTS)) == first
        assert lead(await other.beat(WANTS)) is None


async def test_nothing_is_written_with_a_lease_that_has_ended_although_nobody_took_it(
    enter: Enter, clock: HandClock
) -> None:
    one = await enter("one")
    first = lead(await one.beat(WANTS))
    clock.now = NOW + LEASE
    with pytest.raises(LeadLost):
        await one.put_note("by", "one", lead=first)
    again = lead(await one.beat(WANTS))
    assert again is not None
    assert first is not None
    assert again.epoch > first.epoch
    with pytest.raises(LeadLost):
        await one.put_note("by", "one", lead=first)


async def test_what_a_node_did_that_leaves_another_can_do_at_once(enter: Enter) -> None:
    one, other = await enter("one"), await enter("other")
    first = lead(await one.beat(WANTS))
    await other.beat(WATCHES)
    await one.leave()
    cluster = await other.beat(WANTS)
    assert lead(cluster) is not None
    assert [node.name for node in cluster.nodes] == ["other"]
    with pytest.raises(LeadLost):
        await one.put_note("by", "one", lead=first)


async def test_a_node_that_was_started_anew_has_its_duties_at_once_and_the_process_before_none(enter: Enter) -> None:
    before, other = await enter("one"), await enter("other")
    first = lead(await before.beat(WANTS))
    later = await enter("one")
    again = lead(await later.beat(WANTS))
    assert again is not None
    assert first is not None
    assert again.epoch > first.epoch
    assert lead(await other.beat(WANTS)) is None
    with pytest.raises(LeadLost):
        await before.put_note("by", "before", lead=first)
    with pytest.raises(StoreUnavailable, match="Another process uses the name of this node, one") as caught:
        await before.beat(WANTS)
    assert "[node] name" in caught.value.hint
    assert lead(await later.beat(WANTS)) == again


async def test_a_node_is_told_of_until_it_was_silent_for_long(enter: Enter, clock: HandClock) -> None:
    one, other = await enter("one"), await enter("other")
    await one.beat(Report(version="7", roles=("receive",), figures='{"queued": 1}'))
    clock.now = NOW + 20.0
    (told, _) = (await other.beat(WATCHES)).nodes
    assert (told.name, told.version, told.roles, told.figures) == ("one", "7", ("receive",), '{"queued": 1}')
    assert told.seen_seconds == pytest.approx(20.0)
    clock.now = NOW + FORGOTTEN_SECONDS + 1.0
    assert [node.name for node in (await other.beat(WATCHES)).nodes] == ["other"]


async def test_what_is_asked_reaches_whoever_does_it_also_after_a_takeover(enter: Enter, clock: HandClock) -> None:
    one, other = await enter("one"), await enter("other")
    await one.beat(WANTS)
    number = await other.ask(DUTY, "sweep")
    assert (await other.beat(WATCHES)).asks == ()
    assert [ask.words for ask in (await one.beat(WANTS)).asks] == ["sweep"]
    clock.now = NOW + LEASE
    assert [ask.words for ask in (await other.beat(WANTS)).asks] == ["sweep"]
    await other.answer(number, "done")
    assert await one.answered(number) == "done"


async def test_an_operators_question_is_forgotten_when_nobody_can_wait_for_it_any_more(
    enter: Enter, clock: HandClock
) -> None:
    one = await enter("one")
    await one.beat(WANTS)
    await one.ask(DUTY, "sweep")
    clock.now = NOW + 3_601.0
    assert (await one.beat(WANTS)).asks == ()


async def test_a_source_that_told_one_node_to_leave_it_alone_is_left_alone_by_all(
    enter: Enter, clock: HandClock
) -> None:
    one, other = await enter("one"), await enter("other")
    await one.beat(Report(halts={"notion": 30.0}))
    await one.beat(Report(halts={"notion": 10.0}))  # a later word that ends earlier
    clock.now = NOW + 5.0
    assert (await other.beat(WATCHES)).halts == {"notion": pytest.approx(25.0)}
    assert (await other.permit("notion", 1, per_second=3.0)).halted_seconds == pytest.approx(25.0)
    clock.now = NOW + 30.0
    assert (await other.beat(WATCHES)).halts == {}


async def test_all_nodes_together_reserve_no_more_than_the_rate_allows(enter: Enter, clock: HandClock) -> None:
    nodes = [await enter("one"), await enter("other")]
    waits = [(await nodes[number % 2].permit("notion", 1, per_second=3.0)).wait_seconds for number in range(9)]
    assert waits == pytest.approx([0.0, 0.0, 0.0, 1 / 3, 2 / 3, 1.0, 4 / 3, 5 / 3, 2.0])
    clock.now = NOW + 100.0
    assert (await nodes[0].permit("notion", 3, per_second=3.0)).wait_seconds == 0.0, "a second's worth at once"
    assert (await nodes[1].permit("notion", 1, per_second=3.0)).wait_seconds == pytest.approx(1 / 3)
    assert (await nodes[1].permit("notion", 2, per_second=2.5)).wait_seconds > 0.0


async def test_a_nodes_time_is_the_servers_and_not_ahead_of_it(
    enter: Enter, clock: HandClock, sql: asyncpg.Connection
) -> None:
    clock.now = None
    before = await sql.fetchval("SELECT hookbridge.now_1(NULL)")
    one = await enter("one")
    first = one.now()
    await one.beat(WATCHES)
    assert before - 60.0 < first <= one.now() <= await sql.fetchval("SELECT hookbridge.now_1(NULL)")


# A server's clock that is set back by minutes


BACK = 600.0


@pytest.mark.parametrize("first", ["the one that has it", "the other one"])
async def test_a_duty_whose_node_lives_stays_with_it_when_the_clock_is_set_back(
    enter: Enter, clock: HandClock, first: str
) -> None:
    one, other = await enter("one"), await enter("other")
    had = lead(await one.beat(WANTS))
    clock.now = NOW - BACK
    nodes = (one, other) if first == "the one that has it" else (other, one)
    for second in range(20):
        clock.now = NOW - BACK + second
        told = [await node.beat(WANTS) for node in nodes]
        assert lead(told[nodes.index(one)]) == had
        assert lead(told[nodes.index(other)]) is None
    assert await one.put_note("by", "one", lead=had)


async def test_a_duty_whose_node_is_gone_is_taken_a_lease_after_the_clock_was_set_back(
    enter: Enter, clock: HandClock
) -> None:
    one, other = await enter("one"), await enter("other")
    had = lead(await one.beat(WANTS))
    clock.now = NOW - BACK
    assert lead(await other.beat(WANTS)) is None
    clock.now = NOW - BACK + LEASE
    taken = lead(await other.beat(WANTS))
    assert had is not None
    assert taken is not None
    assert taken.epoch > had.epoch
    with pytest.raises(LeadLost):
        await one.put_note("by", "one", lead=had)


async def test_a_node_that_is_gone_does_not_seem_to_be_there_until_a_clock_that_was_set_back_has_caught_up(
    enter: Enter, clock: HandClock
) -> None:
    one, other = await enter("one"), await enter("other")
    await one.beat(WATCHES)
    clock.now = NOW - BACK
    await other.beat(WATCHES)
    clock.now = NOW - BACK + 40.0
    assert [node.seen_seconds for node in (await other.beat(WATCHES)).nodes if node.name == "one"] == [40.0]
    clock.now = NOW - BACK + FORGOTTEN_SECONDS + 1.0
    assert [node.name for node in (await other.beat(WATCHES)).nodes] == ["other"]


async def test_what_waits_can_be_claimed_when_the_clock_is_set_back_and_what_is_claimed_stays(
    enter: Enter, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RELEASED_MAX", 2)
    one, other = await enter("one"), await enter("other")
    for node in (one, other):
        await node.beat(WATCHES)
    await one.append([event(number) for number in range(9)], NOW)
    taken = await one.claim("supabase", 3, lease_seconds=300.0)
    await one.release(taken[:1])
    clock.now = NOW - BACK
    assert await other.claim("supabase", 9, lease_seconds=300.0) == ()
    with capture_logs() as lines:
        await other.beat(WATCHES)
    assert [line["event"] for line in lines] == ["The clock of the store's server was set back"]
    found = {claim.record for claim in await other.claim("supabase", 9, lease_seconds=300.0)}
    assert len(found) == 7
    assert not found & {claim.record for claim in taken[1:]}
    assert await one.renew(taken[1:], lease_seconds=300.0) == taken[1:]
    clock.now += 299.0
    assert await other.claim("supabase", 9, lease_seconds=300.0) == ()
    clock.now += 2.0
    assert len(await other.claim("supabase", 9, lease_seconds=300.0)) == 9, "leases are as long as they are"


async def test_requests_that_were_reserved_do_not_wait_for_a_clock_that_was_set_back(
    enter: Enter, clock: HandClock
) -> None:
    one, other = await enter("one"), await enter("other")
    for node in (one, other):
        await node.beat(WATCHES)
    assert (await one.permit("notion", 6, per_second=3.0)).wait_seconds > 0
    clock.now = NOW - BACK
    await other.beat(WATCHES)
    assert (await one.permit("notion", 1, per_second=3.0)).wait_seconds == 0
