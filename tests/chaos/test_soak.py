"""``scripts/soak`` in short: it measures, what grows is named, and what did nothing is no success."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from scripts.crashes.processes import Failed
from scripts.crashes.soak import Sample, Soaked, soak

FLAT = Sample(seconds=60.0, acknowledged=0, memory_mb=130.0, handles=55, data_mb=150.0, p50_ms=18.0, p99_ms=66.0)


def thirty(**growth: float) -> Soaked:
    """Half an hour in which figures rise by so much a minute, around it the noise of a shared machine."""
    samples = tuple(
        replace(
            FLAT,
            seconds=60.0 * (minute + 1),
            acknowledged=40_000 * minute,
            memory_mb=FLAT.memory_mb + growth.get("memory_mb", 0.0) * minute + minute % 3,
            handles=FLAT.handles + int(growth.get("handles", 0.0) * minute) + minute % 2,
            data_mb=FLAT.data_mb + growth.get("data_mb", 0.0) * minute + minute % 5,
            p50_ms=FLAT.p50_ms + growth.get("p50_ms", 0.0) * minute + minute % 4,
            p99_ms=FLAT.p99_ms + growth.get("p99_ms", 0.0) * minute + 3 * (minute % 4),
            others=growth.get("others", 0.0) * minute,
        )
        for minute in range(30)
    )
    return Soaked(capacity=1_400.0, asked=29 * 40_000.0, samples=samples)


async def test_a_service_at_half_its_capacity_is_measured(tmp_path: Path) -> None:
    told: list[Sample] = []
    result = await soak(
        tmp_path, seconds=1.0, samples=3, measure_seconds=0.5, each=lambda _, sample: told.append(sample)
    )
    assert tuple(told) == result.samples
    assert len(result.samples) == 3
    last = result.samples[-1]
    assert last.acknowledged > 0
    assert min(last.memory_mb, last.handles, last.data_mb) > 0
    assert all(0 <= one.others <= 1 for one in result.samples)


def test_what_stays_as_it_is_has_not_grown() -> None:
    assert thirty().wrong() == []


@pytest.mark.parametrize(
    ("name", "per_minute"), [("memory_mb", 1.5), ("handles", 1), ("data_mb", 2.0), ("p50_ms", 1.0), ("p99_ms", 2.0)]
)
def test_what_grows_slowly_is_named(name: str, per_minute: float) -> None:
    assert thirty(**{name: per_minute}).grown() == [name]


def test_of_latencies_nothing_is_said_when_others_used_more_of_the_machine() -> None:
    assert thirty(p99_ms=2.0, others=0.001).grown() == ["p99_ms"]
    assert thirty(p99_ms=2.0, memory_mb=1.5, others=0.02).grown() == ["memory_mb"]


@pytest.mark.parametrize("minutes", [3, 4, 7])
def test_a_few_samples_are_enough(minutes: int) -> None:
    whole = thirty(data_mb=60.0)
    assert replace(whole, samples=whole.samples[:minutes]).grown() == ["data_mb"]


def test_a_service_that_acknowledges_nothing_is_no_success() -> None:
    idle = tuple(replace(one, acknowledged=0) for one in thirty().samples)
    assert replace(thirty(), samples=idle).wrong() == ["0 webhooks were acknowledged of 1160000 that were to be sent"]
    assert replace(thirty(), asked=2_000_000.0).wrong() != []


async def test_too_few_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="show no trend"):
        await soak(tmp_path, seconds=1.0, samples=0, measure_seconds=0.5)
