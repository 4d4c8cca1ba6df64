"""A node that stands still with a message in hand: what another one told meanwhile is never followed by it."""

import signal
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from tests.support import databases
from tests.support.books import hint, send
from tests.support.processes import Process, process
from tests.support.receivers import SECRET, Receiver, receiver
from tests.support.waiting import wait_until

TRIES = 2
"""Behind so many the next one is due in two seconds, which is before a lead ends: what is in hand would go first."""


def node(folder: Path, name: str, there: Receiver) -> AbstractAsyncContextManager[Process]:
    (folder / name).mkdir()
    environ = {
        "HOOKBRIDGE_STORE__URL": databases.url(folder),
        "HOOKBRIDGE_NODE__NAME": name,
        "HOOKBRIDGE_DESTINATIONS": msgspec.json.encode(
            [{"name": "search", "url": there.url, "secret": SECRET, "start": "now"}]
        ).decode(),
    }
    return process(folder / name, environ)


def numbers(there: Receiver) -> list[int]:
    return [one["data"]["n"] for one in there.taken if one["type"] == "upsert"]


async def state(service: Process) -> dict[str, Any]:
    (found,) = (await (await service.get("/api/v1/destinations")).json())["destinations"]
    return dict(found)


async def test_a_node_that_stood_still_does_not_send_what_it_had_in_hand(tmp_path: Path) -> None:
    async with receiver() as there, node(tmp_path, "one", there) as one:
        there.otherwise = lambda: web.Response(status=500)

        async def follows() -> bool:
            return (await state(one))["seq"] is not None

        await wait_until(follows)
        await send(one, hint(1, data={"n": 1}))

        async def waits() -> bool:
            return bool((await state(one))["failures"] >= TRIES)

        await wait_until(waits)
        one.send(signal.SIGSTOP)
        there.otherwise = lambda: web.Response(status=204)
        async with node(tmp_path, "other", there) as other:
            await wait_until(lambda: numbers(there) == [1])
            await send(other, hint(1, data={"n": 2}))
            await wait_until(lambda: numbers(there) == [1, 2])
            one.send(signal.SIGCONT)
            await wait_until(lambda: any("A duty ends" in str(line.get("event")) for line in one.log))
            await send(other, hint(1, data={"n": 3}))
            await wait_until(lambda: 3 in numbers(there))
            assert numbers(there) == [1, 2, 3]
