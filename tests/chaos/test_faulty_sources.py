"""Every way in which a source fails: the other one goes on, nothing dies that should wait, and all heals by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hookbridge.model import RecordKey, SourceName
from hookbridge.pipeline import lanes
from hookbridge.standins.faults import Fault, Faults
from tests.support.books import balanced, hint, send, settled, statistics
from tests.support.followed import Sources, copied, sources, user
from tests.support.proxy import proxied
from tests.support.running import Running, running
from tests.support.waiting import wait_until

TIMEOUT_SECONDS = 0.3
CERTIFICATE = Path(__file__).parents[1] / "fixtures" / "tls" / "nobody_trusts_this.pem"

FAULTS: Mapping[str, Callable[[Faults], Fault]] = {
    "reset": lambda faults: faults.reset(),
    "hang": lambda faults: faults.hang(),
    "slower than the time": lambda faults: faults.slow(5.0),
    "cut bodies": lambda faults: faults.cut(),
    "empty bodies": lambda faults: faults.empty(),
    "HTML with 200": lambda faults: faults.html(),
    "500": lambda faults: faults.html(status=500),
    "502": lambda faults: faults.status(502),
    "503": lambda faults: faults.status(503),
    "429": lambda faults: faults.status(429),
    "429 with Retry-After": lambda faults: faults.status(429, retry_after=1),
    "a key that is refused": lambda faults: faults.refuse_key(),
}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe at once."""
    monkeypatch.setattr(lanes, "FIRST_PROBE_SECONDS", 0.05)


@asynccontextmanager
async def bridge(folder: Path, both: Sources, behind: Mapping[str, str] | None = None) -> AsyncIterator[Running]:
    """A service that is told of changes by webhooks alone; ``behind``: the URL of a proxy that a source is behind."""
    urls = {"supabase": both.supabase.url, "notion": both.notion.url, **(behind or {})}
    settings = both.settings(
        folder,
        supabase={"timeout_seconds": TIMEOUT_SECONDS},
        notion={"timeout_seconds": TIMEOUT_SECONDS, "base_url": urls["notion"]},
        reconcile={"enabled": False},
        processing={"max_attempts": 2, "retry_delay_seconds": 0.01, "probe_max_seconds": 0.2},
    )
    secrets = replace(settings.secrets, supabase_url=urls["supabase"])
    async with running(replace(settings, secrets=secrets)) as service:
        yield service


async def change(service: Running, both: Sources, source: SourceName) -> RecordKey:
    """Change a record at its source and tell the service."""
    if source == "supabase":
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        await send(service, hint(1))
        return user(1)
    page = both.notion.create_page(both.data_source, {"Name": "Ada"})
    await send(service, hint(page, table=both.database, source="notion"), source="notion")
    return RecordKey("notion", both.database, page)


async def lane(service: Running, source: SourceName) -> dict[str, Any]:
    """What an operator sees of a lane."""
    found = (await (await service.get("/readyz")).json())["lanes"]
    return next(dict(one) for one in found if one["source"] == source)


async def goes_through(service: Running, both: Sources, broken: SourceName, heal: Callable[[], object]) -> None:
    """While one source is broken the other one's changes are applied; when it is healed, its own are."""
    other: SourceName = "notion" if broken == "supabase" else "supabase"
    waiting = await change(service, both, broken)

    async def stands_still() -> bool:
        return (await lane(service, broken))["state"] in {"paused", "refused"}

    await wait_until(stands_still)
    assert (await lane(service, broken))["reason"]
    unharmed = await change(service, both, other)

    async def is_copied() -> bool:
        return await copied(service, unharmed) is not None

    await wait_until(is_copied)
    assert (await lane(service, other))["state"] == "running"
    assert (await balanced(service)) == {"received": 2, "open": 1, "applied": 1}
    healed = heal()
    if asyncio.iscoroutine(healed):
        await healed
    assert await settled(service) == {"received": 2, "applied": 2}
    assert await copied(service, waiting) is not None
    assert (await statistics(service))["verification"]["verified"] == 2


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("broken", ["supabase", "notion"])
async def test_a_source_that_answers_wrongly_stops_its_lane_alone(
    tmp_path: Path, broken: SourceName, fault: str
) -> None:
    async with sources() as both, bridge(tmp_path, both) as service:
        standin = both.supabase if broken == "supabase" else both.notion
        switched_on = FAULTS[fault](standin.faults)
        await goes_through(service, both, broken, switched_on.clear)


@pytest.mark.parametrize("broken", ["supabase", "notion"])
async def test_a_source_that_refuses_connections_stops_its_lane_alone(tmp_path: Path, broken: SourceName) -> None:
    async with sources() as both, bridge(tmp_path, both) as service:
        standin = both.supabase if broken == "supabase" else both.notion
        await standin.stop()
        await goes_through(service, both, broken, standin.start)


@pytest.mark.parametrize("broken", ["supabase", "notion"])
async def test_answers_that_drip_are_not_waited_for(tmp_path: Path, broken: SourceName) -> None:
    async with sources() as both:
        standin = both.supabase if broken == "supabase" else both.notion
        async with proxied(standin.url) as proxy:
            proxy.dripping = True

            def heal() -> None:
                proxy.dripping = False

            async with bridge(tmp_path, both, {broken: proxy.url}) as service:
                await goes_through(service, both, broken, heal)


@pytest.mark.parametrize("broken", ["supabase", "notion"])
async def test_a_certificate_that_nobody_trusts_is_said_to_be_one(tmp_path: Path, broken: SourceName) -> None:
    async with sources() as both:
        standin = both.supabase if broken == "supabase" else both.notion
        async with proxied(standin.url, CERTIFICATE) as proxy, bridge(tmp_path, both, {broken: proxy.url}) as service:
            await change(service, both, broken)

            async def says_so() -> bool:
                return "certificate" in str((await lane(service, broken))["reason"])

            await wait_until(says_so)
            assert await balanced(service) == {"received": 1, "open": 1}
