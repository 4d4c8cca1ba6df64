"""``scripts/soak``: half of what the service can, for a long time, with retention at work; nothing may grow.

It measures what can be sent first and then sends half of it.  A sample is what the system says of the process and what
the senders saw.  The first third of the time is for warming up; in the rest, the median of the first samples is held
against that of the last ones, and what rose by more than is allowed in an hour has grown.  Of latencies nothing is said
when what others use of the machine rose as well.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import msgspec

from scripts import supervised
from scripts.crashes.machine import Others
from scripts.crashes.processes import Failed, Service, World, world
from scripts.crashes.setup import environment, module, prepare
from scripts.programs import free_port

SEED = 7
HOUR = 3600.0
SENT_SHARE = 0.9
"""Of what was asked for, so much has to be acknowledged: a service that does nothing does not grow either."""
LATENCIES = ("p50_ms", "p99_ms")
OTHERS_MORE = 0.1
"""Of the whole machine; more than this besides makes everything slower, whatever the service does."""
SAMPLES_MIN = 3
"""One for each third."""


class Bound(msgspec.Struct, frozen=True):
    """How much a figure may rise."""

    share_per_hour: float
    """Of its value after warming up."""
    noise: float
    """Besides, whatever the time: by so much it differs from one while to the next."""


BOUNDS: Mapping[str, Bound] = {
    "memory_mb": Bound(0.1, 4.0),
    "handles": Bound(0.1, 6.0),
    "data_mb": Bound(0.1, 8.0),
    "p50_ms": Bound(0.25, 5.0),
    "p99_ms": Bound(0.25, 15.0),
}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at one moment."""

    seconds: float
    acknowledged: int
    memory_mb: float
    handles: int
    data_mb: float
    p50_ms: float
    p99_ms: float
    others: float = 0.0
    """What others used of all processors since the sample before: neither service nor senders nor this script."""


class Trend(msgspec.Struct, frozen=True):
    """How a figure went on after warming up."""

    before: float
    after: float
    allowed: float


class Soaked(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    capacity: float
    """Acknowledgements a second without a pause."""
    asked: float
    """Webhooks that were to be sent between the first sample and the last."""
    samples: tuple[Sample, ...]

    def _parts(self) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
        rest = self.samples[len(self.samples) // 3 :]
        part = max(1, len(rest) // 3)
        return rest[:part], rest[-part:]

    def others_more(self) -> float:
        """Give how much more of the machine others used at the end."""
        first, last = self._parts()
        return median(one.others for one in last) - median(one.others for one in first)

    def trends(self) -> dict[str, Trend]:
        """Hold the first third of the last two against the last one, figure by figure."""
        first, last = self._parts()
        hours = (median(one.seconds for one in last) - median(one.seconds for one in first)) / HOUR
        found = {}
        for name, bound in BOUNDS.items():
            before, after = (median(getattr(one, name) for one in some) for some in (first, last))
            found[name] = Trend(before, after, before * (1 + bound.share_per_hour * hours) + bound.noise)
        return found

    def grown(self) -> list[str]:
        """Name what is larger at the end than it may be."""
        larger = [name for name, trend in self.trends().items() if trend.after > trend.allowed]
        return [name for name in larger if name not in LATENCIES] if self.others_more() > OTHERS_MORE else larger

    def wrong(self) -> list[str]:
        """Say everything that keeps the run from being a success."""
        acknowledged = self.samples[-1].acknowledged - self.samples[0].acknowledged
        found = [f"{name} has grown" for name in self.grown()]
        if acknowledged < SENT_SHARE * self.asked or not acknowledged:
            found.append(f"{acknowledged} webhooks were acknowledged of {self.asked:.0f} that were to be sent")
        return found


async def soak(
    folder: Path,
    *,
    seconds: float,
    samples: int,
    measure_seconds: float,
    each: Callable[[float, Sample], None] = lambda capacity, sample: None,
) -> Soaked:
    """Run it in an empty folder; ``each`` is told of every sample at once.  Raises Failed."""
    if samples < SAMPLES_MIN:
        raise Failed(f"{samples} samples show no trend: it takes {SAMPLES_MIN} at least")
    prepare(folder)
    port = free_port()
    async with world([port], folder / "journal", SEED) as outside:
        given = environment(outside.urls["supabase"], outside.urls["notion"])
        service = await Service.start(folder, port, given, module("hookbridge"))
        try:
            await service.ready()
            capacity = await _capacity(outside, measure_seconds)
            await outside.tell(f"rate {capacity / 2}")
            began = time.monotonic()
            taken: list[Sample] = []
            others = Others((os.getpid(), service.pid, outside.pid))
            for number in range(1, samples + 1):
                await asyncio.sleep(max(0.0, began + number * seconds / samples - time.monotonic()))
                one = await _sample(folder, service, outside, time.monotonic() - began)
                taken.append(msgspec.structs.replace(one, others=others.since_last()))
                each(capacity, taken[-1])
            await outside.delivered()
            await service.settled()
        finally:
            service.kill()
            await service.ended()
    asked = capacity / 2 * (taken[-1].seconds - taken[0].seconds)
    return Soaked(capacity=capacity, asked=asked, samples=tuple(taken))


async def _capacity(outside: World, seconds: float) -> float:
    await outside.tell("go")
    before: int = (await outside.tell("look"))["acknowledged"]
    began = time.monotonic()
    await asyncio.sleep(seconds)
    after: int = (await outside.tell("look"))["acknowledged"]
    return max(10.0, (after - before) / (time.monotonic() - began))


async def _sample(folder: Path, service: Service, outside: World, seconds: float) -> Sample:
    memory, handles = service.size()
    said = await outside.tell("look")
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
    parser.add_argument("--json", action="store_true", help="print JSON, one sample a line, instead of a table")
    given = parser.parse_args()
    refused = supervised.unless_linux()
    if refused is not None:
        return refused
    return supervised.run(
        "hookbridge-soak-",
        lambda folder: soaked(folder, seconds=given.minutes * 60, samples=given.samples, as_json=given.json),
    )


async def soaked(folder: Path, *, seconds: float, samples: int, as_json: bool) -> int:
    """Run, and print each sample as it comes."""
    names = Sample.__struct_fields__
    seen = 0

    def each(capacity: float, one: Sample) -> None:
        nonlocal seen
        if as_json:
            print(msgspec.json.encode(one).decode(), flush=True)
            return
        if not seen:
            print(f"capacity {capacity:.0f} acknowledgements/s; half of it is asked for")
            print("".join(f"{name:>14}" for name in names))
        seen += 1
        print("".join(f"{getattr(one, name):>14}" for name in names), flush=True)

    try:
        result = await soak(folder, seconds=seconds, samples=samples, measure_seconds=5.0, each=each)
    except Failed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    show(result, as_json=as_json)
    return 1 if result.wrong() else 0


def show(result: Soaked, *, as_json: bool) -> None:
    """Print what came of it."""
    if as_json:
        print(msgspec.json.encode(result.trends()).decode())
    else:
        for name, trend in result.trends().items():
            print(
                f"{name}: {trend.before:.1f} after warming up, {trend.after:.1f} at the end, up to {trend.allowed:.1f}"
            )
        if result.others_more() > OTHERS_MORE:
            print(f"others used {result.others_more():.0%} more of the machine at the end: latencies say nothing")
    for line in result.wrong():
        print(f"BROKEN: {line}", file=sys.stderr)
    if not as_json:
        print("something is wrong" if result.wrong() else "nothing has grown")


if __name__ == "__main__":
    sys.exit(main())
