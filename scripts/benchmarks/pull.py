"""Changes that are taken from an outbox: how soon they are applied, and what they cost whoever writes.

The functions are the real ones, on a Postgres of the benchmark's own, behind a stand-in of the Data API: both come with
the tests' packages.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager

from scripts.benchmarks import servers
from scripts.benchmarks.postgres.server import Server, backend_us, server
from scripts.benchmarks.receiver import Receiver
from scripts.benchmarks.row import Options, Row
from tests.support.postgrest import data_api
from tests.support.project import STANDARD_SECRET, Project, project

KEY = "sb_secret_for_the_benchmark"
ADDRESS = "https://hookbridge.example.com"
JSON_TYPE = '{"Content-Type":"application/json"}'

IDLE_TARGET_SECONDS, BUSY_TARGET_SECONDS = 2.2, 0.4
"""The longest gap between two looks and 0.2 s; and half of all while it is busy."""
IDLE_CHANGES = 12
IDLE_SECONDS = 3.0, 5.0
"""Between two of them: longer than it takes to be idle, and each time another part of its gap."""
BUSY_CHANGES = 300
BUSY_SECONDS = 0.05
LONGEST_SECONDS = 120.0

ROWS = 1_000
"""Each is updated by a statement of its own, in a loop at the server: what a client's protocol costs is not in it."""
NAME = "x" * 320
UPDATE_ALL = f"""
do $$ begin
  for n in 1..{ROWS} loop
    update users set note = '{{}}' where id = n;
  end loop;
end $$
"""  # noqa: S608  of a number of ours
AT_ONCE = 500

Install = Callable[[Project], Awaitable[None]]


def measure(options: Options) -> list[Row]:
    """Measure both."""
    with server() as database:
        return [*database.run(_until_applied(database.url)), *_of_writers(database, options.rounds)]


# How soon


async def _until_applied(url: str) -> list[Row]:
    with Receiver() as receiver:
        async with project(url) as supabase, data_api(supabase.url, KEY) as api, _service(api.url, receiver) as port:
            await supabase.pull()
            while (await asyncio.to_thread(servers.ask, port, "GET", "/readyz"))["pull"]["state"] != "running":  # noqa: ASYNC110  another process
                await asyncio.sleep(0.1)
            moments = random.Random(1)  # noqa: S311  moments, not secrets
            idle = await _told(supabase, receiver, 0, IDLE_CHANGES, lambda: moments.uniform(*IDLE_SECONDS), waits=True)
            busy = await _told(supabase, receiver, IDLE_CHANGES, BUSY_CHANGES, lambda: BUSY_SECONDS, waits=False)
    return [
        _row("taken and applied, from idle", idle, max(idle), IDLE_TARGET_SECONDS, "max"),
        _row(f"…, while {1 / BUSY_SECONDS:g} a second come", busy, statistics.median(busy), BUSY_TARGET_SECONDS, "p50"),
    ]


@asynccontextmanager
async def _service(url: str, receiver: Receiver) -> AsyncIterator[int]:
    settings = {
        "SUPABASE_URL": url,
        "SUPABASE_KEY": KEY,
        "HOOKBRIDGE_SUPABASE__TABLES": json.dumps([{"name": "users", "pull": True}]),
        "HOOKBRIDGE_PROCESSING__PROBE_MAX_SECONDS": "1",
        # Nothing is found but what is taken.
        "HOOKBRIDGE_RECONCILE__ENABLED": "false",
        "HOOKBRIDGE_DESTINATIONS": receiver.as_destination(start="now", batch=100),
    }
    with ExitStack() as stack:
        # In a thread: the Data API that it asks is served here.
        port, _ = await asyncio.to_thread(stack.enter_context, servers.hookbridge(settings))
        try:
            yield port
        finally:
            await asyncio.to_thread(stack.pop_all().close)


async def _told(
    supabase: Project, receiver: Receiver, before: int, count: int, pause: Callable[[], float], *, waits: bool
) -> list[float]:
    """Insert so many rows, and give how long each took to its copy, of which a destination is told at once."""
    committed = []
    for number in range(before + 1, before + count + 1):
        await asyncio.sleep(pause())
        await supabase.sql.execute("insert into users (id, name) values ($1, $2)", number, NAME)
        committed.append(time.monotonic())
        if waits:
            await asyncio.to_thread(receiver.changes_at, number, LONGEST_SECONDS)
    await asyncio.to_thread(receiver.changes_at, before + count, LONGEST_SECONDS)
    return [receiver.changes_at(before + place, 0.0) - at for place, at in enumerate(committed, start=1)]


def _row(name: str, taken: list[float], judged: float, target: float, what: str) -> Row:
    return Row(
        name=name,
        value=f"p50 {statistics.median(taken):.2f} s, max {max(taken):.2f} s",
        target=f"{what} ≤ {target:g} s",
        met=judged <= target,
    )


# What it costs


async def _nothing(_: Project) -> None:
    """No trigger."""


async def _dashboard(one: Project) -> None:
    await one.sql.execute(
        "create trigger told after insert or update or delete on users for each row execute function"
        f" supabase_functions.http_request('{ADDRESS}', 'POST', '{JSON_TYPE}', '{{}}', '900')"
    )


async def _sent(one: Project) -> None:
    await one.keep_secret(STANDARD_SECRET)
    await one.install(ADDRESS)


async def _kept(one: Project) -> None:
    await one.keep_secret(STANDARD_SECRET)
    await one.install(ADDRESS, outbox=True)


async def _pulled(one: Project) -> None:
    await one.pull()


WITHOUT, WITH_URL, WITH_PULL = "no trigger", "trigger-sql --url", "trigger-sql --pull"
_WAYS: Mapping[str, Install] = {
    WITHOUT: _nothing,
    "a webhook of the dashboard": _dashboard,
    WITH_URL: _sent,
    "trigger-sql --outbox": _kept,
    WITH_PULL: _pulled,
}


def _of_writers(database: Server, rounds: int) -> list[Row]:
    """Let the ways take turns; the statements of one are one backend's."""
    used: dict[str, list[float]] = {name: [] for name in _WAYS}
    taking: list[float] = []
    for _ in range(rounds):
        for name, install in _WAYS.items():
            of_update, of_taking = database.run(_of_update(database.url, install, takes=name == WITH_PULL))
            used[name].append(of_update)
            taking += [] if of_taking is None else [of_taking]
    ms = {name: statistics.median(measured) / 1000 for name, measured in used.items()}
    rows = [
        Row(
            name=f"UPDATE of a row, {name}",
            value=f"{ms[name]:.3f} ms",
            against="" if name == WITHOUT else f"{ms[WITHOUT]:.3f} ms",
            ratio="" if name == WITHOUT else f"+{ms[name] - ms[WITHOUT]:.3f} ms",
            target=f"≤ {ms[WITH_URL]:.3f} ms, as --url" if name == WITH_PULL else "",
            met=ms[name] <= ms[WITH_URL] if name == WITH_PULL else None,
        )
        for name in _WAYS
    ]
    each = f"{statistics.median(taking) / 1000:.3f} ms"
    return [*rows, Row(name=f"a change taken and done, {AT_ONCE} at once", value=each)]


async def _of_update(url: str, install: Install, *, takes: bool) -> tuple[float, float | None]:
    """Give the microseconds of processor time of an UPDATE, and where changes are taken, those of each of them."""
    async with project(url) as one:
        await one.sql.executemany(
            "insert into users (id, name) values ($1, $2)", [(n, NAME) for n in range(1, ROWS + 1)]
        )
        await install(one)
        await one.sql.execute(UPDATE_ALL.format("first"))  # what is planned and loaded once is not another one's
        pid = one.sql.get_server_pid()
        before = backend_us(pid)
        await one.sql.execute(UPDATE_ALL.format("second"))
        of_update = (backend_us(pid) - before) / ROWS
        return of_update, await _of_taking(one, pid) if takes else None


async def _of_taking(one: Project, pid: int) -> float:
    first = await one.take_changes(AT_ONCE)
    await one.done(*first["messages"])
    before, count = backend_us(pid), 0
    while messages := (await one.take_changes(AT_ONCE))["messages"]:
        count += await one.done(*messages)
    return (backend_us(pid) - before) / count
