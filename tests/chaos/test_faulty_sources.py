"""Every way in which a source fails: the other one goes on, nothing dies that should wait, and all heals by itself."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from msgspec.structs import replace

from hookbridge.model import RecordKey, SourceName
from hookbridge.pipeline import health
from scripts.crashes.followers import DESTINATIONS
from scripts.faulting.destinations import SHOWN, WELL, destinations, not_shown
from scripts.faulting.faults import FAULTS, Heal, Place
from scripts.faulting.proxy import TRUSTED, proxied
from scripts.faulting.trial import finish, ground, harmed, strange_page, strange_row, strike
from scripts.replica import Held
from tests.support.books import balanced, hint, send, settled, statistics
from tests.support.followed import TOKEN, Sources, copied, sources, user
from tests.support.running import Running, running
from tests.support.waiting import wait_until

TIMEOUT_SECONDS = 0.3


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probe at once, and trust the proxies' certificate."""
    monkeypatch.setattr(health, "FIRST_PROBE_SECONDS", 0.05)
    monkeypatch.setenv("SSL_CERT_FILE", str(TRUSTED))


@asynccontextmanager
async def bridge(folder: Path, both: Sources, broken: SourceName, urls: Mapping[str, str]) -> AsyncIterator[Running]:
    """A service that is told of changes by webhooks alone; ``urls``: of the proxies before both sources."""
    sections: dict[str, dict[str, Any]] = {"supabase": {}, "notion": {"base_url": urls["notion"]}}
    sections[broken]["timeout_seconds"] = TIMEOUT_SECONDS  # the other one may take as long as this machine needs
    settings = both.settings(
        folder,
        supabase=sections["supabase"],
        notion=sections["notion"],
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


async def goes_through(service: Running, both: Sources, broken: SourceName, heal: Heal, says: str) -> None:
    """While one source is broken the other one's changes are applied; when it is healed, its own are."""
    other: SourceName = "notion" if broken == "supabase" else "supabase"
    waiting = await change(service, both, broken)
    await wait_until(lambda: stands_still(service, broken, says))
    unharmed = await change(service, both, other)

    async def is_applied() -> bool:
        return bool((await statistics(service))["books"]["applied"] == 1)

    await wait_until(is_applied)  # counted just after its copy is there
    assert await copied(service, unharmed) is not None
    assert (await lane(service, other))["state"] == "running"
    assert (await balanced(service)) == {"received": 2, "open": 1, "applied": 1}
    await heal()
    assert await settled(service) == {"received": 2, "applied": 2}
    assert ((await copied(service, waiting)) or {}).get("id") == (waiting.id if broken == "notion" else int(waiting.id))
    assert (await statistics(service))["verification"]["verified"] == 2


async def stands_still(service: Running, source: SourceName, says: str) -> bool:
    """Whether an operator sees that the source is down, and why."""
    seen = await lane(service, source)
    return seen["state"] in {"down", "refused"} and says in str(seen["reason"])


SAYS = {
    "a certificate nobody trusts": "certificate",
    "a record nobody asked for": "asked for",
    "a key that is refused": "answered",
    "no answer": "did not answer",
    "dripping answers": "did not answer",
    "429": "answered",
}
"""Words of the reason that an operator has to read."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("broken", ["supabase", "notion"])
async def test_a_source_that_fails_stops_its_lane_alone_and_heals_by_itself(
    tmp_path: Path, broken: SourceName, fault: str
) -> None:
    async with (
        sources() as both,
        proxied(both.supabase.url, TRUSTED) as before_supabase,
        proxied(both.notion.url, TRUSTED) as before_notion,
    ):
        if broken == "supabase":
            place = Place(both.supabase, before_supabase, strange_row())
        else:
            page = both.notion.create_page(both.data_source, {"Name": "somebody else"})
            place = Place(both.notion, before_notion, await strange_page(both.notion, page, TOKEN))
        heal = await FAULTS[fault](place)
        async with bridge(
            tmp_path, both, broken, {"supabase": before_supabase.url, "notion": before_notion.url}
        ) as service:
            await goes_through(service, both, broken, heal, SAYS.get(fault, ""))


async def test_the_fault_test_strikes_each_source_and_sees_it_recover_while_destinations_fail(tmp_path: Path) -> None:
    async with ground(tmp_path, seed=3) as here:
        for source, fault in (("supabase", "no answer"), ("notion", "a key that is refused")):
            row = await strike(here, source, fault, 0.5)
            assert row.wrong == ()
            assert SAYS[fault] in row.reason
            assert row.state in {"down", "refused"}
            assert (row.dead, row.refused) == (0, 0)
        told = await finish(here)
    assert told.wrong == ()
    assert told.fates.keys() > {"taken"}
    assert min(told.messages.values()) > 0


def test_harm_is_what_got_much_slower_than_just_before() -> None:
    assert harmed("acks", 0.020, 0.900)
    assert harmed("acks", 0.5, 1.8)
    assert not harmed("acks", 0.020, 0.3)
    assert not harmed("acks", 0.5, 1.7)
    assert harmed("acks", 0.020, float("inf"))


def entry(seq: int, name: str) -> dict[str, Any]:
    about = {"type": "upsert", "source": "supabase", "table": "public.users", "id": "1", "content": None}
    return {**about, "seq": seq, "data": {"id": 1, "name": name}}


async def test_what_a_destination_has_otherwise_or_is_told_too_late_is_a_finding() -> None:
    copies = {"supabase:public.users:1": Held({"id": 1, "name": "name2"}, None)}
    async with destinations(seed=1) as told, ClientSession() as http:
        urls = {one["name"]: one["url"] for one in msgspec.json.decode(told.environment[DESTINATIONS])}

        async def tell(name: str, id_: str, *changes: dict[str, Any]) -> None:
            await http.post(urls[name], json={"changes": changes}, headers={"webhook-id": id_})

        assert told.be_well() == (WELL, "at-random", "one-record")
        await tell(WELL, "a", entry(2, "name2"))
        assert told.differing(copies, only=WELL) == []
        assert len(told.differing(copies)) == 2
        assert told.wrong() == []
        await tell("one-record", "b", entry(2, "name2"))
        await tell("one-record", "c", entry(1, "name2"))
        await tell("at-random", "d", entry(2, "name2"))
        assert told.differing(copies) == []
        (wrong,) = told.wrong()
        assert "came as of place 1 after it had come as of 2" in wrong


def test_a_destination_that_is_not_shown_as_it_is_is_a_finding() -> None:
    ready = {"destinations": [{"name": name, "state": state, "reason": says} for name, (state, says) in SHOWN.items()]}
    assert not_shown(ready) == []
    ready["destinations"][1]["state"] = "running"
    ready["destinations"][2]["reason"] = "it answered 500"
    one, other = not_shown(ready)
    assert one.startswith("the destination one-record is ('running'")
    assert other.startswith("the destination nowhere is ('down', 'it answered 500')")
