"""A destination refuses what is in a message: that is cut down to the record, rejected where others are taken."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hookbridge.config import Settings
from hookbridge.destinations import driver
from hookbridge.destinations.driver import Driver
from hookbridge.errors import LeadLost
from hookbridge.store import note_names
from hookbridge.store.nodes import Lead
from hookbridge.store.values import EVERY_CHANGE, Rejected
from tests.service.test_destinations import changed, delivered, follows, in_state, said, state, taken, told
from tests.support.changing import go_unnoticed, put
from tests.support.events import key
from tests.support.metrics import Scrape
from tests.support.receivers import Answering, Receiver, receiver
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


def refuses(there: Receiver, ids: Collection[str], status: int = 422) -> None:
    """Let it refuse every message that has one of these records in it."""

    def answer() -> web.Response:
        bad = sorted(str(one.get("id")) for one in there.bodies[-1]["changes"] if one.get("id") in ids)
        return web.Response(status=status, text=f"bad: {', '.join(bad)}") if bad else web.Response(status=204)

    there.otherwise = answer


async def filled(folder: Path, number: int) -> None:
    """Have so many records, before anybody is told of them."""
    async with running(make_settings(folder)) as service:
        for one in range(number):
            await changed(service, str(one), n=one)


@asynccontextmanager
async def three_rejected(folder: Path, there: Receiver) -> AsyncIterator[Running]:
    """Serve a destination that has rejected the records 1, 3 and 5 of eight, and has been told all else."""
    await filled(folder, 8)
    refuses(there, {"1", "3", "5"})
    async with running(told(folder, there.destination())) as service:
        await rejected(service, 3)
        await has_told_all(service)
        yield service


async def full(settings: Settings) -> tuple[Sequence[Rejected], tuple[str, str]]:
    """Have as many rejected changes kept of a destination as there may be; gives them, and the note of its place."""
    many = [Rejected(record=key(number), seq=number + 1, reason="bad") for number in range(100, 10_100)]
    async with running(settings) as service:
        await has_told_all(service)
        name = note_names.destination("search")
        stands = await service.service.store.note(name)
        assert stands is not None
        await service.service.store.reject("search", many, note=(name, stands))
    return many, (name, stands)


async def rejected(service: Running, number: int) -> dict[str, Any]:
    """Wait until so many are rejected."""

    async def is_so() -> bool:
        return bool((await state(service))["rejected"] == number)

    await wait_until(is_so)
    return await state(service)


async def has_told_all(service: Running) -> None:
    """Wait until its place is kept behind all that there was."""

    async def is_so() -> bool:
        now = await state(service)
        return now["seq"] is not None and not now["snapshot"]

    await wait_until(is_so)


def told_ids(there: Receiver) -> list[str | None]:
    return [one.get("id", one["type"]) for one in there.taken]


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("bad", ["0", "3", "6"])
async def test_a_message_is_cut_down_to_the_record_that_is_refused_and_the_others_are_taken_in_their_order(
    tmp_path: Path, there: Receiver, status: int, bad: str
) -> None:
    await filled(tmp_path, 7)
    refuses(there, {bad}, status)
    async with running(told(tmp_path, there.destination())) as service:
        await has_told_all(service)
        now = await rejected(service, 1)
        expected = [str(one) for one in range(7) if str(one) != bad]
        assert told_ids(there) == ["snapshot_begin", *expected, "snapshot_end"]
        assert (now["state"], now["reason"], now["delivered"]) == ("running", None, 6)
        (kept,) = await service.service.store.rejections("search", limit=10)
        assert kept.record.id == bad
        assert kept.reason == f"it answered {status}: bad: {bad}"
        ready = await (await service.get("/readyz")).json()
        assert ready["ready"]
        assert "destination search rejected" in [one["kind"] for one in ready["verdict"]["problems"]]
        seen = Scrape(await (await service.get("/metrics")).text())
        assert seen("destination_rejected", destination="search") == 1


async def test_a_later_change_of_a_rejected_record_is_sent_and_ends_the_rejection(
    tmp_path: Path, there: Receiver
) -> None:
    await filled(tmp_path, 3)
    refuses(there, {"1"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 1)
        await has_told_all(service)
        refuses(there, set())
        await changed(service, "1", n="new")
        await wait_until(lambda: taken(there, "1", "new"))
        await rejected(service, 0)
    assert not taken(there, "1", 1)


async def test_a_record_without_a_neighbour_waits_until_another_one_is_taken(tmp_path: Path, there: Receiver) -> None:
    refuses(there, {"0"})
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        await changed(service, "0", n=0)
        now = await in_state(service, "down")
        assert now["reason"] == "it answered 422: bad: 0; nothing is rejected before it takes another change"
        assert now["rejected"] == 0
        await changed(service, "1", n=1)
        now = await rejected(service, 1)
        assert taken(there, "1", 1)
        assert (now["state"], now["changes_behind"]) == ("running", 0)


@pytest.mark.parametrize("comes", ["0", "1"])
async def test_whatever_comes_behind_a_record_without_a_neighbour_is_tried_at_once(
    tmp_path: Path, there: Receiver, monkeypatch: pytest.MonkeyPatch, comes: str
) -> None:
    monkeypatch.setattr(driver, "wait_seconds", lambda _: 3600.0)
    refuses(there, {"0"})
    async with running(told(tmp_path, there.destination(start="now", types=["upsert"]))) as service:
        await follows(service)
        await changed(service, "0", n=0)
        await in_state(service, "down")
        await put(service.service.store, "gone", None)  # it is not told of that
        if comes == "0":
            refuses(there, set())
        await changed(service, comes, n="new")
        await wait_until(lambda: taken(there, comes, "new"))
        await rejected(service, 1 if comes == "1" else 0)
    assert len(there.bodies) == (3 if comes == "1" else 2)


async def test_one_that_refuses_everything_rejects_nothing_and_goes_on_when_it_is_mended(
    tmp_path: Path, there: Receiver
) -> None:
    await filled(tmp_path, 9)
    there.otherwise = lambda: web.Response(status=422)
    async with running(told(tmp_path, there.destination())) as service:

        async def has_tried() -> bool:
            return bool((await state(service))["failures"] >= 2)

        await wait_until(has_tried)
        now = await state(service)
        assert (now["state"], now["rejected"], now["delivered"], now["seq"]) == ("down", 0, 0, 0)
        there.otherwise = lambda: web.Response(status=204)
        await said(service, "resume")
        await has_told_all(service)
        assert told_ids(there) == ["snapshot_begin", *map(str, range(9)), "snapshot_end"]
        assert (await state(service))["rejected"] == 0


@pytest.mark.parametrize("batch", [1, 100])
async def test_three_rejections_in_a_row_stop_it_until_it_is_resumed(
    tmp_path: Path, there: Receiver, batch: int
) -> None:
    await filled(tmp_path, 9)
    refuses(there, {"0", "2", "5", "6", "7"})
    settings = told(tmp_path, there.destination(batch=batch))
    async with running(settings) as service:
        now = await in_state(service, "stopped")
        assert "it has rejected 3 changes in a row, the last one of supabase:public.users:7" in now["reason"]
        assert (now["rejected"], now["next_try_at"]) == (5, None)
        ready = await (await service.get("/readyz")).json()
        assert "destination search stopped" in [one["kind"] for one in ready["verdict"]["problems"]]
    async with running(settings) as service:
        assert (await state(service))["state"] == "stopped"
        assert "snapshot_end" not in told_ids(there)
        await said(service, "resume")
        await has_told_all(service)
        assert [one for one in dict.fromkeys(told_ids(there)) if one] == [
            *("snapshot_begin", "1", "3", "4", "8", "snapshot_end")
        ]
        assert (await rejected(service, 5))["state"] == "running"


STATES: list[Callable[[], web.Response]] = [
    *(
        lambda status=status: web.Response(status=status)
        for status in (302, 401, 403, 404, 405, 408, 409, 415, 425, 429)
    ),
    lambda: web.Response(status=500),
]


@pytest.mark.parametrize("answer", STATES)
async def test_what_speaks_of_the_destination_cuts_nothing(
    tmp_path: Path, there: Receiver, answer: Callable[[], web.Response]
) -> None:
    await filled(tmp_path, 4)
    there.otherwise = answer
    async with running(told(tmp_path, there.destination())) as service:
        await wait_until(lambda: len(there.bodies) == 3)
        assert len(set(there.ids)) == 1
        assert (await state(service))["rejected"] == 0


async def test_a_destination_that_goes_down_while_a_message_is_cut_rejects_nothing_for_what_it_took_before(
    tmp_path: Path, there: Receiver
) -> None:
    await filled(tmp_path, 4)

    def answer() -> web.Response:
        ids = [one.get("id") for one in there.bodies[-1]["changes"]]
        if len(there.bodies) == 3:  # the first half is taken, then it is away for a moment, then it is another one
            return web.Response(status=503)
        return web.Response(status=422 if "3" in ids or len(there.bodies) > 3 else 204)

    there.otherwise = answer
    async with running(told(tmp_path, there.destination(start="snapshot"))) as service:

        async def has_tried() -> bool:
            return bool((await state(service))["failures"] >= 2)

        await wait_until(has_tried)
        assert (await state(service))["rejected"] == 0
        assert len(there.bodies) > 4


async def test_a_snapshots_marks_are_never_rejected(tmp_path: Path, there: Receiver) -> None:
    await filled(tmp_path, 2)

    def answer() -> web.Response:
        kinds = {one["type"] for one in there.bodies[-1]["changes"]}
        return web.Response(status=400 if "snapshot_end" in kinds else 204)

    there.otherwise = answer
    async with running(told(tmp_path, there.destination())) as service:
        now = await in_state(service, "down")
        assert (now["rejected"], now["snapshot"]) == (0, True)
        assert told_ids(there) == ["snapshot_begin", "0", "1"]
        there.otherwise = lambda: web.Response(status=204)
        await said(service, "resume")
        await has_told_all(service)
        assert (await in_state(service, "running"))["rejected"] == 0


async def test_one_that_has_rejected_as_much_as_is_kept_stops(tmp_path: Path, there: Receiver) -> None:
    settings = told(tmp_path, there.destination())
    many, note = await full(settings)
    refuses(there, {"1"})
    async with running(settings) as service:
        await changed(service, "1", n=1)
        await changed(service, "2", n=2)
        now = await in_state(service, "stopped")
        assert now["reason"] == "10,000 changes that it rejected are kept, and no more are"
        assert now["rejected"] == 10_000
        await service.service.store.reject("search", [], taken=[many[0].record], note=note)
        assert (await state(service))["rejected"] == 9_999
        await said(service, "resume")
        now = await rejected(service, 10_000)
        assert (now["state"], now["changes_behind"]) == ("running", 0)
        assert taken(there, "2", 2)


@pytest.mark.parametrize("status", [422, 500])
async def test_what_is_refused_comes_again_under_its_id_after_a_restart(
    tmp_path: Path, there: Receiver, status: int
) -> None:
    await filled(tmp_path, 3)
    there.otherwise = lambda: web.Response(status=status)
    settings = told(tmp_path, there.destination())
    for _ in range(2):
        there.bodies.clear()
        async with running(settings) as service:
            await wait_until(lambda: there.bodies)  # that it is down is known of before
            await in_state(service, "down")
    assert there.ids[0] == there.ids[len(there.ids) - len(there.bodies)]
    assert [len(there.bodies[0]["changes"])] == [5]


def meanwhile(service: Running, id_: str, n: int, status: int) -> Answering:
    """Have a record changed before this is answered."""

    async def answer(_request: web.Request) -> web.Response:
        await changed(service, id_, n=n)
        return web.Response(status=status, text="bad")

    return answer


async def test_a_record_that_changes_while_a_neighbour_is_looked_for_is_rejected_once_as_it_was_last(
    tmp_path: Path, there: Receiver
) -> None:
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        again = [meanwhile(service, "0", n, 422) for n in (2, 3)]
        there.answers = [*again, meanwhile(service, "1", 1, 422), meanwhile(service, "2", 2, 204)]
        await changed(service, "0", n=1)
        await wait_until(lambda: taken(there, "2", 2))
        now = await rejected(service, 1)
        assert (now["state"], now["reason"]) == ("running", None)
        (kept,) = await service.service.store.rejections("search", limit=10)
        last = await service.service.store.last_change(kept.record)
        assert last is not None
        assert kept.seq == last.seq


async def test_a_record_that_is_mended_while_a_neighbour_is_looked_for_is_not_rejected(
    tmp_path: Path, there: Receiver
) -> None:
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        there.answers = [meanwhile(service, "0", 2, 422)]
        await changed(service, "0", n=1)
        await wait_until(lambda: taken(there, "0", 2))
        await changed(service, "1", n=1)
        now = await delivered(service, 2)
        assert (now["state"], now["rejected"]) == ("running", 0)
        assert taken(there, "1", 1)


@pytest.mark.parametrize("to", ["start", "now"])
async def test_a_rewind_while_a_neighbour_is_tried_forgets_who_was_suspected(
    tmp_path: Path, there: Receiver, to: str
) -> None:
    await filled(tmp_path, 3)
    async with running(told(tmp_path, there.destination(batch=1))) as service:
        refused = web.Response(status=422, text="bad")
        there.answers = [web.Response(status=204), refused, partial(Receiver.never, there)]
        await wait_until(lambda: len(there.bodies) == 3)
        await said(service, "rewind", {"to": to})
        await changed(service, "3", n=3)
        await wait_until(lambda: taken(there, "3", 3))
        await has_told_all(service)
        expected = ["snapshot_begin", "0", "1", "2"] if to == "start" else []
        assert [one for one in told_ids(there)[2:] if one != "snapshot_end"] == [*expected, "3"]
        assert (await state(service))["rejected"] == 0


async def test_marks_that_are_taken_between_rejections_do_not_make_it_take_changes(
    tmp_path: Path, there: Receiver
) -> None:
    await filled(tmp_path, 3)
    refuses(there, {"1", "2"})
    async with running(told(tmp_path, there.destination())) as service:
        await has_told_all(service)
        assert (await state(service))["state"] == "running"
        await changed(service, "1", n="new")
        await changed(service, "0", n="new")
        assert (await in_state(service, "stopped"))["rejected"] == 2


async def test_a_place_that_goes_while_a_neighbour_is_looked_for_begins_a_snapshot_that_suspects_nobody(
    tmp_path: Path, there: Receiver
) -> None:
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        store = service.service.store

        async def goes(_: web.Request) -> web.StreamResponse:
            await go_unnoticed(store, "9")
            return web.Response(status=422)

        there.answers = [web.Response(status=422), web.Response(status=422), goes]
        await said(service, "pause")
        for one in range(2):
            await put(store, str(one), b"{}")
        await said(service, "resume")
        await wait_until(lambda: "snapshot_end" in told_ids(there))
        assert told_ids(there) == ["snapshot_begin", "0", "1", "another", "snapshot_end"]
        assert (await in_state(service, "running"))["rejected"] == 0
    assert [[one.get("id") for one in body["changes"]] for body in there.bodies[:3]] == [["0", "1"], ["0"], ["1"]]


async def test_what_another_one_of_its_name_has_rejected_is_forgotten_with_the_lead_alone(
    tmp_path: Path, there: Receiver
) -> None:
    async with running(make_settings(tmp_path)) as service:
        store, telling, now = service.service.store, service.service.telling, service.service.now
        await store.reject("search", [Rejected(record=key(1), seq=1, reason="bad")], note=("another", ""))
        driver = Driver(there.destination(), EVERY_CHANGE, store, telling, now, lambda _: True)
        with pytest.raises(LeadLost):
            await driver.run(Lead("deliver:search", 7))
        assert await store.rejection_counts() == {"search": 1}
    async with running(told(tmp_path, there.destination())) as service:
        await has_told_all(service)
        assert (await state(service))["rejected"] == 0
