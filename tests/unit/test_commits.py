"""Group commit: who is in which group, when a result is known, and that nothing submitted is left behind."""

import asyncio
from typing import Any

import pytest

from hookbridge.errors import StoreUnavailable
from hookbridge.store.commits import GROUP_BYTES, GROUP_MAX, GroupCommit, Results
from tests.support.waiting import wait_until

Groups = list[list[int]]


class Disk:
    """An engine whose commits end when the test says so."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401  as GroupCommit has them
        self.groups: Groups = []
        self._done: list[tuple[list[int], object]] = []
        self.weights: dict[int, int] = {}
        self.commits: GroupCommit[int] = GroupCommit(self._begin, lambda job: self.weights.get(job, 0), **how)

    def _begin(self, jobs: list[int], done: object) -> None:
        self.groups.append(jobs)
        self._done.append((jobs, done))

    @property
    def under_way(self) -> int:
        return len(self._done)

    def finish(self, results: Results | None = None, *, place: int = 0) -> None:
        """End a commit that is under way, the oldest one; without results, each job's is ten times the job."""
        jobs, done = self._done.pop(place)
        assert callable(done)
        done([job * 10 for job in jobs] if results is None else results)


async def test_all_that_is_ready_in_one_round_of_the_loop_is_one_group() -> None:
    disk = Disk()

    async def request(job: int) -> int:
        return int(await disk.commits.submit(job))

    requests = [asyncio.create_task(request(job)) for job in range(5)]
    await wait_until(lambda: disk.groups)
    assert disk.groups == [[0, 1, 2, 3, 4]]
    disk.finish()
    assert await asyncio.gather(*requests) == [0, 10, 20, 30, 40]


async def test_what_arrives_during_a_commit_waits_for_the_next_one_and_no_two_run_at_once() -> None:
    disk = Disk()
    first = disk.commits.submit(1)
    await wait_until(lambda: disk.under_way)
    later = [disk.commits.submit(job) for job in (2, 3)]
    await asyncio.sleep(0)
    assert (disk.groups, disk.under_way) == ([[1]], 1)
    disk.finish()
    assert await first == 10
    assert not any(one.done() for one in later)
    await wait_until(lambda: disk.under_way)
    assert disk.groups == [[1], [2, 3]]
    disk.finish()
    assert [await one for one in later] == [20, 30]


async def test_each_job_gets_its_own_result_or_its_own_failure() -> None:
    disk = Disk()
    futures = [disk.commits.submit(job) for job in (1, 2, 3)]
    await wait_until(lambda: disk.under_way)
    disk.finish([10, ValueError("two"), 30])
    answers = await asyncio.gather(*futures, return_exceptions=True)
    assert answers[0] == 10
    assert isinstance(answers[1], ValueError)
    assert answers[2] == 30


async def test_a_group_is_bounded_and_the_rest_is_not_forgotten() -> None:
    disk = Disk()
    futures = [disk.commits.submit(job) for job in range(GROUP_MAX + 3)]
    await wait_until(lambda: disk.under_way)
    assert len(disk.groups[0]) == GROUP_MAX
    disk.finish()
    await wait_until(lambda: disk.under_way)
    assert disk.groups[1] == [GROUP_MAX, GROUP_MAX + 1, GROUP_MAX + 2]
    disk.finish()
    assert await futures[-1] == (GROUP_MAX + 2) * 10


async def test_a_group_ends_with_the_job_that_makes_it_heavy() -> None:
    disk = Disk()
    disk.weights = {2: GROUP_BYTES, 4: 3 * GROUP_BYTES}
    futures = [disk.commits.submit(job) for job in range(1, 7)]
    for _ in range(3):
        await wait_until(lambda: disk.under_way)
        disk.finish()
    assert disk.groups == [[1, 2], [3, 4], [5, 6]]
    assert await futures[-1] == 60


async def test_a_waiter_that_gave_up_disturbs_neither_its_group_nor_the_next() -> None:
    disk = Disk()
    gone, stays = disk.commits.submit(1), disk.commits.submit(2)
    await wait_until(lambda: disk.under_way)
    gone.cancel()
    disk.finish()
    assert await stays == 20
    following = disk.commits.submit(3)
    await wait_until(lambda: disk.under_way)
    disk.finish()
    assert await following == 30


async def test_closing_waits_for_what_was_submitted_and_refuses_the_rest() -> None:
    disk = Disk()
    first = disk.commits.submit(1)
    await wait_until(lambda: disk.under_way)
    second = disk.commits.submit(2)
    closing = asyncio.create_task(disk.commits.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(disk.commits.submit(3), 60)
    disk.finish()
    await wait_until(lambda: disk.under_way)
    await asyncio.sleep(0)
    assert not closing.done()
    disk.finish()
    await closing
    assert (await first, await second) == (10, 20)


async def test_closing_right_after_a_submission_still_commits_it() -> None:
    disk = Disk()
    only = disk.commits.submit(1)
    closing = asyncio.create_task(disk.commits.close())
    await wait_until(lambda: disk.under_way)
    disk.finish()
    await closing
    assert await only == 10


async def test_an_idle_one_closes_at_once() -> None:
    await Disk().commits.close()


async def test_as_many_groups_are_under_way_as_may_be_and_each_job_gets_its_own_result() -> None:
    disk = Disk(at_once=2)
    futures = []
    for job in (1, 2, 3, 4):
        futures.append(disk.commits.submit(job))
        await asyncio.sleep(0)
    assert disk.groups == [[1], [2]]
    disk.finish(place=1)  # the later one is done first
    assert [one.done() for one in futures] == [False, True, False, False]
    assert disk.groups == [[1], [2], [3, 4]]
    closing = asyncio.create_task(disk.commits.close())
    disk.finish()
    await asyncio.sleep(0)
    assert not closing.done()
    disk.finish()
    await closing
    assert [await one for one in futures] == [10, 20, 30, 40]


async def test_behind_a_group_of_several_the_next_one_waits_for_its_time() -> None:
    disk = Disk(spacing_seconds=1_000.0)
    together = [disk.commits.submit(job) for job in (1, 2)]
    await wait_until(lambda: disk.under_way)
    disk.finish()
    later = disk.commits.submit(3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert await asyncio.gather(*together) == [10, 20]
    assert (disk.groups, later.done()) == ([[1, 2]], False)


async def test_when_its_time_has_come_a_group_takes_all_that_waits() -> None:
    disk = Disk(spacing_seconds=0.05)
    together = [disk.commits.submit(job) for job in (1, 2)]
    await wait_until(lambda: disk.under_way)
    together += [disk.commits.submit(job) for job in (3, 4)]
    disk.finish()
    await wait_until(lambda: disk.under_way)
    disk.finish()
    assert await asyncio.gather(*together) == [10, 20, 30, 40]
    assert disk.groups == [[1, 2], [3, 4]]


async def test_whoever_is_alone_never_waits_for_a_group() -> None:
    disk = Disk(spacing_seconds=1_000.0)
    for job in (1, 2, 3):
        only = disk.commits.submit(job)
        await wait_until(lambda: disk.under_way)
        disk.finish()
        assert await only == job * 10
    assert disk.groups == [[1], [2], [3]]


async def test_closing_does_not_forget_a_group_whose_time_has_not_come() -> None:
    disk = Disk(spacing_seconds=0.05)
    first = [disk.commits.submit(job) for job in (1, 2)]
    await wait_until(lambda: disk.under_way)
    disk.finish()
    last = disk.commits.submit(3)
    closing = asyncio.create_task(disk.commits.close())
    await wait_until(lambda: disk.under_way)
    disk.finish()
    await closing
    assert await asyncio.gather(*first, last) == [10, 20, 30]
