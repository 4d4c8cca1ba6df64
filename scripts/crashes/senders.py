"""Delivering webhooks as the world does: again until a 202, some twice, some slowly, some cut in the middle.

Invariant: a delivery is over when it was acknowledged, and each acknowledgement is a line in the journal before the
next request goes out.  It knows nothing of sources.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

from scripts.crashes.setup import RETAINED_SECONDS

PAUSE_SECONDS = 0.03
ANSWER_SECONDS = 60.0
ACCEPTED = 202
ELSEWHERE = 0.02
"""So often a connection is made anew, to any of several nodes: one that came back is to be found again."""


class Delivery(msgspec.Struct, frozen=True):
    """One webhook that has to arrive."""

    path: str
    headers: dict[str, str]
    body: bytes
    identity: bytes
    """By which the inbox knows it."""
    record: str
    """What it is about: the order of what is told of one record counts."""


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    event_id: int
    duplicate: bool


class Senders:
    """Connections that deliver one webhook after the other, whatever happens to the service, to any of its nodes."""

    def __init__(self, ports: Sequence[int], journal: Path, seed: int) -> None:
        self.waiting: deque[Delivery] = deque()
        self.acknowledged = 0
        self.duplicates = 0
        self.refused: dict[int, int] = {}
        self.wrong: list[str] = []
        self.latencies: list[float] = []
        """Seconds from a request to its acknowledgement, since they were last taken."""
        self.busy = 0
        self._ports = ports
        self._journal = journal.open("a", buffering=1)
        self._random = random.Random(seed)  # noqa: S311  a load, not a secret

    @property
    def idle(self) -> bool:
        """Whether everything has arrived."""
        return not self.waiting and not self.busy

    def take_latencies(self) -> dict[str, float]:
        """Give the median and the 99th percentile in milliseconds since the last call."""
        taken, self.latencies = sorted(self.latencies), []
        if not taken:
            return {"p50": 0.0, "p99": 0.0}
        return {"p50": taken[len(taken) // 2] * 1000, "p99": taken[len(taken) * 99 // 100] * 1000}

    async def run(self, connections: int) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._work())

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            while True:
                if not self.waiting:
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                self.busy += 1
                try:
                    connection = await self._deliver(self.waiting.popleft(), connection)
                finally:
                    self.busy -= 1
        finally:
            if connection is not None:
                connection.close()

    async def _deliver(self, what: Delivery, connection: Connection | None) -> Connection:
        if self._random.random() < 0.01:  # noqa: PLR2004  one in a hundred
            await self._cut(what)
        again = self._random.random() < 0.05  # noqa: PLR2004  one in twenty
        first: int | None = None
        sent_at = time.time()
        while True:
            try:
                if connection is not None and len(self._ports) > 1 and self._random.random() < ELSEWHERE:
                    connection.close()
                    connection = None
                if connection is None:
                    connection = await self._connected()
                slowly = self._random.random() < 0.01  # noqa: PLR2004  one in a hundred
                began = time.monotonic()
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await connection.ask(what, slowly=slowly)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                if connection is not None:
                    connection.close()
                connection = None
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if answer.status != ACCEPTED:
                self.refused[answer.status] = self.refused.get(answer.status, 0) + 1
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if not slowly:
                self.latencies.append(time.monotonic() - began)
            self._note(what, answer, first, sent_at)
            if not again:
                return connection
            again, first = False, answer.event_id

    def _note(self, what: Delivery, answer: Answer, first: int | None, sent_at: float) -> None:
        self._journal.write(f"{answer.event_id} {what.identity.hex()} {sent_at} {time.time()} {what.record}\n")
        self.acknowledged += 1
        self.duplicates += answer.duplicate
        if time.time() - sent_at > RETAINED_SECONDS:
            return  # the first one may be gone, and what is gone is not known again
        if first is not None and (answer.event_id != first or not answer.duplicate):
            self.wrong.append(f"event {first} was sent again and became event {answer.event_id}")

    async def _connected(self) -> Connection:
        return await Connection.open(self._random.choice(self._ports))

    async def _cut(self, what: Delivery) -> None:
        """Send a half and hang up: nothing of it may be stored."""
        try:
            connection = await self._connected()
            connection.send(what, len(what.body) // 2)
        except OSError:
            return
        connection.close()


class Connection:
    """HTTP/1.1 with keep-alive, as little of it as is needed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect.  Raises OSError."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, what: Delivery, body_bytes: int) -> None:
        """Send the head and so many bytes of the body."""
        lines = [f"POST {what.path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(what.body)}"]
        lines += [f"{name}: {value}" for name, value in what.headers.items()]
        self._write("\r\n".join([*lines, "", ""]).encode() + what.body[:body_bytes])

    def _write(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the other side has hung up")
        self._writer.write(data)

    async def ask(self, what: Delivery, *, slowly: bool) -> Answer:
        """Send it all and read the answer.  Raises OSError or IncompleteReadError."""
        if slowly:
            half = len(what.body) // 2
            self.send(what, half)
            await asyncio.sleep(PAUSE_SECONDS)
            self._write(what.body[half:])
        else:
            self.send(what, len(what.body))
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        await self._reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self._writer.close()
        return Answer(
            int(first.split()[1]),
            int(headers.get("x-hookbridge-event", "0")),
            headers.get("x-hookbridge-duplicate") == "true",
        )

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
