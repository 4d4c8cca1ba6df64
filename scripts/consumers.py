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
from contextlib import asynccontextmanager
from typing import Any, Literal

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, web

from scripts.replica import Replica

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


Fate = Literal["taken", "unanswered", "refused", "too large", "closed", "never"]

STATUSES = (500, 503, 429, 408, 404, 401, 301)
"""Of a destination that does not take a message now; none of them speaks of what it says."""


class Receiver:
    """A destination with state that fails at random; it takes each message whole, or not."""

    def __init__(self, replica: Replica, moments: random.Random, *, fails: float = 0.4) -> None:
        self.replica = replica
        self.fails = fails
        """The share of messages that it does not take, or does not say so."""
        self.fates: dict[Fate, int] = {}
        self._random = moments
        self._told: dict[str, Any] = {}
        """By id of a message, what it told."""
        self._over = asyncio.Event()

    @asynccontextmanager
    async def there(self, port: int) -> AsyncIterator[None]:
        """Be reached on a port of this machine."""
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/changes", self._take)
        runner = web.AppRunner(app, shutdown_timeout=0.0)
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
        if fate in {"taken", "unanswered"}:
            self.replica.go_on()
            self.replica.take(changes, _now())
        match fate:
            case "refused":
                return web.Response(status=self._random.choice(STATUSES), headers={"Location": "/elsewhere"})
            case "too large":
                return web.Response(status=413)
            case "never":
                await self._over.wait()
            case "unanswered" | "closed":
                assert request.transport is not None
                request.transport.abort()
        return web.Response(status=204)

    def _fate(self, changes: list[Mapping[str, Any]]) -> Fate:
        if self._random.random() >= self.fails:
            return "taken"
        fates: list[Fate] = ["unanswered", "refused", "closed", "never"]
        # A change alone is always small enough: what was refused as such would be lost to it.
        return self._random.choice([*fates, "too large"] if len(changes) > 1 else fates)

    def _look_at_id(self, id_: str, changes: list[Mapping[str, Any]]) -> None:
        told = [(one["type"], one.get("id"), one["seq"]) for one in changes]
        if self._told.setdefault(id_, told) != told:
            self.replica.wrong.append(f"message {id_} told {self._told[id_]}, and tells {told} now")


def _now() -> float:
    return asyncio.get_running_loop().time()
