"""One row of the table: a healthy while, then a fault under the same load, then recovery, and what was seen of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import ClientSession, ClientTimeout

from hookbridge.standins import NotionStandin, PostgrestStandin
from hookbridge.standins.wire import Reply
from scripts.crashes import checks
from scripts.crashes.followers import held
from scripts.crashes.processes import Failed, Service
from scripts.crashes.setup import KEY, NOTION_SECRET, TOKEN, environment, module, prepare
from scripts.faulting.destinations import RANDOM, WELL, Destinations, Told, destinations, not_shown
from scripts.faulting.faults import FAULTS, Place
from scripts.faulting.load import Load
from scripts.faulting.proxy import TRUSTED, proxied
from scripts.programs import free_port
from scripts.replica import Held

STANDS_SECONDS = 20.0
RECOVERS_SECONDS = 60.0
LOOK_SECONDS = 0.05
HARMED_RATIO, HARMED_SECONDS = 3.0, 0.25
"""A 99th percentile is called harmed when it is more than so many times what it was just before, and this besides."""
GROWTH_MB_MAX = 60.0
"""From before the first fault on; a run in which nothing fails takes as much."""
SHOWN_MAX = 5
AGAIN_MAX = 2
"""What was harmed and nothing else is struck again so often: on a machine that others use, once proves nothing.  A harm
that comes from the fault comes each time."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one fault of one source did."""

    source: str
    fault: str
    state: str
    """Of its lane, as ``/readyz`` said."""
    reason: str
    other_before_seconds: float
    """The other source, from a webhook to its application: the 99th percentile just before."""
    other_seconds: float
    """The same while the fault lasted."""
    ack_before_seconds: float
    """From a webhook to its 202, of both sources."""
    ack_seconds: float
    dead: int
    refused: int
    """Webhooks that were not answered with 202."""
    recovery_seconds: float
    """From the end of the fault until every event was applied."""
    memory_mb: float
    """Of the service, behind it."""
    wrong: tuple[str, ...]
    """What was broken, but for times."""
    harmed: tuple[str, ...]
    """What got slower than noise explains."""
    earlier: tuple[str, ...] = ()
    """What was harmed in earlier tries of this row."""

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not (self.wrong or self.harmed)


class Ground:
    """The service, both sources behind their proxies, the load, and the destinations."""

    def __init__(
        self, folder: Path, service: Service, places: dict[str, Place], load: Load, told: Destinations
    ) -> None:
        self.service = service
        self.places = places
        self.load = load
        self.told = told
        self.memory_mb = self.memory()
        """Before the first fault."""
        self.memory_mb_max = self.memory_mb
        """The most there was behind one."""
        self._data = folder / "data" / "hookbridge.db"

    def memory(self) -> float:
        """Give the megabytes that the service has in use.  Raises Failed when it has ended."""
        return round(self.service.size()[0] / 1e6, 1)

    def copies(self) -> dict[str, Held]:
        """Give the copies as whoever is told of them has to hold them."""
        return held(checks.copies(self._data))

    async def lane(self, source: str) -> dict[str, object]:
        """What an operator sees of a lane."""
        lanes = (await self.load.ask("/readyz"))["lanes"]
        return next(dict(lane) for lane in lanes if lane["source"] == source)

    async def books(self) -> dict[str, int]:
        """The books as the service tells them."""
        return dict((await self.load.ask("/api/v1/webhooks/stats"))["books"])

    async def settled(self) -> bool:
        """Whether every event is."""
        return (await self.books())["open"] == 0


@asynccontextmanager
async def ground(folder: Path, seed: int) -> AsyncIterator[Ground]:
    """Start all of it in an empty folder; ``seed`` is of how destinations fail.  Raises Failed."""
    prepare(folder)
    port = free_port()
    async with (
        PostgrestStandin(key=KEY) as supabase,
        NotionStandin(token=TOKEN, verification_token=NOTION_SECRET) as notion,
        proxied(supabase.url, TRUSTED) as before_supabase,
        proxied(notion.url, TRUSTED) as before_notion,
        destinations(seed) as told,
        ClientSession(f"http://127.0.0.1:{port}", timeout=ClientTimeout(total=30)) as http,
    ):
        load = Load(supabase, notion, http)
        given = environment(before_supabase.url, before_notion.url) | {"SSL_CERT_FILE": str(TRUSTED)} | told.environment
        service = await Service.start(folder, port, given, module("hookbridge"))
        try:
            await service.ready()
            places = {
                "supabase": Place(supabase, before_supabase, strange_row()),
                "notion": Place(notion, before_notion, await strange_page(notion, load.pages[0], TOKEN)),
            }
            for number in range(len(load.pages)):  # a copy of every record
                load.change("supabase", number)
                load.change("notion", number)
            await load.run(0.5)
            here = Ground(folder, service, places, load, told)
            if not await until(here.settled, RECOVERS_SECONDS):
                raise Failed("\n".join(["the first changes were not applied:", *service.lines]))
            yield here
        finally:
            service.kill()
            await service.ended()


def strange_row() -> Reply:
    """Make Supabase's answer about a row that nobody asks for."""
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Range": "0-0/1"}
    return Reply(status=200, body=b'[{"id":987654321,"name":"somebody else"}]', headers=headers)


async def strange_page(notion: NotionStandin, like: str, token: str) -> Reply:
    """Make Notion's answer about a page that nobody asks for, from one about a page that there is."""
    headers = {"Authorization": f"Bearer {token}", "Notion-Version": "2025-09-03"}
    async with ClientSession(notion.url) as http, http.get(f"/v1/pages/{like}", headers=headers) as answer:
        page = msgspec.json.decode(await answer.read())
    page["id"] = "99999999-9999-4999-8999-999999999999"
    return Reply(status=200, body=msgspec.json.encode(page), headers={"Content-Type": "application/json"})


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Wait for a condition; gives whether it came to be in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await condition():
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return False


async def strike(here: Ground, source: str, fault: str, seconds: float) -> Row:
    """Let one source fail in one way, and look at everything that was promised of it; again where it was only slow."""
    row = await _struck(here, source, fault, seconds)
    earlier: list[str] = []
    while row.harmed and not row.wrong and len(earlier) < AGAIN_MAX:
        earlier.append("; ".join(row.harmed))
        row = await _struck(here, source, fault, seconds)
    return msgspec.structs.replace(row, earlier=tuple(earlier))


async def _struck(here: Ground, source: str, fault: str, seconds: float) -> Row:
    other = "notion" if source == "supabase" else "supabase"
    other_before, ack_before = await measured(here, other, seconds)
    dead_before, refused_before = (await here.books())["dead"], here.load.refused
    await here.load.tell(f"/api/v1/destinations/{RANDOM}/resume")  # or it would wait for longer and longer
    heal = await FAULTS[fault](here.places[source])
    try:
        for number in range(5):
            here.load.change(source, number)

        async def stands() -> bool:
            return (await here.lane(source))["state"] in {"down", "refused"}

        wrong = [] if await until(stands, STANDS_SECONDS) else ["its lane went on"]
        seen = await here.lane(source)
        other_during, ack_during = await measured(here, other, seconds)
        if (await here.lane(other))["state"] != "running":
            wrong.append(f"the lane of {other} stopped as well")
    finally:
        await heal()
    began = time.monotonic()
    if not await until(here.settled, RECOVERS_SECONDS):
        wrong.append("it did not recover by itself")
    recovery = time.monotonic() - began
    dead = (await here.books())["dead"] - dead_before
    refused = here.load.refused - refused_before
    if dead:
        wrong.append(f"{dead} events are dead that should have waited")
    if refused:
        wrong.append(f"{refused} webhooks were not taken")
    copies = here.copies()
    wrong += [f"{name} differs from its source" for name in here.load.differing(copies)[:3]]
    wrong += await untold(here, copies)
    here.memory_mb_max = max(here.memory_mb_max, memory := here.memory())
    return Row(
        source=source,
        fault=fault,
        state=str(seen["state"]),
        reason=str(seen["reason"]),
        other_before_seconds=other_before,
        other_seconds=other_during,
        ack_before_seconds=ack_before,
        ack_seconds=ack_during,
        dead=dead,
        refused=refused,
        recovery_seconds=recovery,
        memory_mb=memory,
        wrong=tuple(wrong),
        harmed=(*harmed(f"changes of {other}", other_before, other_during), *harmed("acks", ack_before, ack_during)),
    )


async def untold(here: Ground, copies: Mapping[str, Held]) -> list[str]:
    """Say what the destination that is well has not, though nothing changes any more, and who is not shown as it is."""

    async def has_all() -> bool:
        return not here.told.differing(copies, only=WELL)

    await until(has_all, STANDS_SECONDS)  # what differs says more
    found = here.told.differing(copies, only=WELL)[:SHOWN_MAX]
    return found + not_shown(await here.load.ask("/readyz"))


async def finish(here: Ground) -> Told:
    """Mend the destinations, and hold what each has against the copies."""
    for name in here.told.be_well():
        await here.load.tell(f"/api/v1/destinations/{name}/resume")
    began, copies = time.monotonic(), here.copies()

    async def have_all() -> bool:
        return not here.told.differing(copies)

    await until(have_all, RECOVERS_SECONDS)  # what differs says more
    wrong = [*here.told.wrong(), *here.told.differing(copies)][:SHOWN_MAX]
    if here.memory_mb_max > here.memory_mb + GROWTH_MB_MAX:
        wrong.append(f"memory has grown from {here.memory_mb:g} to {here.memory_mb_max:g} MB")
    return here.told.told(
        catch_up_seconds=time.monotonic() - began,
        memory_mb=(here.memory_mb, here.memory_mb_max),
        wrong=tuple(wrong),
    )


async def measured(here: Ground, other: str, seconds: float) -> tuple[float, float]:
    """Send for so long; gives the 99th percentiles of the other source's changes and of all acks."""
    for times in here.load.acks.values():
        times.clear()
    since = time.time()
    await here.load.run(seconds)

    async def other_settled() -> bool:
        page = await here.load.ask(f"/api/v1/events?source={other}&state=open&limit=1")
        return not page["events"]

    await until(other_settled, STANDS_SECONDS)
    applied = await here.load.applied_seconds(other, since)
    return p99(applied), p99([one for times in here.load.acks.values() for one in times])


def p99(times: list[float]) -> float:
    """Give the 99th percentile; infinite when there was nothing to measure."""
    return sorted(times)[len(times) * 99 // 100] if times else float("inf")


def harmed(what: str, before: float, during: float) -> list[str]:
    """Say that it got slower than noise explains."""
    if during <= before * HARMED_RATIO + HARMED_SECONDS:
        return []
    return [f"{what} took {during * 1000:.0f} ms (99 %), and {before * 1000:.0f} ms before"]
