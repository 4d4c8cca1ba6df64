"""A node that is killed tells nobody of it: the one that takes over does, and once."""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.people import SECRET, People, people
from tests.support.processes import Process, process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")


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
