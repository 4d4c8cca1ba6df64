"""Destinations: each is told of every change, signed, in order and at least once, whatever another one does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from hookbridge.config import Destination, Settings
from hookbridge.destinations import standing
from hookbridge.feed import Place
from hookbridge.store import note_names
from tests.service.test_cluster import named
from tests.support.changing import EVER
from tests.support.events import copy, key
from tests.support.metrics import Scrape
from tests.support.receivers import Receiver, receiver
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

WEBHOOK = "/api/v1/webhooks/supabase"


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


def told(folder: Path, *to: Destination) -> Settings:
    return make_settings(folder, secrets={"destinations": to})


def hint(id_: str, *, table: str = "users", kind: str = "update", **data: object) -> dict[str, Any]:
    return {
        "event_type": kind,
        "source": "supabase",
        "table_name": table,
        "record_id": id_,
        "data": {"id": id_, **data},
        "timestamp": "2026-01-01T15:00:00Z",
    }


async def changed(service: Running, id_: str, **more: Any) -> None:  # noqa: ANN401  as the hint has it
    """Have a record changed, and wait until it is."""
    assert (await service.post(WEBHOOK, hint(id_, **more))).status == 202
    await wait_until(lambda: service.service.store.open_events == 0)


async def state(service: Running, name: str = "search") -> dict[str, Any]:
    answer = await service.get("/api/v1/destinations")
    assert answer.status == 200
    return next(one for one in (await answer.json())["destinations"] if one["name"] == name)


async def in_state(service: Running, word: str, name: str = "search") -> dict[str, Any]:
    async def is_so() -> bool:
        return bool((await state(service, name))["state"] == word)

    await wait_until(is_so)
    return await state(service, name)


async def follows(service: Running, name: str = "search") -> None:
    """Wait until it has a place."""

    async def is_so() -> bool:
        return (await state(service, name))["seq"] is not None

    await wait_until(is_so)


async def delivered(service: Running, number: int) -> dict[str, Any]:
    """Wait until it is known to have taken so many changes."""

    async def is_so() -> bool:
        return bool((await state(service))["delivered"] == number)

    await wait_until(is_so)
    return await state(service)


def records(there: Receiver) -> list[tuple[str, str | None, Any]]:
    return [(one["type"], one.get("id"), (one.get("data") or {}).get("n")) for one in there.taken]


def taken(there: Receiver, id_: str, n: object) -> bool:
    return any(one.get("id") == id_ and (one.get("data") or {}).get("n") == n for one in there.taken)


async def test_what_is_there_is_told_between_marks_and_then_each_change(tmp_path: Path, there: Receiver) -> None:
    async with running(make_settings(tmp_path)) as service:
        for number in range(3):
            await changed(service, str(number), n=number)
    async with running(told(tmp_path, there.destination(batch=2, headers={"X-Team": "search"}))) as service:
        await wait_until(lambda: len(there.taken) == 5)
        assert records(there) == [
            ("snapshot_begin", None, None),
            ("upsert", "0", 0),
            ("upsert", "1", 1),
            ("upsert", "2", 2),
            ("snapshot_end", None, None),
        ]
        assert len(there.bodies) == 2
        await changed(service, "1", n="new")
        await changed(service, "0", kind="delete")
        await wait_until(lambda: len(there.taken) == 7)
    assert records(there)[5:] == [("upsert", "1", "new"), ("delete", "0", None)]
    seqs = [one["seq"] for one in there.taken if one["type"] in {"upsert", "delete"}]
    assert seqs == sorted(set(seqs))
    upsert = there.taken[5]
    assert {name: upsert[name] for name in ("source", "table", "table_label", "verification")} == {
        "source": "supabase",
        "table": "public.users",
        "table_label": "users",
        "verification": "skipped",
    }
    assert {one["X-Team"] for one in there.headers} == {"search"}
    assert {one["Content-Type"] for one in there.headers} == {"application/json"}


async def test_what_was_not_taken_is_sent_again_under_its_id_before_anything_else(
    tmp_path: Path, there: Receiver
) -> None:
    there.answers = [web.Response(status=500, text="the disk is full")]
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await wait_until(lambda: taken(there, "1", 1))
        await changed(service, "2", n=2)
        await wait_until(lambda: taken(there, "2", 2))
        assert there.bodies[0] == there.bodies[1]
        first, again, other = there.ids
        assert first == again != other
        now = await delivered(service, 2)
        assert (now["state"], now["reason"], now["failures"], now["delivered"]) == ("running", None, 0, 2)
        assert (now["changes_behind"], now["behind_seconds"], now["snapshot"]) == (0, 0.0, False)


async def test_one_that_was_away_is_told_what_there_is_by_then(tmp_path: Path) -> None:
    async with receiver() as there:
        pass
    async with running(told(tmp_path, there.destination())) as service:
        now = await in_state(service, "down")
        assert "cannot be reached" in now["reason"]
        for number in range(5):
            await changed(service, "1", n=number)
        async with there.there():
            await wait_until(lambda: taken(there, "1", 4))
            assert [n for _, id_, n in records(there) if id_ == "1"] == [4]
            await in_state(service, "running")


async def test_one_that_fails_for_ever_is_in_nobodys_way_and_is_shown(tmp_path: Path, there: Receiver) -> None:
    there.otherwise = lambda: web.Response(status=500, text="broken for ever")
    async with receiver() as other:
        to = there.destination(name="broken"), other.destination(name="whole")
        async with running(told(tmp_path, *to)) as service:
            for number in range(3):
                await changed(service, "1", n=number)
            await wait_until(lambda: taken(other, "1", 2))
            now = await in_state(service, "down", "broken")
            assert now["reason"] == "it answered 500: broken for ever"
            assert now["since"] <= now["next_try_at"]
            assert now["delivered"] == 0
            assert not there.taken
            ready = await (await service.get("/readyz")).json()
            assert ready["ready"]
            assert [one["state"] for one in ready["destinations"]] == ["down", "running"]
            (problem,) = (one for one in ready["verdict"]["problems"] if one["kind"] == "destination broken down")
            assert "broken for ever" in problem["todo"]
            stranger = await (await service.get("/readyz", {})).json()
            assert "destinations" not in stranger
            seen = Scrape(await (await service.get("/metrics")).text())
            assert seen("destination_state", destination="broken", state="down") == 1
            assert seen("destination_state", destination="whole", state="running") == 1


ANSWERS = [
    (301, "down", "redirections are never followed"),
    (307, "down", "redirections are never followed"),
    (401, "refused", "it answered 401"),
    (403, "refused", "it answered 403"),
    (404, "down", "it answered 404"),
    (422, "down", "it answered 422"),
    (429, "down", "it answered 429"),
]


@pytest.mark.parametrize(("status", "word", "reason"), ANSWERS)
async def test_what_is_no_success_loses_nothing(
    tmp_path: Path, there: Receiver, status: int, word: str, reason: str
) -> None:
    there.otherwise = lambda: web.Response(status=status, headers={"Location": f"{there.url}/elsewhere"})
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        assert reason in (await in_state(service, word))["reason"]
        there.otherwise = lambda: web.Response(status=200)
        await wait_until(lambda: taken(there, "1", 1))
        assert len(set(there.ids)) == 1


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_it_is_left_alone_for_as_long_as_it_says(tmp_path: Path, there: Receiver, form: str) -> None:
    after = "900" if form == "seconds" else "Fri, 01 Jan 2100 00:00:00 GMT"
    there.otherwise = lambda: web.Response(status=503, headers={"Retry-After": after})
    async with running(told(tmp_path, there.destination())) as service:
        now = await in_state(service, "down")
        assert now["behind_seconds"] > 0.0  # the snapshot is empty, and waits all the same
        (waits,) = [standing.read(await service.service.store.note(note_names.destination("search")))]
        assert waits.since is not None
        assert waits.next_try_at is not None
        assert round(waits.next_try_at - waits.since) == (900 if form == "seconds" else 3600)
        assert len(there.bodies) == 1


@pytest.mark.parametrize("answering", [Receiver.never, Receiver.closed])
async def test_one_that_does_not_answer_is_given_up_and_tried_again(
    tmp_path: Path, there: Receiver, answering: Callable[[Receiver, web.Request], Awaitable[web.StreamResponse]]
) -> None:
    there.answers = [partial(answering, there)]
    async with running(told(tmp_path, there.destination(start="now", timeout_seconds=0.5))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await wait_until(lambda: taken(there, "1", 1))
        assert len(there.ids) == 2
        assert len(set(there.ids)) == 1


async def test_of_an_endless_answer_only_the_beginning_is_read(tmp_path: Path, there: Receiver) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1600):
            await response.write(bytes(65536))
            sent += 65536
        return response

    there.answers = [endless]
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await delivered(service, 1)
        await changed(service, "2", n=2)
        await wait_until(lambda: taken(there, "2", 2))
        assert len(there.bodies) == 2
    assert sent < 20_000_000


NOWHERE = [
    ("http://nobody.invalid/changes", "leads to no address"),
    ("http://169.254.169.254/latest/meta-data", "never called"),
    ("http://[fe80::1]/changes", "never called"),
    ("http://[::ffff:169.254.169.254]/changes", "never called"),
]


@pytest.mark.parametrize(("url", "reason"), NOWHERE)
async def test_what_leads_nowhere_is_told(tmp_path: Path, there: Receiver, url: str, reason: str) -> None:
    async with running(told(tmp_path, there.destination(url=url))) as service:
        now = await in_state(service, "down")
        assert reason in now["reason"]
        assert now["url"] in url


async def test_private_addresses_can_be_left_alone(tmp_path: Path, there: Receiver) -> None:
    async with running(told(tmp_path, there.destination(allow_private=False))) as service:
        assert "private address" in (await in_state(service, "down"))["reason"]
    assert not there.bodies


async def test_a_restart_goes_on_from_its_place(tmp_path: Path, there: Receiver) -> None:
    settings = told(tmp_path, there.destination())
    async with running(settings) as service:
        await changed(service, "1", n=1)
        await wait_until(lambda: taken(there, "1", 1))
        await wait_until(lambda: any(one["type"] == "snapshot_end" for one in there.taken))
        there.otherwise = lambda: web.Response(status=503)
        await changed(service, "2", n=2)
        await in_state(service, "down")
        waiting = there.ids[-1]
    before = len(there.bodies)
    there.otherwise = lambda: web.Response(status=204)
    async with running(settings) as service:
        await wait_until(lambda: taken(there, "2", 2))
        await in_state(service, "running")
    assert [one["id"] for one in there.bodies[before]["changes"]] == ["2"]
    assert there.ids[before] == waiting


async def test_only_what_is_meant_is_told(tmp_path: Path, there: Receiver) -> None:
    to = there.destination(start="now", tables=["supabase:users"], types=["upsert"])
    async with receiver() as every, running(told(tmp_path, to, every.destination(name="every"))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await changed(service, "1", kind="delete")
        await changed(service, "5", n=5, table="orders")
        await changed(service, "6", n=6)
        await wait_until(lambda: taken(there, "6", 6) and taken(every, "6", 6))
    assert {one["table"] for one in there.taken} == {"public.users"}
    assert {one["type"] for one in there.taken} == {"upsert"}
    assert ("upsert", "5", 5) in records(every)


@pytest.mark.parametrize(
    ("each", "most", "numbers"),
    [(3_000, 1024, [1, 1, 1, 1]), (3_000, 7_500, [2, 2]), (1_000_000, 16 * 1024 * 1024, [4])],
)
async def test_a_message_has_so_many_bytes_or_one_change(
    tmp_path: Path, there: Receiver, each: int, most: int, numbers: list[int]
) -> None:
    async with running(make_settings(tmp_path)) as service:
        for number in range(4):
            await changed(service, str(number), n=number, text="x" * each)
    async with running(told(tmp_path, there.destination(batch_bytes=most))):
        await wait_until(lambda: len(there.taken) == 6)
    assert [len([one for one in body["changes"] if "id" in one]) for body in there.bodies] == numbers


async def test_one_whose_place_is_gone_is_told_everything_anew(tmp_path: Path, there: Receiver) -> None:
    settings = told(tmp_path, there.destination())
    async with running(settings) as service:
        await changed(service, "1", n=1)
        await wait_until(lambda: taken(there, "1", 1))
        name = note_names.destination("search")
        await wait_until(lambda: any(one["type"] == "snapshot_end" for one in there.taken))
        kept = standing.read(await service.service.store.note(name))
    there.taken.clear()
    there.bodies.clear()
    async with running(make_settings(tmp_path)) as service:
        restored = kept.begun(Place("0" * 32, 5), 0.0)
        await service.service.store.put_note(name, standing.written(restored))
    may_go_on = asyncio.Event()

    async def later(_: web.Request) -> web.StreamResponse:
        await may_go_on.wait()
        return web.Response(status=503)

    there.answers = [later]
    with capture_logs() as lines:
        async with running(settings) as service:
            await wait_until(lambda: there.bodies)
            now = await in_state(service, "behind")
            assert now["snapshot"]
            assert "of another feed" in now["reason"]
            assert now["since"]
            ready = await (await service.get("/readyz")).json()
            assert ready["ready"]
            assert [one["state"] for one in ready["destinations"]] == ["behind"]
            (problem,) = (one for one in ready["verdict"]["problems"] if one["kind"] == "destination search behind")
            assert "of another feed" in problem["todo"]
            seen = Scrape(await (await service.get("/metrics")).text())
            assert seen("destination_state", destination="search", state="behind") == 1
            await said(service, "pause")
            now = await state(service)
            assert (now["state"], now["snapshot"]) == ("paused", True)
            assert "everything anew" in now["reason"]
            may_go_on.set()
            await said(service, "resume")
            await wait_until(lambda: there.taken)
            now = await in_state(service, "running")
            assert (now["reason"], now["since"], now["snapshot"]) == (None, None, False)
    assert [kind for kind, _, _ in records(there)] == ["snapshot_begin", "upsert", "snapshot_end"]
    told_of = [one["event"] for one in lines if one.get("destination") == "search" and "anew" in one["event"]]
    assert told_of == ["A destination is told everything anew", "A destination has been told everything anew"]


async def gone_long_ago(service: Running, id_: str) -> None:
    """Have a record gone that nobody has looked for since."""
    store = service.service.store
    absent = copy(key(id_), await store.ticket(), None, read_at=1.0)
    await store.put(absent, None, exclusive=False)


@pytest.mark.parametrize("how", ["down", "paused", "stopped"])
async def test_what_went_is_kept_for_one_that_was_not_told_of_it_yet(tmp_path: Path, there: Receiver, how: str) -> None:
    async with running(told(tmp_path, there.destination())) as service:
        await changed(service, "1", n=1)
        await wait_until(lambda: taken(there, "1", 1))
        await wait_until(lambda: any(one["type"] == "snapshot_end" for one in there.taken))
        if how == "paused":
            await said(service, "pause")
        else:
            status = 410 if how == "stopped" else 500
            there.otherwise = lambda: web.Response(status=status)
        await changed(service, "1", n=2)
        await gone_long_ago(service, "old")
        await changed(service, "2", n=2)
        await in_state(service, how)
        assert await service.service.upkeep.remove_old() == 0
        there.otherwise = lambda: web.Response(status=204)
        await said(service, "resume")
        await wait_until(lambda: taken(there, "2", 2))
        await in_state(service, "running")
        assert ("delete", "old", None) in records(there)
        await wait_until(lambda: passed(service))
        await service.service.upkeep.remove_old()
        assert await service.service.store.remove_tombstones(EVER, 10) == 0
    assert [kind for kind, _, _ in records(there)].count("snapshot_begin") == 1


async def passed(service: Running) -> bool:
    """Whether it has taken everything there is."""
    return bool((await state(service))["changes_behind"] == 0)


async def test_one_that_too_much_has_gone_behind_is_told_everything_anew(tmp_path: Path, there: Receiver) -> None:
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        await changed(service, "1", n=1)
        await delivered(service, 1)
        await said(service, "pause")
        await gone_long_ago(service, "old")
        await changed(service, "2", n=2)
        assert await service.service.store.remove_tombstones(EVER, 10) == 1  # as if there were a million
        assert "older than the deletions that are remembered" in (await state(service))["reason"]
        await said(service, "resume")
        await wait_until(lambda: any(one["type"] == "snapshot_end" for one in there.taken))
        await in_state(service, "running")
    assert [kind for kind, _, _ in records(there)][1:] == ["snapshot_begin", "upsert", "upsert", "snapshot_end"]


async def test_one_that_left_the_configuration_and_comes_back_goes_on_where_it_was(
    tmp_path: Path, there: Receiver
) -> None:
    settings = told(tmp_path, there.destination())
    async with running(settings) as service:
        await changed(service, "1", n=1)
        await wait_until(lambda: any(one["type"] == "snapshot_end" for one in there.taken))
        await in_state(service, "running")
    there.taken.clear()
    async with running(make_settings(tmp_path)) as service:
        await gone_long_ago(service, "old")
        await changed(service, "2", n=2)
        assert await service.service.upkeep.remove_old() == 0
    async with running(settings):
        await wait_until(lambda: taken(there, "2", 2))
    assert [id_ for _, id_, _ in records(there)][-2:] == ["old", "2"]
    assert "snapshot_begin" not in [kind for kind, _, _ in records(there)]


async def waits_about(service: Running, seconds: float) -> bool:
    """Whether what it has not taken is so old, give or take the minutes that a test may last."""
    behind: float = (await state(service))["behind_seconds"]
    return seconds <= behind < seconds + 600.0


async def changed_ago(service: Running, id_: str, seconds: float) -> None:
    """Have a record changed that was read so long ago, and read again just now."""
    store, now = service.service.store, service.service.now()
    for read_at in (now - seconds, now):
        fingerprint = f"of {seconds}".ljust(16).encode()
        what = copy(key(id_), await store.ticket(), b"{}", read_at=read_at, fingerprint=fingerprint)
        await store.put(what, None, exclusive=False)


async def test_it_waits_since_its_oldest_change_however_often_that_was_read_and_it_was_restarted(
    tmp_path: Path, there: Receiver
) -> None:
    settings = told(tmp_path, there.destination(start="now", tables=["supabase:users"], types=["upsert"]))
    async with running(settings) as service:
        await follows(service)
        await said(service, "pause")
        await changed(service, "no", n=0, table="orders")
        await gone_long_ago(service, "neither")
        assert (await state(service))["behind_seconds"] == 0.0  # of these it is not told
        await changed_ago(service, "1", 7_200.0)
        await changed_ago(service, "2", 3_600.0)
        assert await waits_about(service, 7_200.0)
    async with running(settings) as service:
        assert await waits_about(service, 7_200.0)
        await changed_ago(service, "1", 60.0)  # it goes behind the other one
        assert await waits_about(service, 3_600.0)
        there.answers = [web.Response(status=503, headers={"Retry-After": "3600"})]
        await said(service, "resume")
        await in_state(service, "down")
        assert await waits_about(service, 3_600.0)
        await said(service, "resume")
        await wait_until(lambda: caught_up(service))
        there.answers = [web.Response(status=503, headers={"Retry-After": "3600"})]
        first = next(one["seq"] for one in there.taken if one["id"] == "2")
        await said(service, "rewind", {"to": str(first - 1)})
        await in_state(service, "down")
        assert await waits_about(service, 3_600.0)
        there.answers = [web.Response(status=503, headers={"Retry-After": "3600"})]
        await said(service, "rewind", {"to": "start"})
        await in_state(service, "down")
        assert await waits_about(service, 0.0)  # everything waits since the snapshot began


async def caught_up(service: Running) -> bool:
    """Whether nothing waits for it."""
    return bool((await state(service))["behind_seconds"] == 0.0)


async def test_one_that_an_operator_has_told_everything_is_not_behind(tmp_path: Path, there: Receiver) -> None:
    async with running(told(tmp_path, there.destination())) as service:
        await changed(service, "1", n=1)
        await wait_until(lambda: any(one["type"] == "snapshot_end" for one in there.taken))
        there.otherwise = lambda: web.Response(status=503)
        await said(service, "rewind", {"to": "start"})
        now = await in_state(service, "down")
        assert (now["snapshot"], now["reason"]) == (True, "it answered 503")


async def said(service: Running, verb: str, body: object = None) -> dict[str, Any]:
    answer = await service.post(f"/api/v1/destinations/search/{verb}", {} if body is None else body, ADMIN)
    assert answer.status == 200, await answer.text()
    shown: dict[str, Any] = await answer.json()
    return shown


async def test_one_that_is_paused_is_sent_nothing_until_it_is_resumed(tmp_path: Path, there: Receiver) -> None:
    settings = told(tmp_path, there.destination(start="now"))
    async with running(settings) as service:
        await follows(service)
        assert (await said(service, "pause"))["state"] == "paused"
        await changed(service, "1", n=1)
    async with running(settings) as service:
        await changed(service, "1", n=2)
        now = await state(service)
        assert (now["state"], now["delivered"], now["next_try_at"]) == ("paused", 0, None)
        assert now["changes_behind"] > 0
        assert not there.bodies
        ready = await (await service.get("/readyz")).json()
        assert "destination search paused" in [one["kind"] for one in ready["verdict"]["problems"]]
        assert (await said(service, "resume"))["state"] == "running"
        await wait_until(lambda: taken(there, "1", 2))
        await delivered(service, 1)
    assert len(there.bodies) == 1


async def test_a_word_ends_a_long_wait(tmp_path: Path, there: Receiver) -> None:
    there.answers = [web.Response(status=503, headers={"Retry-After": "3600"})]
    async with running(told(tmp_path, there.destination())) as service:
        await in_state(service, "down")
        await said(service, "resume")
        await wait_until(lambda: there.taken)
        now = await in_state(service, "running")
        assert now["failures"] == 0


async def test_a_bug_of_ours_is_shown_as_a_failure_and_a_word_ends_the_wait(tmp_path: Path, there: Receiver) -> None:
    async with running(told(tmp_path, there.destination(start="now"))) as service:
        await follows(service)
        store = service.service.store
        with capture_logs() as lines:
            unreadable = copy(key(1), await store.ticket(), b'{"n": 1}', content="no JSON", fingerprint=b"a" * 16)
            await store.put(unreadable, None, exclusive=False)

            async def fails_on() -> bool:
                return bool((await state(service))["failures"] >= 2)  # the first time it is tried again at once

            await wait_until(fails_on)
        now = await state(service)
        assert (now["state"], now["reason"]) == ("down", "A destination failed unexpectedly: the log says where")
        assert now["next_try_at"]
        assert any(one["event"] == "A destination failed unexpectedly" and one["exc_info"] for one in lines)
        assert not there.bodies
        readable = copy(key(1), await store.ticket(), b'{"n": 2}', fingerprint=b"b" * 16)
        await store.put(readable, None, exclusive=False)
        await said(service, "resume")
        await wait_until(lambda: taken(there, "1", 2))
        assert (await in_state(service, "running"))["failures"] == 0
        await wait_until(lambda: passed(service))


async def test_one_that_wants_nothing_more_is_sent_nothing_before_it_is_resumed(
    tmp_path: Path, there: Receiver
) -> None:
    there.answers = [web.Response(status=410)]
    settings = told(tmp_path, there.destination())
    async with running(settings) as service:
        now = await in_state(service, "stopped")
        assert (now["reason"], now["next_try_at"]) == ("it answered 410", None)
        await changed(service, "1", n=1)
    async with running(settings) as service:
        assert (await state(service))["state"] == "stopped"
        await changed(service, "1", n=2)
        assert len(there.bodies) == 1
        await said(service, "resume")
        await wait_until(lambda: taken(there, "1", 2))


async def test_one_goes_on_where_an_operator_says(tmp_path: Path, there: Receiver) -> None:
    settings = told(tmp_path, there.destination())
    async with running(settings) as service:
        await changed(service, "1", n=1)
        await changed(service, "2", n=2)
        await wait_until(lambda: taken(there, "2", 2))
        (first,) = {one["seq"] for one in there.taken if one.get("id") == "1"}
        there.taken.clear()
        await said(service, "rewind", {"to": str(first)})
        await wait_until(lambda: taken(there, "2", 2))
        assert [id_ for _, id_, _ in records(there)] == ["2"]
        there.taken.clear()
        assert (await said(service, "rewind", {"to": "start"}))["snapshot"]
        await wait_until(lambda: len(there.taken) == 4)
        assert [kind for kind, _, _ in records(there)] == ["snapshot_begin", "upsert", "upsert", "snapshot_end"]
        assert len(set(there.ids)) == len(there.ids)
        await said(service, "pause")
        await changed(service, "3", n=3)
        await said(service, "rewind", {"to": "now"})
        await said(service, "resume")
        await changed(service, "4", n=4)
        await wait_until(lambda: taken(there, "4", 4))
        assert not taken(there, "3", 3)


@pytest.mark.parametrize("to", ["", "yesterday", "-1", "999999", "1.5", "9" * 5_000])
async def test_what_is_no_place_is_refused(tmp_path: Path, there: Receiver, to: str) -> None:
    async with running(told(tmp_path, there.destination())) as service:
        answer = await service.post("/api/v1/destinations/search/rewind", {"to": to}, ADMIN)
        assert answer.status == 422
        (wrong,) = (await answer.json())["detail"]
        assert wrong["loc"] == ["body", "to"]
        assert wrong["msg"].startswith("expected start, now, or a number from 0 to ")


async def test_what_is_said_of_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        for verb in ("pause", "resume", "rewind", "test"):
            answer = await service.post(f"/api/v1/destinations/search/{verb}", {"to": "now"}, ADMIN)
            assert answer.status == 404
        assert (await service.get("/api/v1/destinations/search")).status == 404


async def test_a_stop_waits_for_no_answer(tmp_path: Path, there: Receiver) -> None:
    there.answers = [partial(Receiver.never, there)]
    async with running(told(tmp_path, there.destination(timeout_seconds=3600.0))):
        await wait_until(lambda: there.bodies)
    assert not there.taken


async def test_a_trial_says_what_it_answers_and_moves_nothing(tmp_path: Path, there: Receiver) -> None:
    async with running(told(tmp_path, there.destination())) as service:
        await wait_until(lambda: there.taken)
        await said(service, "pause")
        before = await state(service)
        assert await said(service, "test") == {"taken": True, "reason": None}
        assert there.bodies[-1]["changes"] == []
        there.answers = [web.Response(status=401, text="who is it?")]
        assert await said(service, "test") == {"taken": False, "reason": "it answered 401: who is it?"}
        assert await state(service) == before


async def test_without_one_the_list_is_empty_and_an_operators(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        assert await (await service.get("/api/v1/destinations")).json() == {"destinations": []}
        assert (await service.get("/api/v1/destinations", {})).status == 401


@pytest.mark.on("postgres")
async def test_one_node_delivers_any_node_is_told_of_it_and_another_one_goes_on(
    tmp_path: Path, there: Receiver
) -> None:
    settings = told(tmp_path, there.destination(start="now"))
    async with running(named(settings, "b")) as other, running(named(settings, "a")) as one:
        await follows(other)
        does = [node.service.membership.does("deliver:search") for node in (one, other)]
        assert does == [False, True]
        await changed(one, "1", n=1)
        await wait_until(lambda: taken(there, "1", 1))
        await delivered(one, 1)
        assert (await said(one, "pause"))["state"] == "paused"
        assert (await state(other))["state"] == "paused"
        await said(one, "resume")
        await changed(one, "2", n=2)
        await delivered(one, 2)
        other.service.membership.resign()
        await wait_until(lambda: one.service.membership.does("deliver:search"))
        await changed(one, "3", n=3)
        await delivered(one, 3)
    assert [id_ for _, id_, _ in records(there)] == ["1", "2", "3"]
