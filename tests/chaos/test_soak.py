"""``scripts/soak`` in short: it measures, and what grows is named."""

from pathlib import Path

from msgspec.structs import replace

from scripts.crashes.soak import Sample, Soaked, soak

FLAT = Sample(seconds=1.0, acknowledged=1, memory_mb=100.0, handles=50, data_mb=10.0, p50_ms=2.0, p99_ms=9.0)


async def test_a_service_at_half_its_capacity_is_measured(tmp_path: Path) -> None:
    result = await soak(tmp_path, seconds=1.0, samples=3, measure_seconds=0.5)
    assert len(result.samples) == 3
    last = result.samples[-1]
    assert last.acknowledged > 0
    assert min(last.memory_mb, last.handles, last.data_mb) > 0


def test_only_what_grows_is_named() -> None:
    flat = (FLAT,) * 9
    assert Soaked(capacity=1.0, samples=flat).grown() == []
    leaking = tuple(replace(FLAT, memory_mb=100.0 + 10 * number) for number in range(9))
    assert Soaked(capacity=1.0, samples=leaking).grown() == ["memory_mb"]
