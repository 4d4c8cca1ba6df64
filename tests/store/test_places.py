"""The places of destinations: what they hold, whoever drives them, and when one is dropped."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from hookbridge import feed
from hookbridge.config import RetentionConfig, ServerConfig, StoreConfig
from hookbridge.destinations import Places, standing
from hookbridge.destinations.standing import Standing, Word
from hookbridge.errors import StoreUnavailable
from hookbridge.feed import Place
from hookbridge.pipeline.append import Intake
from hookbridge.retention import Run
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.values import Rejected
from hookbridge.upkeep import Upkeep
from tests.support.events import copy, key
from tests.support.naps import Naps

DAY = 86_400.0
BEGAN = 100 * DAY


class Node:
    """A node with its configuration, whose days go by."""

    now = BEGAN

    def __init__(self, store: Store, *wanted: str, holds_max: int = 1_000) -> None:
        self.places = Places(store, wanted, self.clock, holds_max=holds_max)
        retention = RetentionConfig(settled_days=10.0, dead_days=30.0, tombstone_days=1.0, batch_rows=2)
        intake = Intake(store, ServerConfig(), StoreConfig(), lambda _: None, self.clock)
        self.upkeep = Upkeep(
            store,
            intake,
            retention,
            StoreConfig(),
            self.places,
            self.clock,
            monotonic=self.clock,
            sleep=Naps(),
        )

    @classmethod
    def clock(cls) -> float:
        return cls.now

    async def tidy(self) -> None:
        await self.upkeep.remove_old()


@pytest.fixture(autouse=True)
def begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "now", BEGAN)


async def stands(store: Store, name: str, place: Place) -> None:
    await store.put_note(note_names.destination(name), standing.written(Standing(place=str(place))))


async def gone(store: Store, number: int) -> list[int]:
    """So many records that went long ago, and one that is there; gives the places of those that went."""
    for one in range(number):
        read_at = BEGAN - 50 * DAY + one
        await store.put(copy(key(one), await store.ticket(), None, read_at=read_at), None, exclusive=False)
    await store.put(copy(key("there"), await store.ticket(), read_at=BEGAN), None, exclusive=False)
    return [entry.seq for entry in (await store.feed(after=0, limit=number)).entries]


async def left(store: Store, number: int) -> list[int]:
    return [one for one in range(number) if await store.copy(key(one)) is not None]


async def test_deletions_stay_for_whoever_has_not_passed_them_whichever_node_has_it(store: Store) -> None:
    places = await gone(store, 5)
    id_ = (await store.feed_ends()).id
    await stands(store, "far", Place(id_, places[3]))
    await stands(store, "near", Place(id_, places[1]))
    await stands(store, "another feed's", Place("0" * 32, 0))
    await store.put_note(note_names.destination("not begun"), standing.written(Standing()))
    other = Node(store)
    await other.tidy()
    assert await left(store, 5) == [2, 3, 4]
    assert feed.why_gone(Place(id_, places[1]), await store.feed_ends()) is None
    await stands(store, "near", Place(id_, places[4]))
    await other.tidy()
    assert await left(store, 5) == [4]


async def test_one_in_a_snapshot_holds_what_went_since_that_began(store: Store) -> None:
    places = await gone(store, 4)
    await stands(store, "new", Place((await store.feed_ends()).id, 0, places[1]))
    await Node(store).tidy()
    assert await left(store, 4) == [2, 3]


async def test_a_word_that_nobody_has_done_yet_holds_its_place(store: Store) -> None:
    places = await gone(store, 4)
    id_ = (await store.feed_ends()).id
    await stands(store, "paused", Place(id_, places[3]))
    word = Word().and_then(BEGAN, paused=True, place=Place(id_, places[0]))
    await store.put_note(note_names.word_on_destination("paused"), standing.written(word))
    await Node(store).tidy()
    assert await left(store, 4) == [1, 2, 3]


async def test_more_than_so_many_are_not_held_and_that_is_said(store: Store) -> None:
    places = await gone(store, 8)
    id_ = (await store.feed_ends()).id
    await stands(store, "far", Place(id_, places[0]))
    await stands(store, "near", Place(id_, places[5]))
    node = Node(store, holds_max=4)
    with capture_logs() as lines:
        await node.tidy()
    assert await left(store, 8) == [4, 5, 6, 7]
    (said,) = (one for one in lines if one["log_level"] == "error")
    assert (said["destinations"], said["deletions"], said["kept"]) == (["far"], 3, 4)
    assert feed.why_gone(Place(id_, places[0]), await store.feed_ends())
    with capture_logs() as lines:
        await node.tidy()  # one whose place is gone holds nothing any more
    assert await left(store, 8) == [6, 7]
    assert not [one for one in lines if one["log_level"] == "error"]


async def test_one_that_no_node_has_any_more_is_dropped_after_thirty_days(store: Store) -> None:
    await gone(store, 1)
    id_ = (await store.feed_ends()).id
    has, has_not = Node(store, "search"), Node(store)
    await has.places.open()
    await stands(store, "search", Place(id_, 0))
    await store.put_note(note_names.word_on_destination("search"), standing.written(Word(number=1, paused=True)))
    await stands(store, "of before that was noted", Place(id_, 0))
    note = "destination:search", await store.note("destination:search") or ""
    await store.reject("search", [Rejected(record=key(1), seq=1, reason="it answered 422")], note=note)
    await has_not.tidy()
    for _ in range(60):  # a change of the configuration that lasts: one node has it, the other one has not
        Node.now += DAY
        await has.places.open()
        await has_not.tidy()
    kept = await store.notes("destination")
    assert {note_names.destination("search"), note_names.word_on_destination("search")} < set(kept)
    assert not [name for name in kept if "of before" in name], "that one nobody has had for sixty days"
    for _ in range(29):
        Node.now += DAY
        await has_not.tidy()
    assert await store.notes("destination") == kept
    assert await store.rejection_counts() == {"search": 1}
    for _ in range(3):
        Node.now += DAY
        await has_not.tidy()
    assert await store.notes("destination") == {}
    assert await store.rejection_counts() == {}


class Dies:
    """A store that a node has for one write of what it drops, and that is away afterwards."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._is_away = False

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **more: Any) -> Any:  # noqa: ANN401  as the store's are
            if self._is_away:
                raise StoreUnavailable(name)
            self._is_away = name.startswith(("drop", "forget", "reject"))
            return await getattr(self._store, name)(*args, **more)

        return call


async def test_one_is_dropped_whole_by_a_node_that_dies_behind_its_first_write(store: Store) -> None:
    await Node(store, "search").places.open()
    await stands(store, "search", Place((await store.feed_ends()).id, 0))
    note = "destination:search", await store.note("destination:search") or ""
    await store.reject("search", [Rejected(record=key(1), seq=1, reason="it answered 422")], note=note)
    places = Places(cast("Store", Dies(store)), (), Node.clock)
    Node.now += 31 * DAY
    assert await places.drop([Run(BEGAN, Node.now)], Node.now, None) == 1
    assert (await store.notes("destination"), await store.rejection_counts()) == ({}, {})


async def test_one_that_comes_back_in_time_is_kept(store: Store) -> None:
    await gone(store, 1)
    has, has_not = Node(store, "search"), Node(store)
    await has.places.open()
    await stands(store, "search", Place((await store.feed_ends()).id, 0))
    for _ in range(29):
        Node.now += DAY
        await has_not.tidy()
    await Node(store, "search").places.open()
    for _ in range(29):
        Node.now += DAY
        await has_not.tidy()
    assert await store.note(note_names.destination("search"))


async def test_that_one_is_wanted_costs_a_write_a_day(store: Store) -> None:
    node = Node(store, "search")
    said = []
    for _ in range(48):
        await node.places.open()
        said.append(await store.note(note_names.wanted("search")))
        Node.now += DAY / 24
    assert len(set(said)) == 2
