"""``scripts/soak``: half of what the service can, for a long time, with retention at work; nothing may grow.

It measures what can be sent first and then sends half of it.  A sample is what the system says of the process and what
the senders saw; the first third of the time is for warming up, and the middle third is compared with the last one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from scripts.crashes.processes import Failed, Service, World, world
from scripts.crashes.setup import environment, module, prepare
from scripts.crashes.trial import free_port

SEED = 7
ALLOWED = {"memory_mb": 1.15, "handles": 1.1, "data_mb": 1.3, "p50_ms": 2.0, "p99_ms": 2.0}
"""How many times its value in the middle each may be at the end."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at one moment."""

    seconds: float
    acknowledged: int
    memory_mb: float
    handles: int
    data_mb: float
    p50_ms: float
    p99_ms: float


class Soaked(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    capacity: float
    """Acknowledgements a second without a pause."""
    samples: tuple[Sample, ...]

    def thirds(self) -> dict[str, tuple[float, float]]:
        """Give each figure's median in the middle and at the end."""
        third = max(1, len(self.samples) // 3)
        middle, last = self.samples[third : 2 * third] or self.samples, self.samples[-third:]
        return {
            name: (median(getattr(one, name) for one in middle), median(getattr(one, name) for one in last))
            for name in ALLOWED
        }

    def grown(self) -> list[str]:
        """Name what is larger at the end than it may be."""
        return [name for name, (before, after) in self.thirds().items() if after > before * ALLOWED[name]]


async def soak(folder: Path, *, seconds: float, samples: int, measure_seconds: float) -> Soaked:
    """Run it in an empty folder.  Raises Failed."""
    prepare(folder)
    port = free_port()
    async with world(port, folder / "journal", SEED) as outside:
        service = await Service.start(
            folder, port, environment(outside.urls["supabase"], outside.urls["notion"]), module("hookbridge")
        )
        try:
            await service.ready()
            capacity = await _capacity(outside, measure_seconds)
            await outside.tell(f"rate {capacity / 2}")
            began = time.monotonic()
            taken = []
            for _ in range(samples):
                await asyncio.sleep(seconds / samples)
                taken.append(await _sample(folder, service, outside, time.monotonic() - began))
            await outside.delivered()
            await service.settled()
        finally:
            await service.kill()
    return Soaked(capacity=capacity, samples=tuple(taken))


async def _capacity(outside: World, seconds: float) -> float:
    await outside.tell("go")
    before: int = (await outside.tell("look"))["acknowledged"]
    began = time.monotonic()
    await asyncio.sleep(seconds)
    after: int = (await outside.tell("look"))["acknowledged"]
    return max(10.0, (after - before) / (time.monotonic() - began))


async def _sample(folder: Path, service: Service, outside: World, seconds: float) -> Sample:
    said = await outside.tell("look")
    memory, handles = service.size()
    return Sample(
        seconds=round(seconds, 1),
        acknowledged=said["acknowledged"],
        memory_mb=round(memory / 1e6, 1),
        handles=handles,
        data_mb=round(data_bytes(folder) / 1e6, 1),
        p50_ms=round(said["p50"], 2),
        p99_ms=round(said["p99"], 2),
    )


def data_bytes(folder: Path) -> int:
    """Give the size of the data file and its log."""
    return sum(path.stat().st_size for path in (folder / "data").iterdir())


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--samples", type=int, default=30, help="how many looks (default 30)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hookbridge-soak-") as folder:
        try:
            result = asyncio.run(
                soak(Path(folder), seconds=given.minutes * 60, samples=given.samples, measure_seconds=5.0)
            )
        except Failed as error:
            print(f"FAILED: {error}", file=sys.stderr)
            return 1
    if given.json:
        print(msgspec.json.encode(result).decode())
    else:
        show(result)
    return 1 if result.grown() else 0


def show(result: Soaked) -> None:
    """Print the table."""
    print(f"capacity {result.capacity:.0f} acknowledgements/s; half of it was sent")
    names = Sample.__struct_fields__
    print("".join(f"{name:>14}" for name in names))
    for one in result.samples:
        print("".join(f"{getattr(one, name):>14}" for name in names))
    for name, (before, after) in result.thirds().items():
        print(f"{name}: {before:.1f} in the middle, {after:.1f} at the end, allowed {before * ALLOWED[name]:.1f}")
    print(f"grown: {', '.join(result.grown())}" if result.grown() else "nothing has grown")


if __name__ == "__main__":
    sys.exit(main())
