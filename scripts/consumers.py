"""Consumers of a service's feed, for tests and the crash test: each holds a replica, whatever becomes of the service.

One reads page after page, one change after the other, so that much happens within its snapshots, one has its answers
wait, one reads a stream, and one is a destination that fails at random.
Answers get lost on purpose, too: behind some, what was told is applied and the place is not kept.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, web

from scripts.replica import Replica, name_of

Way = Literal["pages", "slowly", "waits", "streams"]

BEGINNING = "0"
PAUSE_SECONDS = 0.02
"""Between two tries, and between two looks of the one that does not wait."""
WAIT_SECONDS = 2
INCLUDED = {"include": "data,content"}
SILENT_SECONDS: Mapping[Way, float] = {"pages": 5.0, "slowly": 5.0, "waits": 7.0, "streams": 20.0}
"""After so long without a word another connection is made: a stream says every 15 s that it lives."""
LOST_SHARE = 0.1
CUT_SHARE = 0.05
"""Of the events of a stream, those behind which it is left."""
OK, GONE = 200, 410


class Consumer:
    """Reads ``GET /api/v1/changes`` from wherever it is, again and again."""

    def __init__(
        self,
        replica: Replica,
        way: Way,
        where: Callable[[], str],
        token: str,
        moments: random.Random,
        limit_max: int = 7,
    ) -> None:
        """``where`` gives the URL of a service that serves, at any moment."""
        self.replica = replica
        self.place = BEGINNING
        self.gone = 0
        """How often its place was gone."""
        self._way = way
        self._where = where
        self._headers = {"Authorization": f"Bearer {token}"}
        self._random = moments
        self._limit_max = limit_max

    async def run(self) -> None:
        """Read until cancelled."""
        timeout = ClientTimeout(total=None, connect=5.0, sock_read=SILENT_SECONDS[self._way])
        async with ClientSession(headers=self._headers, timeout=timeout) as http:
            while True:
                try:
                    await (self._read_stream(http) if self._way == "streams" else self._read_page(http))
                except (ClientError, OSError, TimeoutError):
                    await asyncio.sleep(PAUSE_SECONDS)

    async def _read_page(self, http: ClientSession) -> None:
        asked = {"since": self.place, "limit": str(self._random.randint(1, self._limit_max)), **INCLUDED}
        if self._way == "slowly":
            asked["limit"] = "1"
        if self._way == "waits":
            asked["wait"] = str(WAIT_SECONDS)
        async with http.get(f"{self._where()}/api/v1/changes", params=asked) as answer:
            if not await self._is_told(answer):
                return
            told = json.loads(await answer.read())
        self._begin_if_new()
        self.replica.take(told["changes"], _now())
        if self._random.random() < LOST_SHARE:
            self.replica.go_on()
        else:
            self.place = told["next"]
        if self._way == "slowly" or (not told["changes"] and self._way == "pages"):
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read_stream(self, http: ClientSession) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.place != BEGINNING:
            headers["Last-Event-ID"] = self.place
        async with http.get(f"{self._where()}/api/v1/changes", params=INCLUDED, headers=headers) as answer:
            if not await self._is_told(answer):
                return
            self._begin_if_new()
            event: dict[str, str] = {}
            async for line in answer.content:
                if line.strip():
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    event[name] = value
                    continue
                if "data" in event:
                    self.replica.take([json.loads(event["data"])], _now())
                self.place = event.get("id", self.place)
                event = {}
                if self._random.random() < CUT_SHARE:
                    return

    async def _is_told(self, answer: ClientResponse) -> bool:
        if answer.status == GONE:
            self.place = BEGINNING
            self.gone += 1
        elif answer.status != OK:
            await asyncio.sleep(PAUSE_SECONDS)
        return answer.status == OK

    def _begin_if_new(self) -> None:
        if self.place == BEGINNING:
            self.replica.begin()


Fate = Literal[
    "taken", "unanswered", "slow", "cut", "long",
    "refused", "too large", "closed", "no HTTP", "long error", "one record", "never",
]  # fmt: skip
APPLIED: frozenset[Fate] = frozenset({"taken", "unanswered", "slow", "cut", "long"})
ACKNOWLEDGED: frozenset[Fate] = frozenset({"taken", "cut", "long"})
"""Of these the status came, and said so."""

STATUSES = (500, 503, 429, 408, 404, 401, 301)
"""Of a destination that does not take a message now; none of them speaks of what it says."""
RAW: Mapping[Fate, bytes] = {
    "unanswered": b"",
    "closed": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc",
}
"""What is said before the connection is closed."""
SLOW, SLOW_SECONDS = b"HTTP/1.1 204 No Content\r\n\r\n", 0.5
"""Byte by byte: the whole of it takes longer than anybody waits."""
LONG_BYTES, PIECE = 100_000_000, b"x" * 0x10000
MENDED_SHARE = 0.5
"""Of the refusals of one record, those behind which it is taken again."""


class Receiver:
    """A destination with state that fails at random; it takes each message whole, or not."""

    def __init__(
        self, replica: Replica, moments: random.Random, *, fails: float = 0.4, refuses: str | None = None
    ) -> None:
        """``refuses``: a record of which it takes nothing, for ever where nothing fails at random."""
        self.replica = replica
        self.fails = fails
        """The share of messages that it does not take, or does not say so."""
        self.fates: dict[Fate, int] = {}
        self.longest = 0
        """How many bytes of an answer were taken off it, at most."""
        self._refuses = refuses
        self._random = moments
        self._told: dict[str, Any] = {}
        """By id of a message, what it told."""
        self._over = asyncio.Event()

    @property
    def not_acknowledged(self) -> int:
        """How many messages it did not say to have taken."""
        return sum(number for fate, number in self.fates.items() if fate not in ACKNOWLEDGED)

    def be_well(self) -> None:
        """Take everything from now on."""
        self.fails, self._refuses = 0.0, None

    @asynccontextmanager
    async def there(self, port: int) -> AsyncIterator[None]:
        """Be reached on a port of this machine."""
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/changes", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.01)  # aiohttp takes 0 for "no limit"
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield
        finally:
            self._over.set()
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        changes = json.loads(await request.read())["changes"]
        self._look_at_id(request.headers["webhook-id"], changes)
        fate = self._fate(changes)
        self.fates[fate] = self.fates.get(fate, 0) + 1
        if fate in APPLIED:
            self.replica.go_on()
            self.replica.take(changes, _now())
        return await self._answer(fate, request)

    async def _answer(self, fate: Fate, request: web.Request) -> web.StreamResponse:
        match fate:
            case "refused":
                return web.Response(status=self._random.choice(STATUSES), headers={"Location": "/elsewhere"})
            case "too large":
                return web.Response(status=413)
            case "one record":
                return web.Response(status=500)
            case "long" | "long error":
                return await self._long(request, OK if fate == "long" else 503)
            case "never":
                await self._over.wait()
            case "slow":
                await _say_slowly(request)
            case _ if fate in RAW:
                assert request.transport is not None
                request.transport.write(RAW[fate])
                request.transport.close()
        return web.Response(status=204)

    async def _long(self, request: web.Request, status: int) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers={"Content-Length": str(LONG_BYTES)})
        with suppress(ConnectionError):
            await answer.prepare(request)
            for number in range(LONG_BYTES // len(PIECE)):
                await answer.write(PIECE)
                self.longest = max(self.longest, number * len(PIECE))
        return answer

    def _fate(self, changes: list[Mapping[str, Any]]) -> Fate:
        names = [name_of(one) for one in changes if "id" in one]
        if self._refuses in names:
            if self._random.random() < MENDED_SHARE and self.fails:
                self._refuses = None
            return "one record"
        if self._random.random() >= self.fails:
            return "taken"
        fates: list[Fate] = ["unanswered", "slow", "cut", "long", "refused", "closed", "no HTTP", "long error", "never"]
        if len(changes) > 1:  # a change alone is always small enough: what was refused as such would be lost to it
            fates.append("too large")
        if names:
            fates.append("one record")
        fate = self._random.choice(fates)
        if fate == "one record":
            self._refuses = self._random.choice(names)
        return fate

    def _look_at_id(self, id_: str, changes: list[Mapping[str, Any]]) -> None:
        told = [(one["type"], one.get("id"), one["seq"]) for one in changes]
        if self._told.setdefault(id_, told) != told:
            self.replica.wrong.append(f"message {id_} told {self._told[id_]}, and tells {told} now")


async def _say_slowly(request: web.Request) -> None:
    transport = request.transport
    assert transport is not None
    for byte in SLOW:
        if transport.is_closing():
            return
        transport.write(bytes([byte]))
        await asyncio.sleep(SLOW_SECONDS)


def _now() -> float:
    return asyncio.get_running_loop().time()
