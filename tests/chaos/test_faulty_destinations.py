"""Destinations that fail in every way, all at once: each is shown for what it is, and nobody else notices."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from hookbridge.outgoing import Caller, Unanswered
from scripts.consumers import ACKNOWLEDGED, APPLIED, Fate
from scripts.consumers import Receiver as Destination
from scripts.programs import free_port
from scripts.replica import Replica
from tests.chaos.test_abuse import memory_mb, needs_proc
from tests.support.books import hint, send, settled
from tests.support.faulty_receivers import FAULTS, LONG_BYTES, PATH, POISON, faulty_receivers
from tests.support.processes import Process, process
from tests.support.receivers import SECRET, Receiver, receiver
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

UNREACHABLE = {
    "nothing-listens": ("http://127.0.0.1:{port}/", "cannot be reached"),
    "no-such-name": ("http://nobody.invalid/", "leads to no address"),
    "metadata": ("http://169.254.169.254/latest/", "never called"),
}
SHOWN = {
    **{name: (fault.state, fault.says) for name, fault in FAULTS.items()},
    **{name: ("down", says) for name, (_, says) in UNREACHABLE.items()},
    "healthy": ("running", ""),
}
RECORDS, ROUNDS = 20, 6
TEXT = "x" * 2_000
READ_BYTES_MAX = 16_000_000
"""What the buffers of two sockets, and of the loops behind them, may take of an answer that nobody reads."""
GROWTH_MB_MAX = 40.0


def told(urls: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a service with all of these destinations."""
    destinations = [
        {"name": name, "url": url, "secret": SECRET, "timeout_seconds": 1, "batch": 10} for name, url in urls.items()
    ]
    return {
        "HOOKBRIDGE_DESTINATIONS": msgspec.json.encode(destinations).decode(),
        "HOOKBRIDGE_SERVER__ACCESS_LOG": "none",
    }


async def states(service: Process) -> dict[str, dict[str, Any]]:
    answer = await service.get("/api/v1/destinations")
    return {one["name"]: one for one in (await answer.json())["destinations"]}


async def shown(service: Process) -> dict[str, tuple[str, str]]:
    """What operators see of each, in the words of ``SHOWN`` where those are there."""
    now = await states(service)
    reasons = {name: one["reason"] or "" for name, one in now.items()}
    return {
        name: (one["state"], SHOWN[name][1] if SHOWN[name][1] in reasons[name] else reasons[name])
        for name, one in now.items()
    }


async def a_round(service: Process, healthy: Receiver, number: int) -> None:
    """Change all records, have all that wait tried again at once, and wait for the one that takes everything."""
    for name in await states(service):
        assert (await service.http.post(f"/api/v1/destinations/{name}/resume", headers=ADMIN)).status == 200
    for id_ in [*range(RECORDS), POISON.decode()]:
        await send(service, hint(id_, data={"text": TEXT, "round": number}))
    await settled(service)
    newest: dict[str, int] = {}

    def has_all() -> bool:
        newest.update({one["id"]: one["data"]["round"] for one in healthy.taken if one["type"] == "upsert"})
        return len(newest) == RECORDS + 1 and set(newest.values()) == {number}

    await wait_until(has_all)


@needs_proc
async def test_destinations_that_fail_in_every_way_are_shown_and_in_nobodys_way(tmp_path: Path) -> None:
    async with receiver() as healthy, faulty_receivers() as faulty:
        port = free_port()
        urls = {
            **{name: url for name, (url, _) in faulty.items()},
            **{name: url.format(port=port) for name, (url, _) in UNREACHABLE.items()},
            "healthy": healthy.url,
        }
        async with process(tmp_path, told(urls)) as service:
            await a_round(service, healthy, 0)

            async def all_are_shown() -> bool:
                return await shown(service) == SHOWN

            await wait_until(all_are_shown)
            before = memory_mb(service)
            for number in range(1, ROUNDS):
                await a_round(service, healthy, number)
                await wait_until(all_are_shown)
            assert memory_mb(service) - before < GROWTH_MB_MAX
            said = [one["reason"] or "" for one in (await states(service)).values()]
            assert not [reason for reason in said if PATH in reason]
            books = await settled(service)
            assert books == {"received": ROUNDS * (RECORDS + 1), "applied": ROUNDS * (RECORDS + 1)}
            ready = await (await service.get("/readyz")).json()
            assert {one["state"] for one in ready["lanes"]} == {"running"}
        assert set(faulty["redirects"][1].paths) == {PATH.encode()}
        for name in ("long-error", "long-answer", "long-gzip", "endless-headers"):
            assert 0 < faulty[name][1].sent < READ_BYTES_MAX < LONG_BYTES, name


class Always(random.Random):
    """Draws one fate whenever it can be drawn."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self._fate = fate

    def random(self) -> float:
        return 0.0

    def choice(self, seq: Any) -> Any:  # noqa: ANN401  as random.Random has it
        return self._fate if self._fate in seq else seq[0]


@pytest.mark.parametrize("fate", get_args(Fate))
async def test_a_destination_that_fails_at_random_applies_and_acknowledges_what_it_says(fate: Fate) -> None:
    about = {"type": "delete", "source": "supabase", "table": "public.users"}
    body = msgspec.json.encode({"changes": [{**about, "id": "1", "seq": 1}, {**about, "id": "2", "seq": 2}]})
    port = free_port()
    one = Destination(Replica(fate), Always(fate), fails=0.0 if fate == "taken" else 1.0)
    async with one.there(port), Caller(timeout_seconds=0.5, allow_private=True) as caller:
        try:
            answer = await caller.post(f"http://127.0.0.1:{port}/changes", body, {"webhook-id": "1"})
            acknowledged = answer.is_success
        except Unanswered:
            acknowledged = False
    assert one.fates == {fate: 1}
    assert acknowledged == (fate in ACKNOWLEDGED) == (one.not_acknowledged == 0)
    assert (one.replica.told == 2) == (fate in APPLIED)
    assert one.longest < READ_BYTES_MAX


async def test_a_destination_that_is_mended_takes_the_record_that_it_refused() -> None:
    body = b'{"changes": [{"type": "delete", "source": "supabase", "table": "public.users", "id": "1", "seq": 1}]}'
    port = free_port()
    one = Destination(Replica("one"), Always("never"), fails=0.0, refuses="supabase:public.users:1")
    async with one.there(port), Caller(timeout_seconds=0.5, allow_private=True) as caller:
        statuses = []
        for is_mended in (False, False, True):
            if is_mended:
                one.be_well()
            statuses.append((await caller.post(f"http://127.0.0.1:{port}/changes", body, {"webhook-id": "1"})).status)
    assert statuses == [500, 500, 204]
