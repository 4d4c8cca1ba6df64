"""Those who follow the feed of a service that is struck: two consumers and a destination, each with a replica.

They live in the trial's process, and are never struck.  None may be told an older state after a newer one, and what
each has after a blow are the copies.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from scripts.consumers import Consumer, Receiver
from scripts.crashes.result import Result
from scripts.crashes.setup import ADMIN_TOKEN
from scripts.programs import free_port
from scripts.replica import Held, Replica

NAME = "followers"
SECRET = "whsec_Zm9yIHRoZSBjcmFzaCB0ZXN0IGFsb25l"  # noqa: S105  of a service that lives for minutes
CATCHES_UP_SECONDS = 60.0
"""Within which each has what there is; what it took is told, this is for a machine that is far too busy."""
LOOK_SECONDS = 0.05
FAILS = 0.15
TIMEOUT_SECONDS = 1
DESTINATIONS = "HOOKBRIDGE_DESTINATIONS"


class Followers:
    """All of them."""

    def __init__(self, consumers: Sequence[Consumer], receiver: Receiver, port: int) -> None:
        self.environment = {DESTINATIONS: json.dumps([_destination(port)])}
        """What a service is told, so that it tells the destination."""
        self._consumers = consumers
        self._receiver = receiver

        self._slowest_seconds = 0.0

    def count(self, result: Result) -> None:
        """Say what they have seen."""
        result.told = sum(replica.told for replica in self._replicas())
        result.messages = sum(self._receiver.fates.values())
        result.messages_not_taken = self._receiver.not_acknowledged
        result.slowest_catch_up_seconds = self._slowest_seconds

    async def broken(self, copies: Mapping[str, Held]) -> list[str]:
        """Wait until each has these; gives what it has not, and what it should never have been told.

        The destination is well meanwhile: what is waited for is the service.
        """
        began = time.monotonic()
        self._receiver.be_well()
        while time.monotonic() < began + CATCHES_UP_SECONDS:
            if all(one.records == copies for one in self._replicas()):
                break
            await asyncio.sleep(LOOK_SECONDS)
        self._receiver.fails = FAILS
        self._slowest_seconds = max(self._slowest_seconds, time.monotonic() - began)
        return [line for one in self._replicas() for line in (*one.wrong, *one.differing(copies))]

    def _replicas(self) -> list[Replica]:
        return [self._receiver.replica, *(consumer.replica for consumer in self._consumers)]


@asynccontextmanager
async def followers(ports: Sequence[int], seed: int, *, overlap_seconds: float = 0.0) -> AsyncIterator[Followers]:
    """Follow the services on these ports, whichever answers; ``overlap_seconds`` as ``Replica`` has it."""
    moments = random.Random(seed)  # noqa: S311  moments, not secrets
    their_port = free_port()

    def replica(name: str) -> Replica:
        return Replica(name, overlap_seconds=overlap_seconds)

    def where() -> str:
        return f"http://127.0.0.1:{moments.choice(ports)}"

    receiver = Receiver(replica("the destination"), moments, fails=FAILS)
    consumers = [
        Consumer(replica("who waits"), "waits", where, ADMIN_TOKEN, moments, limit_max=500),
        Consumer(replica("who reads the stream"), "streams", where, ADMIN_TOKEN, moments),
    ]
    async with receiver.there(their_port):
        tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
        try:
            yield Followers(consumers, receiver, their_port)
        finally:
            for task in tasks:
                task.cancel()
            for one in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(one, Exception):
                    raise one


def held(rows: Iterable[tuple[str, bytes, str | None]]) -> dict[str, Held]:
    """Give copies (record, data, content) as whoever follows them has to hold them."""
    return {record: Held.of(json.loads(data), _markdown(content)) for record, data, content in rows}


def _markdown(content: str | None) -> str | None:
    """Give the text behind a record where its source gave one: that it was refused is kept, too."""
    kept = {} if content is None else json.loads(content)
    return None if kept.get("refused") else kept.get("markdown")


def _destination(port: int) -> dict[str, object]:
    return {
        "name": NAME,
        "url": f"http://127.0.0.1:{port}/changes",
        "secret": SECRET,
        "timeout_seconds": TIMEOUT_SECONDS,
    }
