"""A node's duties: they begin and end with their leads, at a clean end at once, and what fails in one is not hidden."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hookbridge.cluster import Duty, Membership
from hookbridge.errors import LeadLost
from hookbridge.store.nodes import Cluster, Lead, Report
from hookbridge.store.sqlite import SqliteStore
from tests.support.files import opened
from tests.support.naps import HeldNaps
from tests.support.waiting import wait_until


class Work:
    """A duty that tells when it was begun and ended."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.fails = asyncio.get_running_loop().create_future()

    async def __call__(self, lead: Lead) -> None:
        self.begun.append(lead.epoch)
        try:
            await asyncio.shield(self.fails)
        finally:
            self.ended.append(lead.epoch)

    def fail(self, error: Exception) -> None:
        failing, self.fails = self.fails, asyncio.get_running_loop().create_future()
        failing.set_exception(error)


class Scene:
    """A node alone with a store, and its beats."""

    def __init__(self, store: SqliteStore, duties: Mapping[str, Duty]) -> None:
        self.store = store
        self.naps = HeldNaps()
        self.heard: list[Cluster] = []
        self.membership = Membership(store, duties, lambda: Report(version="1"), self.heard.append, sleep=self.naps)

    async def next_beat(self) -> None:
        heard = len(self.heard)
        self.naps.pass_one()
        await wait_until(lambda: len(self.heard) > heard)


@asynccontextmanager
async def running(folder: Path, **duties: Duty) -> AsyncIterator[Scene]:
    async with opened(folder) as store:
        scene = Scene(store, duties)
        await scene.membership.beat()
        work = asyncio.create_task(scene.membership.run())
        try:
            await wait_until(lambda: scene.naps.taken)
            yield scene
        finally:
            work.cancel()
            await asyncio.wait([work])


async def test_a_duty_begins_once_and_ends_with_the_process_which_leaves_it_to_others(tmp_path: Path) -> None:
    work = Work()
    async with running(tmp_path, sweeping=work) as scene:
        await wait_until(lambda: work.begun)
        for _ in range(3):
            await scene.next_beat()
        assert (work.begun, work.ended) == ([1], [])
        assert scene.membership.does("sweeping")
        assert not scene.membership.does("other")
        store = scene.store
    assert work.ended == [1]
    assert store._engine.duties.held == {}


async def test_a_duty_that_another_node_may_have_ends_and_begins_anew_when_it_does_not(tmp_path: Path) -> None:
    work = Work()
    async with running(tmp_path, sweeping=work) as scene:
        await wait_until(lambda: work.begun)
        await scene.store.leave()
        with capture_logs() as lines:
            work.fail(LeadLost("sweeping"))
            await wait_until(lambda: work.ended == [1])
        assert [line["event"] for line in lines if line["log_level"] == "warning"] == [
            "A duty ends: another node may have it by now"
        ]
        await scene.next_beat()  # gives up what may be left of it
        assert work.begun == [1]
        await scene.next_beat()
        await wait_until(lambda: work.begun == [1, 2])


async def test_a_duty_with_another_lead_begins_when_all_of_the_one_before_is_over(tmp_path: Path) -> None:
    over, work = asyncio.Event(), Work()

    async def slow(lead: Lead) -> None:
        try:
            await work(lead)
        finally:
            await over.wait()

    async with running(tmp_path, sweeping=slow) as scene:
        await wait_until(lambda: work.begun)
        await scene.store.leave()
        await scene.next_beat()
        await wait_until(lambda: work.ended == [1])
        await scene.next_beat()
        assert work.begun == [1]
        over.set()
        await scene.next_beat()
        await scene.next_beat()
        await wait_until(lambda: work.begun == [1, 2])


async def test_a_duty_that_has_nothing_left_to_do_is_not_begun_again(tmp_path: Path) -> None:
    begun = []

    async def brief(lead: Lead) -> None:
        begun.append(lead.epoch)

    async with running(tmp_path, indexing=brief) as scene:
        await wait_until(lambda: begun)
        for _ in range(3):
            await scene.next_beat()
        assert begun == [1]


async def test_what_nobody_foresaw_in_a_duty_ends_the_process(tmp_path: Path) -> None:
    work = Work()
    async with opened(tmp_path) as store:
        scene = Scene(store, {"sweeping": work})
        await scene.membership.beat()
        running_ = asyncio.create_task(scene.membership.run())
        await wait_until(lambda: work.begun)
        work.fail(KeyError("id"))
        with pytest.raises(ExceptionGroup) as caught:
            await running_
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
