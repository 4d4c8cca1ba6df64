"""A destination that failed is well when nothing is left that it has not taken, whether or not it takes anything."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.service.test_destinations import changed, follows, in_state, said, state, taken, told
from tests.support.receivers import Receiver, receiver
from tests.support.running import Running, running
from tests.support.waiting import wait_until


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


def fails(there: Receiver, status: int = 503, after: int = 0) -> None:
    there.otherwise = lambda: web.Response(status=status, headers={"Retry-After": str(after)})


async def is_well(service: Running) -> None:
    """Wait until it is running, and look that nothing else is wrong with it."""
    now = await in_state(service, "running")
    names = ("reason", "since", "failures", "next_try_at", "changes_behind", "rejected")
    assert tuple(now[name] for name in names) == (None, None, 0, None, 0, 0)
    ready = await (await service.get("/readyz")).json()
    assert ready["verdict"]["problems"] == []


async def goes_on(service: Running, there: Receiver, number: int) -> None:
    """It was sent nothing more than this, and takes what comes."""
    assert len(there.bodies) == number
    there.otherwise = lambda: web.Response(status=204)
    await changed(service, "new", n="new")
    await wait_until(lambda: taken(there, "new", "new"))
    assert {one["id"] for one in there.taken} == {"new"}


@pytest.mark.parametrize("status", [503, 401, 302, 422])
async def test_what_it_did_not_take_is_deleted_and_deletions_are_not_for_it(
    tmp_path: Path, there: Receiver, status: int
) -> None:
    fails(there, status)
    async with running(told(tmp_path, there.destination(start="now", types=["upsert"]))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await changed(service, "2", n=2)
        await in_state(service, "refused" if status == 401 else "down")
        for id_ in ("1", "2"):
            await changed(service, id_, kind="delete")
        await is_well(service)
        await goes_on(service, there, len(there.bodies))


@pytest.mark.parametrize("how", ["gone", "another table"])
async def test_what_it_did_not_take_is_not_for_it_after_a_restart(tmp_path: Path, there: Receiver, how: str) -> None:
    fails(there, after=900)
    keys: dict[str, Any] = {"start": "now", "types": ["upsert"]}
    async with running(told(tmp_path, there.destination(**keys))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await in_state(service, "down")
        if how == "gone":
            await changed(service, "1", kind="delete")
    if how == "another table":
        keys["tables"] = ["supabase:orders"]
    number = len(there.bodies)
    async with running(told(tmp_path, there.destination(**keys))) as service:
        await is_well(service)
        assert len(there.bodies) == number
    async with running(told(tmp_path, there.destination(**keys))) as service:
        assert (await state(service))["state"] == "running"


async def test_what_is_still_for_it_is_tried_again_under_its_id(tmp_path: Path, there: Receiver) -> None:
    fails(there)
    async with running(told(tmp_path, there.destination(start="now", types=["upsert"]))) as service:
        await follows(service)
        await said(service, "pause")
        for number in range(3):
            await changed(service, str(number), n=number)
        await said(service, "resume")
        await wait_until(lambda: there.bodies)
        assert len(there.bodies[-1]["changes"]) == 3
        await changed(service, "1", kind="delete")
        number = len(there.bodies)
        await wait_until(lambda: len(there.bodies) > number)
        assert (await state(service))["state"] == "down"
        assert len(set(there.ids)) == 1
        await changed(service, "0", kind="delete")
        await changed(service, "2", n="new")
        there.otherwise = lambda: web.Response(status=204)
        await wait_until(lambda: taken(there, "2", "new"))


async def test_a_deletion_that_is_for_it_is_still_told(tmp_path: Path, there: Receiver) -> None:
    fails(there)
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await in_state(service, "down")
        await changed(service, "1", kind="delete")
        number = len(there.bodies)
        await wait_until(lambda: len(there.bodies) > number)
        assert (await state(service))["state"] == "down"
        there.otherwise = lambda: web.Response(status=204)
        await said(service, "resume")
        await wait_until(lambda: any(one["type"] == "delete" for one in there.taken))


async def test_what_came_meanwhile_is_told_without_what_is_not_for_it_any_more(tmp_path: Path, there: Receiver) -> None:
    fails(there)
    async with running(told(tmp_path, there.destination(start="now", types=["upsert"]))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await in_state(service, "down")
        await changed(service, "1", kind="delete")
        await goes_on(service, there, len(there.bodies))


@pytest.mark.parametrize(("word", "status"), [("paused", 503), ("stopped", 410)])
async def test_one_that_is_held_stays_so(tmp_path: Path, there: Receiver, word: str, status: int) -> None:
    fails(there, status)
    settings = told(tmp_path, there.destination(start="now", types=["upsert"]))
    async with running(settings) as service:
        await follows(service)
        await changed(service, "1", n=1)
        if word == "paused":
            await in_state(service, "down")
            await said(service, "pause")
        await in_state(service, word)
        await changed(service, "1", kind="delete")
    for _ in range(2):
        async with running(settings) as service:
            await changed(service, "2", kind="delete")
            assert (await state(service))["state"] == word
    number = len(there.bodies)
    async with running(settings) as service:
        await said(service, "resume")
        await in_state(service, "running")
        await goes_on(service, there, number)
