"""What a destination has rejected is shown, and sent again when an operator says so: each record as it is by then."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hookbridge.destinations import standing
from hookbridge.store import note_names
from tests.service.test_destinations import changed, in_state, said, state, taken, told
from tests.service.test_rejections import filled, has_told_all, refuses, rejected, three_rejected, told_ids
from tests.support.changing import EVER
from tests.support.receivers import Receiver, receiver
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


async def listed(service: Running, **query: int) -> dict[str, Any]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await service.get(f"/api/v1/destinations/search/rejected?{asked}")
    assert answer.status == 200, await answer.text()
    page: dict[str, Any] = await answer.json()
    return page


async def ids(service: Running) -> list[str]:
    return [one["id"] for one in (await listed(service))["rejected"]]


async def replayed(service: Running) -> dict[str, Any]:
    """Wait until a replay has ended."""

    async def is_so() -> bool:
        return not (await state(service))["replaying"]

    await wait_until(is_so)
    return await state(service)


async def test_what_was_rejected_is_listed_page_by_page(tmp_path: Path, there: Receiver) -> None:
    async with three_rejected(tmp_path, there) as service:
        first = await listed(service, limit=2)
        assert [one["id"] for one in first["rejected"]] == ["5", "3"]
        last = await listed(service, limit=2, cursor=first["next_cursor"])
        assert [one["id"] for one in last["rejected"]] == ["1"]
        assert last["next_cursor"] is None
        assert (await listed(service, limit=3))["next_cursor"] is None
        shown = first["rejected"][0]
        assert shown["seq"] > first["rejected"][1]["seq"]
        names = ("source", "table", "table_label", "title", "reason")
        expected = ("supabase", "public.users", "users", "5", "it answered 422: bad: 5")
        assert tuple(shown[name] for name in names) == expected
        assert (await service.get("/api/v1/destinations/search/rejected?limit=0")).status == 422
        assert (await service.get("/api/v1/destinations/search/rejected", {})).status == 401


async def test_what_is_mended_is_taken_when_it_is_sent_again_under_another_id(tmp_path: Path, there: Receiver) -> None:
    await filled(tmp_path, 6)
    refuses(there, {"1", "4"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 2)
        await has_told_all(service)
        refuses(there, set())
        before, number = await state(service), len(there.bodies)
        assert (await said(service, "replay"))["rejected"] == 2
        now = await rejected(service, 0)
        assert [[one["id"] for one in body["changes"]] for body in there.bodies[number:]] == [["4"], ["1"]]
        assert taken(there, "1", 1)
        assert there.bodies[-1]["next"] == there.bodies[number - 1]["next"]
        assert len(set(there.ids)) == len(there.ids)
        assert (now["seq"], now["delivered"]) == (before["seq"], before["delivered"] + 2)
        assert await ids(service) == []


async def test_a_replay_sends_what_the_record_is_like_by_then_and_nothing_older_follows(
    tmp_path: Path, there: Receiver
) -> None:
    await filled(tmp_path, 3)
    refuses(there, {"1"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 1)
        await has_told_all(service)
        await said(service, "pause")
        await changed(service, "1", n="new")
        refuses(there, set())
        assert (await said(service, "replay"))["state"] == "paused"
        await changed(service, "2", n="last")
        assert not taken(there, "1", "new")
        await said(service, "resume")
        await wait_until(lambda: taken(there, "2", "last"))
        await rejected(service, 0)
        assert {(one.get("data") or {}).get("n") for one in there.taken if one.get("id") == "1"} == {"new"}


@pytest.mark.parametrize("is_forgotten", [False, True])
async def test_a_replay_says_that_a_record_is_gone(tmp_path: Path, there: Receiver, *, is_forgotten: bool) -> None:
    await filled(tmp_path, 3)
    refuses(there, {"1"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 1)
        await has_told_all(service)
        await changed(service, "1", kind="delete")
        await changed(service, "2", n="new")
        await wait_until(lambda: taken(there, "2", "new"))
        assert await ids(service) == ["1"]
        if is_forgotten:
            assert await service.service.store.remove_tombstones(EVER, 10) == 1
        refuses(there, set())
        await said(service, "replay")
        await rejected(service, 0)
        gone = there.taken[-1]
        assert (gone["type"], gone["source"], gone["table"], gone["id"]) == ("delete", "supabase", "public.users", "1")


@pytest.mark.parametrize("status", [422, 500])
async def test_what_is_not_taken_again_stays_rejected_and_keeps_nothing_waiting(
    tmp_path: Path, there: Receiver, status: int
) -> None:
    await filled(tmp_path, 6)
    refuses(there, {"1", "4"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 2)
        await has_told_all(service)
        refuses(there, {"4"}, status)
        await said(service, "replay")
        await rejected(service, 1)
        now = await replayed(service)
        assert (now["state"], await ids(service)) == ("running", ["4"])
        assert taken(there, "1", 1)
        await changed(service, "0", n="new")
        await wait_until(lambda: taken(there, "0", "new"))


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (401, 1), (429, 1), (410, 1)])
async def test_a_replay_ends_when_the_destination_fails(
    tmp_path: Path, there: Receiver, status: int, tries: int
) -> None:
    await filled(tmp_path, 10)
    refuses(there, {"1", "3", "5", "7"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 4)
        await has_told_all(service)
        there.otherwise = lambda: web.Response(status=status)
        before = len(there.bodies)
        await said(service, "replay")
        now = await replayed(service)
        assert len(there.bodies) == before + tries
        assert (now["rejected"], now["state"]) == (4, "stopped" if status == 410 else "running")
        assert {one["reason"][:15] for one in (await listed(service))["rejected"]} == {"it answered 422"}


async def test_a_replay_goes_on_after_a_restart(tmp_path: Path, there: Receiver) -> None:
    await filled(tmp_path, 6)
    refuses(there, {"1", "4"})
    settings = told(tmp_path, there.destination())
    async with running(settings) as service:
        await rejected(service, 2)
        await has_told_all(service)
        refuses(there, set())
        there.answers = [web.Response(status=204), partial(Receiver.never, there)]
        before = len(there.bodies)
        await said(service, "replay")
        await wait_until(lambda: len(there.bodies) == before + 2)
        assert await ids(service) == ["1"]
    async with running(settings) as service:
        await rejected(service, 0)
        assert there.ids[before + 1] == there.ids[before + 2]
        assert not (await replayed(service))["replaying"]
        assert len(there.bodies) == before + 3


async def test_a_replay_lets_one_go_on_that_has_stopped(tmp_path: Path, there: Receiver) -> None:
    await filled(tmp_path, 6)
    refuses(there, {"1", "2", "3"})
    async with running(told(tmp_path, there.destination())) as service:
        await in_state(service, "stopped")
        refuses(there, set())
        await said(service, "replay")
        await has_told_all(service)
        await rejected(service, 0)
        assert sorted(filter(str.isdigit, map(str, told_ids(there)))) == list("012345")


async def test_what_it_is_not_told_of_any_more_is_not_sent_again(tmp_path: Path, there: Receiver) -> None:
    await filled(tmp_path, 3)
    refuses(there, {"1"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 1)
        await has_told_all(service)
    refuses(there, set())
    before = len(there.bodies)
    async with running(told(tmp_path, there.destination(tables=["supabase:orders"]))) as service:
        await said(service, "replay")
        await rejected(service, 0)
    assert len(there.bodies) == before


async def test_what_is_done_to_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        assert (await service.get("/api/v1/destinations/search/rejected")).status == 404
        assert (await service.post("/api/v1/destinations/search/replay", {}, ADMIN)).status == 404
        assert standing.read(await service.service.store.note(note_names.destination("search"))).replay == 0
