"""The attempts at a change: the guide's timeline, what the source asked for, and what the log has of it."""

import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from hookbridge.config import ProcessingConfig
from hookbridge.errors import (
    CacheUnavailable,
    HandlerGaveUp,
    RecordImpossible,
    RecordUnreadable,
    SourceRefused,
    SourceUnavailable,
    describe,
)
from hookbridge.pipeline.attempts import Attempts
from tests.support.naps import Naps

GIVEN_UP = HandlerGaveUp("x")


def unavailable(retry_after: float | None = None) -> SourceUnavailable:
    return SourceUnavailable("down", retry_after_seconds=retry_after)


class Failing:
    """An attempt that ends with the given errors, one after the other, and then with a result."""

    def __init__(self, *failures: BaseException) -> None:
        self.failures = list(failures)
        self.numbers: list[int] = []

    async def __call__(self, number: int) -> str:
        self.numbers.append(number)
        if self.failures:
            raise self.failures.pop(0)
        return f"done at {number}"


def attempts(naps: Naps, **config: float) -> Attempts:
    return Attempts(msgspec.convert(config, ProcessingConfig), sleep=naps)


async def test_a_change_that_succeeds_at_once_waits_for_nothing() -> None:
    naps, change = Naps(), Failing()
    assert await attempts(naps).run(change) == "done at 1"
    assert (naps.taken, change.numbers) == ([], [1])


async def test_the_guides_timeline_is_at_once_after_2_seconds_and_after_4() -> None:
    naps, change = Naps(), Failing(*[ValueError(str(n)) for n in range(5)])
    with pytest.raises(ValueError, match="2"):
        await attempts(naps).run(change)
    assert (naps.taken, change.numbers) == ([2.0, 4.0], [1, 2, 3])


async def test_the_last_attempt_may_still_succeed() -> None:
    naps, change = Naps(), Failing(ValueError(), unavailable())
    assert await attempts(naps).run(change) == "done at 3"
    assert naps.taken == [2.0, 4.0]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_attempts": 1}, []),
        ({"max_attempts": 2}, [2.0]),
        ({"max_attempts": 5}, [2.0, 4.0, 8.0, 16.0]),
        ({"retry_delay_seconds": 0.5}, [0.5, 1.0]),
        ({"retry_delay_seconds": 0.0}, [0.0, 0.0]),
        ({"retry_multiplier": 1.0, "max_attempts": 4}, [2.0, 2.0, 2.0]),
        ({"retry_multiplier": 3.0}, [2.0, 6.0]),
    ],
)
async def test_every_setting_of_the_timeline_counts(config: dict[str, float], expected: list[float]) -> None:
    naps, change = Naps(), Failing(*[ValueError()] * 9)
    with pytest.raises(ValueError, match=r"^$"):
        await attempts(naps, **config).run(change)
    assert naps.taken == expected
    assert len(change.numbers) == len(expected) + 1


async def test_what_the_source_asks_for_is_waited_when_it_is_longer_than_our_own_wait() -> None:
    naps, change = Naps(), Failing(unavailable(7.5), unavailable(1.0))
    await attempts(naps).run(change)
    assert naps.taken == [7.5, 4.0]


@pytest.mark.parametrize(("asked", "tries"), [(10.0, 3), (10.1, 1), (3600.0, 1)])
async def test_a_retry_after_beyond_ten_seconds_is_the_lanes_to_wait_for(asked: float, tries: int) -> None:
    naps, change = Naps(), Failing(*[unavailable(asked)] * 9)
    with pytest.raises(SourceUnavailable):
        await attempts(naps).run(change)
    assert len(change.numbers) == tries


@pytest.mark.parametrize("failure", [RecordImpossible("x"), GIVEN_UP, SourceRefused("x")])
async def test_what_cannot_get_better_is_not_tried_again(failure: Exception) -> None:
    naps, change = Naps(), Failing(failure)
    with pytest.raises(type(failure)):
        await attempts(naps).run(change)
    assert (naps.taken, change.numbers) == ([], [1])


async def test_a_permanent_failure_at_the_second_attempt_ends_the_change_there() -> None:
    naps, change = Naps(), Failing(ValueError(), GIVEN_UP)
    with pytest.raises(HandlerGaveUp):
        await attempts(naps).run(change)
    assert (naps.taken, change.numbers) == ([2.0], [1, 2])


@pytest.mark.parametrize("before", [[], [ValueError()]], ids=["the first", "the second"])
async def test_a_change_that_is_cancelled_is_not_tried_again(before: list[Exception]) -> None:
    naps, change = Naps(), Failing(*before, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await attempts(naps).run(change)
    assert len(change.numbers) == len(before) + 1


async def test_a_failure_that_is_tried_again_is_logged_with_its_wait() -> None:
    with capture_logs() as lines:
        await attempts(Naps()).run(Failing(ValueError("bad\nsecond line"), unavailable(6.0)), record="r")
    assert lines == [
        {
            "event": "Attempt 1/3 failed",
            "error": "ValueError: bad",
            "retry_in_seconds": 2.0,
            "record": "r",
            "log_level": "warning",
        },
        {
            "event": "Attempt 2/3 failed",
            "error": "SourceUnavailable: down",
            "retry_in_seconds": 6.0,
            "record": "r",
            "log_level": "warning",
        },
    ]


@pytest.mark.parametrize(
    ("failure", "told"), [(CacheUnavailable("gone"), 1), (unavailable(), 1), (RecordUnreadable("x"), 8)]
)
async def test_what_meets_every_record_is_told_once_and_what_is_a_records_own_each_time(
    failure: Exception, told: int
) -> None:
    lane = attempts(Naps())
    with capture_logs() as lines:
        for _ in range(4):
            with pytest.raises(type(failure)):
                await lane.run(Failing(*[failure] * 3))
    levels = [line["log_level"] for line in lines]
    assert levels == ["warning"] * told + ["debug"] * (8 - told)


async def test_an_outage_is_told_again_when_it_lasts_or_comes_back_and_another_one_at_once() -> None:
    times = iter((1.0, 2.0, 60.9, 61.1))
    lane = Attempts(ProcessingConfig(), sleep=Naps(), clock=lambda: next(times))
    with capture_logs() as lines:
        for failure in (unavailable(), CacheUnavailable("gone"), unavailable(), unavailable()):
            await lane.run(Failing(failure))
    assert [line["log_level"] for line in lines] == ["warning", "warning", "debug", "warning"]


def test_an_error_is_described_in_one_line_of_bounded_length() -> None:
    assert describe(ValueError("one\ntwo")) == "ValueError: one"
    assert describe(KeyError()) == "KeyError"
    assert describe(ValueError("x" * 9_000)) == "ValueError: " + "x" * 500
