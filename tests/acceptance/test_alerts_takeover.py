"""A node that is killed or stands still: the one that takes over tells of it, and what it told is not told again."""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.people import SECRET, People, people
from tests.support.processes import ADMIN, Process, process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

TRIES = 2
"""Behind so many the next one is due in two seconds, which is before a lead ends: what is in hand would go first."""


@asynccontextmanager
async def two(folder: Path, there: People) -> AsyncIterator[dict[str, Process]]:
    environ = {
        "HOOKBRIDGE_STORE__URL": databases.url(folder),
        "HOOKBRIDGE_ALERTS__URL": there.url,
        "HOOKBRIDGE_ALERTS__SECRET": SECRET,
        "HOOKBRIDGE_ALERTS__HOLD_SECONDS": "3",
    }
    async with AsyncExitStack() as stack:
        started = {}
        for name in ("one", "other"):
            (folder / name).mkdir()
            of_it = {**environ, "HOOKBRIDGE_NODE__NAME": name}
            started[name] = await stack.enter_async_context(process(folder / name, of_it))
        yield started


async def leader(node: Process) -> str | None:
    seen = await (await node.get("/readyz")).json()
    return next((one["node"] for one in seen["cluster"]["leases"] if one["duty"] == "alert"), None)


async def test_the_node_that_takes_over_tells_of_the_one_that_was_killed(tmp_path: Path) -> None:
    async with people() as there, two(tmp_path, there) as started:
        one, other = started["one"], started["other"]

        async def leads() -> bool:
            return await leader(other) == "one"

        await wait_until(leads)
        one.send(signal.SIGKILL)
        await wait_until(lambda: there.told, deadline_seconds=60.0)
        (told,) = there.told
        assert (told["type"], told["node"]) == ("unhealthy", "other")
        assert [problem["kind"] for problem in told["problems"]] == ["node one away"]
        assert await leader(other) == "other"


async def test_a_node_that_stood_still_does_not_send_what_it_had_in_hand(tmp_path: Path) -> None:
    async with people() as there, two(tmp_path, there) as started:
        one, other = started["one"], started["other"]

        async def leads() -> bool:
            return await leader(other) == "one"

        async def waits() -> bool:
            seen = await (await one.get("/readyz")).json()
            return bool(seen["alerts"]["failures"] >= TRIES)

        await wait_until(leads)
        there.status = 500
        assert (await one.http.post("/api/v1/sources/supabase/pause", headers=ADMIN)).status == 200
        await wait_until(waits)
        one.send(signal.SIGSTOP)
        there.status = 204
        await wait_until(lambda: there.told, deadline_seconds=60.0)
        one.send(signal.SIGCONT)
        await wait_until(lambda: any("A duty ends" in str(line.get("event")) for line in one.log))
        assert (await other.http.post("/api/v1/sources/supabase/resume", headers=ADMIN)).status == 200
        await wait_until(lambda: there.types[-1] == "healthy", deadline_seconds=60.0)
    assert there.types == ["unhealthy", "healthy"]
