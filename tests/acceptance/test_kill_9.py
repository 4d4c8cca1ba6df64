"""`kill -9` under signed load, twenty times on the same data: what was acknowledged is there, whole, and applied."""

import asyncio
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientError

from tests.support.books import WEBHOOKS, event, hint, settled
from tests.support.processes import Process, process
from tests.support.signing import webhook_signature
from tests.support.waiting import wait_until

KILLS = 20
SENDERS = 24
RECORDS = 200
SECRET = "a-secret-of-the-load"
ENVIRON = {"VERIFY_WEBHOOK_SIGNATURES": "true", "WEBHOOK_SECRET": SECRET, "HOOKBRIDGE_SERVER__ACCESS_LOG": "none"}


class Load:
    """Senders that never stop by themselves, and what they know: each event has a name, so it may be sent again."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sent: dict[int, Any] = {}
        self.acknowledged: dict[int, int] = {}
        self.in_doubt: set[int] = set()

    async def send(self, service: Process, number: int) -> bool:
        """Send one event; gives whether the service still answers."""
        body = self.sent.setdefault(
            number, hint(self.random.randrange(RECORDS), data={"name": f"event {number}", "number": number})
        )
        raw = msgspec.json.encode(body)
        self.in_doubt.add(number)
        headers = {**webhook_signature(raw, SECRET), "Idempotency-Key": f"event-{number}"}
        try:
            answer = await service.post(f"{WEBHOOKS}/supabase", raw, headers)
            await answer.read()
        except (ClientError, OSError):
            return False
        assert answer.status == 202, await answer.text()
        self.acknowledged[number] = int(answer.headers["X-Hookbridge-Event"])
        self.in_doubt.discard(number)
        return True

    async def send_until_death(self, service: Process) -> None:
        """Send bursts of one request after the other, as pg_net does."""
        while await self.send(service, len(self.sent)):
            pass

    async def until_killed(self, service: Process) -> list[int]:
        """Load, and a kill at a moment that nobody knows; gives the events acknowledged meanwhile."""
        before = set(self.acknowledged)
        senders = [asyncio.create_task(self.send_until_death(service)) for _ in range(SENDERS)]
        acks = self.random.randrange(400)
        await wait_until(lambda: len(self.acknowledged) - len(before) >= acks)
        service.kill()
        await asyncio.gather(*senders)
        assert await service.ended() == -9
        return sorted(set(self.acknowledged) - before)


def open_on_disk(folder: Path) -> int:
    """How many open events the dead process left in its file."""
    with closing(sqlite3.connect(folder / "data" / "hookbridge.db")) as connection:
        (found,) = connection.execute("SELECT count(*) FROM events WHERE outcome IS NULL").fetchone()
    return int(found)


def picked_up(service: Process) -> int:
    """How many open events the start says it found."""
    line = service.said("Open events picked up")
    return 0 if line is None else int(line["events"])


async def verify(service: Process, load: Load, numbers: list[int]) -> None:
    """Every one of these acknowledged events is there, as it was sent."""
    for start in range(0, len(numbers), 50):
        part = numbers[start : start + 50]
        found = await asyncio.gather(*[event(service, load.acknowledged[number]) for number in part])
        for number, one in zip(part, found, strict=True):
            assert one["body"] == load.sent[number]


async def verify_all(service: Process, load: Load) -> None:
    """Every event that was ever sent is there once, applied, and each copy is what its last event said."""
    for number in sorted(load.in_doubt):
        assert await load.send(service, number)
    books = await settled(service)
    assert books["received"] == books["applied"] + books["coalesced"] == len(load.sent)
    assert len(set(load.acknowledged.values())) == len(load.sent)
    newest: dict[str, int] = {}
    for number, id_ in load.acknowledged.items():
        record = load.sent[number]["record_id"]
        if record not in newest or id_ > load.acknowledged[newest[record]]:
            newest[record] = number
    for record, number in newest.items():
        copy = await (await service.get(f"/api/v1/records/supabase/users/{record}")).json()
        assert copy["data"] == load.sent[number]["data"]


async def test_nothing_that_was_acknowledged_is_lost_by_twenty_kills(tmp_path: Path) -> None:
    seed = time.time_ns()
    print(f"seed {seed}")
    load = Load(seed)
    left, last, interrupted = 0, list[int](), 0
    for _ in range(KILLS):
        async with process(tmp_path, ENVIRON) as service:
            assert picked_up(service) == left
            await verify(service, load, last)
            last = await load.until_killed(service)
        left = open_on_disk(tmp_path)
        interrupted += left > 0
    async with process(tmp_path, ENVIRON) as service:
        assert picked_up(service) == left
        await verify(service, load, last)
        await verify_all(service, load)
    print(f"{len(load.sent)} events, {interrupted} of {KILLS} kills left open ones")
    assert len(load.sent) > KILLS * SENDERS
    assert interrupted > 0, "no kill met a change under way: the load is too light to prove anything"
