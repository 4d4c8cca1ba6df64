"""What a destination has rejected is given up when an operator says so: forgotten, and nothing else of it changes."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from hookbridge.destinations import standing
from hookbridge.destinations.driver import Driver
from hookbridge.destinations.standing import Dismissal, Standing, Word
from hookbridge.errors import LeadLost
from hookbridge.feed import Place
from hookbridge.store import note_names
from hookbridge.store.nodes import Lead
from hookbridge.store.values import EVERY_CHANGE, Rejected
from tests.service.test_destinations import changed, in_state, said, state, taken, told
from tests.service.test_rejections import filled, full, has_told_all, refuses, rejected, three_rejected
from tests.service.test_replaying_rejections import ids, listed, replayed
from tests.support.events import key
from tests.support.receivers import Receiver, receiver
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

PATH = "/api/v1/destinations/search/dismiss"


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as one:
        yield one


async def dismissed(service: Running, **which: object) -> int:
    answer = await service.post(PATH, which, ADMIN)
    assert answer.status == 200, await answer.text()
    done: dict[str, Any] = await answer.json()
    return int(done["dismissed"])


async def seqs(service: Running) -> dict[str, int]:
    return {one["id"]: one["seq"] for one in (await listed(service))["rejected"]}


async def problems(service: Running) -> list[str]:
    ready = await (await service.get("/readyz")).json()
    return [one["kind"] for one in ready["verdict"]["problems"]]


async def test_what_is_dismissed_is_forgotten_and_the_rest_stays(tmp_path: Path, there: Receiver) -> None:
    async with three_rejected(tmp_path, there) as service:
        before, known = len(there.bodies), await seqs(service)
        assert await dismissed(service, seqs=[known["1"], known["3"], known["5"] + 100]) == 2
        await rejected(service, 1)
        assert await ids(service) == ["5"]
        assert await dismissed(service, seqs=[known["1"]]) == 0
        assert "destination search rejected" in await problems(service)
        with capture_logs() as lines:
            assert await dismissed(service, all=True) == 1
            now = await rejected(service, 0)
        (line,) = (one for one in lines if one["event"] == "Rejected changes are dismissed")
        assert (line["destination"], line["changes"]) == ("search", 1)
        assert await dismissed(service, all=True) == 0
        assert await problems(service) == []
        assert (now["state"], now["delivered"]) == ("running", 5)
        assert len(there.bodies) == before
        refuses(there, set())
        await changed(service, "1", n="new")
        await wait_until(lambda: taken(there, "1", "new"))


async def test_one_that_stopped_because_no_more_are_kept_goes_on(tmp_path: Path, there: Receiver) -> None:
    settings = told(tmp_path, there.destination())
    many, _ = await full(settings)
    refuses(there, {"1"})
    async with running(settings) as service:
        await changed(service, "1", n=1)
        await changed(service, "2", n=2)
        await in_state(service, "stopped")
        assert await dismissed(service, seqs=[many[0].seq]) == 1

        async def goes_on() -> bool:
            return bool((await state(service))["changes_behind"] == 0)

        await wait_until(goes_on)
        now = await rejected(service, 10_000)
        assert now["state"] == "running"
        assert await dismissed(service, all=True) == 10_000
        now = await rejected(service, 0)
        assert (now["state"], now["changes_behind"]) == ("running", 0)


@pytest.mark.parametrize("why", ["it answered 410", "3 in a row"])
async def test_one_that_stopped_for_another_reason_stays_so(tmp_path: Path, there: Receiver, why: str) -> None:
    await filled(tmp_path, 6)
    refuses(there, {"1", "2", "3"} if why == "3 in a row" else {"1"})
    async with running(told(tmp_path, there.destination())) as service:
        if why != "3 in a row":
            await rejected(service, 1)
            await has_told_all(service)
            there.otherwise = lambda: web.Response(status=410)
            await changed(service, "2", n="new")
        before = await in_state(service, "stopped")
        assert await dismissed(service, all=True) == before["rejected"]
        now = await rejected(service, 0)
        assert (now["state"], now["reason"], now["since"]) == ("stopped", before["reason"], before["since"])
        number = len(there.bodies)
    async with running(told(tmp_path, there.destination())) as service:
        assert (await state(service))["state"] == "stopped"
        assert len(there.bodies) == number
        refuses(there, set())
        await said(service, "resume")
        await in_state(service, "running")


@pytest.mark.parametrize("word", ["paused", "down"])
async def test_one_that_is_held_or_fails_stays_so(tmp_path: Path, there: Receiver, word: str) -> None:
    await filled(tmp_path, 3)
    refuses(there, {"1"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 1)
        await has_told_all(service)
        there.otherwise = lambda: web.Response(status=503, headers={"Retry-After": "900"})
        if word == "paused":
            await said(service, "pause")
        await changed(service, "2", n="new")
        before = await in_state(service, word)
        assert await dismissed(service, all=True) == 1
        now = await rejected(service, 0)
        assert (now["state"], now["since"]) == (word, before["since"])
        refuses(there, set())
        await said(service, "resume")
        await wait_until(lambda: taken(there, "2", "new"))


async def test_a_replay_goes_on_with_the_others(tmp_path: Path, there: Receiver) -> None:
    async with three_rejected(tmp_path, there) as service:
        known = await seqs(service)
        refuses(there, set())
        there.answers = [partial(Receiver.never, there)]
        before = len(there.bodies)
        await said(service, "replay")
        await wait_until(lambda: len(there.bodies) == before + 1)
        assert await dismissed(service, seqs=[known["3"]]) == 1
        await rejected(service, 0)
        now = await replayed(service)
        assert (now["delivered"], there.ids[before]) == (7, there.ids[before + 1])
        assert [one["changes"][0]["id"] for one in there.bodies[before:]] == ["5", "5", "1"]


async def test_what_is_sent_again_meanwhile_and_refused_stays_forgotten(tmp_path: Path, there: Receiver) -> None:
    await filled(tmp_path, 4)
    refuses(there, {"1"})
    async with running(told(tmp_path, there.destination())) as service:
        await rejected(service, 1)
        await has_told_all(service)
        number = list[int]()

        async def refused(_request: web.Request) -> web.Response:
            number.append(await dismissed(service, all=True))
            return web.Response(status=422, text="bad")

        there.answers = [refused]
        await said(service, "replay")
        await wait_until(lambda: number)
        await replayed(service)
        assert number == [1]
        assert (await rejected(service, 0))["state"] == "running"


async def test_what_is_dismissed_while_nobody_delivers_is_forgotten_later_and_counts_once(
    tmp_path: Path, there: Receiver
) -> None:
    await filled(tmp_path, 6)
    refuses(there, {"1", "3"})
    settings = told(tmp_path, there.destination())
    async with running(settings) as service:
        await rejected(service, 2)
        await has_told_all(service)
        known = await seqs(service)
    only_receives = make_settings(
        tmp_path, node={"roles": ["receive"]}, secrets={"destinations": (there.destination(),)}
    )
    async with running(only_receives) as service:
        assert await dismissed(service, seqs=[known["3"]]) == 1
        assert await dismissed(service, seqs=[known["3"]]) == 0
        assert await dismissed(service, all=True) == 1
        assert await dismissed(service, all=True) == 0
        assert (await state(service))["rejected"] == 2
    async with running(settings) as service:
        await rejected(service, 0)
        word = standing.read_word(await service.service.store.note(note_names.word_on_destination("search")))
        await said(service, "pause")
        assert len(word.dismissals) == 2
        word = standing.read_word(await service.service.store.note(note_names.word_on_destination("search")))
        assert word.dismissals == ()
        await in_state(service, "paused")


async def test_what_is_dismissed_is_forgotten_with_the_lead_alone(tmp_path: Path, there: Receiver) -> None:
    async with running(make_settings(tmp_path)) as service:
        store, telling, now = service.service.store, service.service.telling, service.service.now
        place = standing.written(Standing(place=str(Place("0" * 32, 0))))
        await store.reject(
            "search", [Rejected(record=key(1), seq=1, reason="bad")], note=(note_names.destination("search"), place)
        )
        driver = Driver(there.destination(), EVERY_CHANGE, store, telling, now, lambda _: True)
        await driver.say(lambda word: word.and_then(now(), dismissal=Dismissal(to=1)))
        with pytest.raises(LeadLost):
            await driver.run(Lead("deliver:search", 7))
        assert await store.rejection_counts() == {"search": 1}
        assert await store.note(note_names.destination("search")) == place


@pytest.mark.parametrize(
    "body",
    [{}, {"all": False}, {"all": True, "seqs": [1]}, {"seqs": []}, {"seqs": [1] * 501}, {"seqs": [-1]}, {"x": 1}],
)
async def test_what_names_nothing_in_particular_is_refused(
    tmp_path: Path, there: Receiver, body: dict[str, object]
) -> None:
    async with running(told(tmp_path, there.destination())) as service:
        assert (await service.post(PATH, body, ADMIN)).status == 422
        assert await service.service.store.note(note_names.word_on_destination("search")) is None


async def test_one_that_is_not_there_and_a_stranger_are_refused(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        assert (await service.post(PATH, {"all": True}, ADMIN)).status == 404
        assert (await service.post(PATH, {"all": True})).status == 401
        assert await service.service.store.note(note_names.word_on_destination("search")) is None


def test_another_word_beside_a_dismissal_lets_it_go_on() -> None:
    stopped = Standing(place="x").stopped("it answered 410", 1.0)
    word = Word().and_then(2.0, dismissal=Dismissal(seqs=(1,)))
    assert stopped.obeying(word).state == "stopped"
    both = word.and_then(3.0, paused=False).and_then(4.0, dismissal=Dismissal(to=9))
    assert stopped.obeying(both).state == "running"
    assert [one.number for one in both.since(1).dismissals] == [3]
    assert stopped.obeying(word).obeying(both.since(1)).state == "running"


def test_a_word_that_was_read_before_a_later_one_was_done_says_nothing() -> None:
    early = Word().and_then(1.0, paused=True)
    late = early.and_then(2.0, dismissal=Dismissal(seqs=(1,)))
    stopped = Standing(place="x").obeying(early).stopped("it answered 410", 1.5).obeying(late)
    assert stopped.obeying(early) == stopped
