"""The destinations of the service that is tried: one is well, beside others that fail in every way all the while.

One fails at random, message by message; one answers 500 to a certain record until it is mended; one leads nowhere.  All
but the last have state (``scripts/consumers.py``): in the end each has what the copies are, and none was ever told an
older state of a record after a newer one.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec

from scripts.consumers import LONG_BYTES, Receiver
from scripts.crashes.followers import DESTINATIONS, SECRET
from scripts.crashes.setup import TABLE
from scripts.programs import free_port
from scripts.replica import Held, Replica

WELL, RANDOM, ONE_RECORD, NOWHERE = "well", "at-random", "one-record", "nowhere"
SHOWN: Mapping[str, tuple[str, str]] = {
    WELL: ("running", ""),
    ONE_RECORD: ("down", "it answered 500"),
    NOWHERE: ("down", "leads to no address"),
}
"""The state and words of the reason that an operator has to read, of those that are always as they are."""
TIMEOUT_SECONDS: Mapping[str, float] = {WELL: 10.0}
"""The one that is well may be slow where the machine is; the others are given up after 1 s."""
BATCH = 20
REFUSED = f"supabase:public.{TABLE}:0"
READ_BYTES_MAX = 16_000_000
"""What the buffers of two sockets, and of the loops behind them, may take of an answer that nobody reads."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all of them in a whole run."""

    seed: int
    messages: dict[str, int]
    """How many each was sent."""
    fates: dict[str, int]
    """What the one that fails at random did with its."""
    longest_answer_mb: float
    """How much of one was taken off it."""
    catch_up_seconds: float
    """From when all that have state were well until each had what the copies are."""
    memory_mb: tuple[float, float]
    """Of the service: before the first fault, and the most there was behind one."""
    wrong: tuple[str, ...]

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not self.wrong


class Destinations:
    """All of them."""

    def __init__(self, receivers: Mapping[str, Receiver], ports: Mapping[str, int], seed: int) -> None:
        self.environment = {DESTINATIONS: json.dumps([_told(name, port) for name, port in ports.items()])}
        """What the service is told, so that it tells them."""
        self.seed = seed
        self._receivers = receivers

    def be_well(self) -> tuple[str, ...]:
        """Let those that have state take everything from now on; gives their names."""
        for one in self._receivers.values():
            one.be_well()
        return tuple(self._receivers)

    def differing(self, copies: Mapping[str, Held], *, only: str | None = None) -> list[str]:
        """Name the records that they, or one of them, do not have as they are here."""
        some = [one for name, one in self._receivers.items() if only is None or name == only]
        return [line for one in some for line in one.replica.differing(copies)]

    def wrong(self) -> list[str]:
        """Say what they should never have been told."""
        said = [line for one in self._receivers.values() for line in one.replica.wrong]
        longest = self._receivers[RANDOM].longest
        if longest > READ_BYTES_MAX:
            said.append(f"{longest:,} bytes were read of an answer of {LONG_BYTES:,}")
        return said

    def told(self, *, catch_up_seconds: float, memory_mb: tuple[float, float], wrong: tuple[str, ...]) -> Told:
        """Sum up."""
        at_random = self._receivers[RANDOM]
        return Told(
            seed=self.seed,
            messages={name: sum(one.fates.values()) for name, one in self._receivers.items()},
            fates={str(fate): number for fate, number in sorted(at_random.fates.items())},
            longest_answer_mb=round(at_random.longest / 1e6, 1),
            catch_up_seconds=round(catch_up_seconds, 2),
            memory_mb=memory_mb,
            wrong=wrong,
        )


def not_shown(ready: Mapping[str, Any]) -> list[str]:
    """Say of which destinations ``/readyz`` does not say what they are."""
    seen = {one["name"]: (one["state"], one["reason"] or "") for one in ready["destinations"]}
    return [
        f"the destination {name} is {seen[name]}, and not {state} ({says})"
        for name, (state, says) in SHOWN.items()
        if seen[name][0] != state or says not in seen[name][1]
    ]


@asynccontextmanager
async def destinations(seed: int) -> AsyncIterator[Destinations]:
    """Serve all of them that can be reached."""
    moments = random.Random(seed)  # noqa: S311  moments, not secrets
    receivers = {
        WELL: Receiver(Replica(WELL), moments, fails=0.0),
        RANDOM: Receiver(Replica(RANDOM), moments),
        ONE_RECORD: Receiver(Replica(ONE_RECORD), moments, fails=0.0, refuses=REFUSED),
    }
    ports = {name: free_port() for name in (*receivers, NOWHERE)}
    async with AsyncExitStack() as stack:
        for name, one in receivers.items():
            await stack.enter_async_context(one.there(ports[name]))
        yield Destinations(receivers, ports, seed)


def _told(name: str, port: int) -> dict[str, object]:
    host = "nobody.invalid" if name == NOWHERE else f"127.0.0.1:{port}"
    return {
        "name": name,
        "url": f"http://{host}/changes",
        "secret": SECRET,
        "timeout_seconds": TIMEOUT_SECONDS.get(name, 1.0),
        "batch": BATCH,
    }
