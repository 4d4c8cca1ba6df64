"""Whatever happens to sources, service, consumers and destinations: in the end each has what the copies have.

And on the way no consumer is ever told an older state after a newer one of the same record (``scripts/replica.py``).
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from hookbridge.config import Destination, Settings
from hookbridge.outgoing import calls
from hookbridge.standins.wire import Webhook
from hookbridge.web.server import bind, listening
from scripts.consumers import Consumer, Receiver, Way
from scripts.programs import free_port
from scripts.replica import Held, Replica
from tests.reconcile.test_property import QUICK, World, body_of
from tests.support.changing import EVER
from tests.support.followed import Sources, sources
from tests.support.receivers import SECRET
from tests.support.running import ADMIN, ADMIN_TOKEN, with_secrets
from tests.support.waiting import wait_until

NAME = "search"
STEPS = 150
FATES = ("delivered", "delivered", "lost", "twice", "late")
RECORDS = 6
"""Of each table."""
ROW_EDITS = ("put", "put", "delete")
PAGE_EDITS = ("put", "put", "body", "trash", "restore", "remove")
BEGIN: dict[str, Way] = {"pages": "pages", "waits": "waits", "streams": "streams", "away": "slowly"}
LATE, AWAY, BACK = 50, 60, 110
"""At which step one consumer begins in the middle, and one goes and comes back."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try destinations again at once: what is tested is what they are told, and not when."""
    monkeypatch.setattr(calls, "WAIT_SECONDS_MAX", 0.01)


def item(number: int) -> str:
    return f"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a{number:02x}"


class Fed(World):
    """A world whose changes are followed by consumers and a destination."""

    def __init__(self, made: Sources, config: Settings, receiver: Receiver, port: int, seed: int) -> None:
        super().__init__(made, config)
        self.receiver = receiver
        self.random = random.Random(seed)
        self.url = f"http://127.0.0.1:{port}"
        self.consumers: dict[str, Consumer] = {}
        self.following: dict[str, asyncio.Task[None]] = {}
        """Those of them that read."""
        self._served = AsyncExitStack()
        made.supabase.create_table("items", {"id": "uuid", "name": "text"})
        self.tables = (*self.tables, "items")
        # For the first load; the last one of each table stays, because that all are gone is left to an operator.
        for number in range(RECORDS + 1):
            made.supabase.insert("users", {"id": number, "name": "edit 0"})
            made.supabase.insert("plain", {"id": number, "name": "edit 0"})
            made.supabase.insert("items", {"id": item(number), "name": "edit 0"})
        made.notion.create_page(made.data_source, {"Name": "edit 0"}, markdown="body 0")
        self._told.clear()

    @property
    def replicas(self) -> list[Replica]:
        """What each has."""
        return [self.receiver.replica, *(consumer.replica for consumer in self.consumers.values())]

    # The service

    async def start(self) -> None:
        await super().start()
        await self._served.enter_async_context(listening(self.service, bind(self._config.config.server)))
        self._http = await self._served.enter_async_context(ClientSession(self.url, headers=ADMIN))

    async def crash(self) -> None:
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        await self._not_served()
        await self.start()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def stop(self) -> None:
        self.service.begin_stop()
        await self._not_served()
        await super().stop()

    async def _not_served(self) -> None:
        self.service.begin_stop()
        await self._served.aclose()
        for name in [*self.following]:  # a process that ends takes all of its connections with it
            await self.leave(name)
            self.follow(name)

    # Those who follow it

    def follow(self, name: str, way: Way = "pages") -> None:
        """Let a consumer begin, or go on where it was."""
        if name not in self.consumers:
            moments = random.Random(f"{name} {self.random.random()}")
            self.consumers[name] = Consumer(Replica(name), way, lambda: self.url, ADMIN_TOKEN, moments)
        self.following[name] = asyncio.create_task(self.consumers[name].run(), name=name)

    async def leave(self, name: str) -> None:
        """Let a consumer go; what it has, and its place, it keeps."""
        task = self.following.pop(name)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    # What happens

    async def anything(self) -> None:
        """Do something at random."""
        edits: list[Callable[[], Awaitable[None]]] = [
            lambda: self.step("row", self._number(), self.random.choice(ROW_EDITS), self._fate()),
            lambda: self.step("plain", self._number(), self.random.choice(ROW_EDITS), self._fate()),
            lambda: self.step("page", self._number(), self.random.choice(PAGE_EDITS), self._fate()),
            self._change_item,
        ]
        others: list[Callable[[], Awaitable[None]]] = [
            lambda: self.step("outage", self.random.choice(("supabase", "notion")), self.random.random() < 0.3, None),
            lambda: self.step("late", self.random.randrange(10), None, None),
            lambda: self.step("pass", self.random.randrange(4), self.random.choice(("poll", "sweep")), None),
            lambda: self.step("rest", None, None, None),
            self._read_through,
            self._read_through,
            self._forget,
            self._say_to_destination,
        ]
        restarts: list[Callable[[], Awaitable[None]]] = [self.crash, self.restart]
        (kind,) = self.random.choices((edits, others, restarts), (60, 36, 4))
        await self.random.choice(kind)()

    def _number(self) -> int:
        return self.random.randrange(RECORDS)

    def _fate(self) -> str:
        return self.random.choice(FATES)

    async def _change_item(self) -> None:
        """Change a row whose key can be written in two ways, or the key itself; tell of it in one of them."""
        self._edits += 1
        name, table = f"edit {self._edits}", self.made.supabase.rows("items")
        there = [str(row["id"]) for row in table if row["id"] != item(RECORDS)]
        free = [item(number) for number in range(RECORDS) if item(number) not in there]
        match self.random.choice(("insert", "update", "delete", "other key")):
            case "insert" if free:
                self.made.supabase.insert("items", {"id": self.random.choice(free), "name": name})
            case "update" if there:
                self.made.supabase.update("items", self.random.choice(there), {"name": name})
            case "delete" if there:
                self.made.supabase.delete("items", self.random.choice(there))
            case "other key" if there and free:
                columns = {"id": self.random.choice(free), "name": name}
                self.made.supabase.update("items", self.random.choice(there), columns)
        if self.random.random() < 0.5:
            self._told = [(source, _respelled(webhook)) for source, webhook in self._told]
        await self._send(self._fate())

    async def _read_through(self) -> None:
        """Have a record read that may have a copy or not, under its name or another spelling of it."""
        table = self.random.choice(self.tables)
        id_ = item(self._number()) if table == "items" else str(self._number())
        if self.random.random() < 0.3:
            id_ = id_.upper()
        fresh = self.random.choice(("0", "1"))
        async with self._http.get(f"/api/v1/records/supabase/{table}/{id_}", params={"fresh": fresh}) as answer:
            assert answer.status in {200, 404, 429, 502, 503}, await answer.text()

    async def _forget(self) -> None:
        """Let all deletions be older than they are kept."""
        if not self.service.store.open_events:
            await self.service.store.remove_tombstones(EVER, 1_000)

    async def _say_to_destination(self) -> None:
        said = self.service.destinations
        match self.random.choice(("pause", "resume", "rewind", "rewind behind")):
            case "pause":
                await said.pause(NAME)
            case "resume":
                await said.resume(NAME)
            case "rewind":
                await said.rewind(NAME, "start")
            case "rewind behind":
                # Where it was before: what an operator leaves out is not told.
                ends, state = await self.service.store.feed_ends(), await said.state(NAME)
                if not state.snapshot and ends.oldest <= (state.seq or 0):
                    await said.rewind(NAME, str(self.random.randint(ends.oldest, state.seq or 0)))

    async def forget_what_went(self) -> None:
        """Let a record go, something else change, and the deletion be older than it is kept."""
        self.made.supabase.faults.clear()
        self.made.notion.faults.clear()
        await self.service.destinations.resume(NAME)
        self.made.supabase.upsert("plain", {"id": 99, "name": "edit 0"})
        self.made.supabase.delete("plain", 99)
        await self._send("delivered")
        self._edit_row("plain", 98, "put")
        await self._send("delivered")
        await wait_until(lambda: not self.service.store.open_events)
        await wait_until(self._is_told)
        assert await self.service.store.remove_tombstones(EVER, 1_000)

    async def _is_told(self) -> bool:
        state = await self.service.destinations.state(NAME)
        return state.changes_behind == 0 and not state.snapshot

    async def held(self) -> dict[str, Held]:
        """Give the copies as a consumer has to hold them."""
        return {
            record: Held.of(msgspec.json.decode(copy.data or b""), body_of(copy))
            for record, copy in (await self.copied()).items()
        }


def _respelled(webhook: Webhook) -> Webhook:
    """Write the keys of items in another way."""
    told = json.loads(webhook.body)
    for row in (told.get("record"), told.get("old_record")):
        if row is not None and told.get("table") == "items":
            row["id"] = row["id"].upper()
    return msgspec.structs.replace(webhook, body=json.dumps(told).encode())


def told(to: Destination, made: Sources, folder: Path, port: int) -> Settings:
    """Give the settings of a service that follows all of it and tells a destination."""
    tables = [{"name": "users", "changed_at": "updated_at"}, {"name": "plain"}, {"name": "items"}]
    sections: dict[str, Any] = {
        **QUICK,
        "server": {"port": port, "access_log": "none"},
        "supabase": {"tables": tables},
        "notion": {"databases": [{"id": made.database, "content": True}]},
    }
    return with_secrets(made.settings(folder, **sections), destinations=(to,))


@asynccontextmanager
async def fed(folder: Path, seed: int) -> AsyncIterator[Fed]:
    """Give a world with all who follow it, in which something is there to be loaded first."""
    port, their_port = free_port(), free_port()
    receiver = Receiver(Replica("the destination"), random.Random(seed))
    to = {"name": NAME, "url": f"http://127.0.0.1:{their_port}/changes", "secret": SECRET, "timeout_seconds": 0.2}
    async with sources() as made, receiver.there(their_port):
        settings = told(msgspec.convert({**to, "batch": 5}, Destination), made, folder, port)
        one = Fed(made, settings, receiver, port, seed)
        await one.start()
        try:
            yield one
        finally:
            for name in [*one.following]:
                await one.leave(name)
            await one.stop()


async def run(seed: int, folder: Path) -> None:
    async with asyncio.timeout(240), fed(folder, seed) as one:
        for name, way in BEGIN.items():
            one.follow(name, way)
        for number in range(STEPS):
            if number == LATE:
                one.follow("late", "slowly")
            if number == AWAY:
                await one.leave("away")
            if number == BACK:
                await one.forget_what_went()
                one.follow("away")
            await one.anything()
        await one.quiet_reconcile()
        await one.check()
        await one.service.destinations.resume(NAME)
        held = await one.held()
        for replica in one.replicas:
            with suppress(TimeoutError):  # what differs says more
                await wait_until(lambda has=replica: has.records == held, deadline_seconds=30.0)
            assert replica.differing(held) == [], (replica.name, seed)
            assert replica.wrong == [], (replica.wrong, replica.name, seed)
            assert replica.snapshots
        assert one.consumers["away"].gone


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_consumer_ends_with_the_copies_and_none_ever_goes_back(tmp_path: Path, seed: int) -> None:
    await run(seed, tmp_path)
