"""Rule 1: an ack means that the event is on disk, in the row that a worker claims."""

import asyncio
from pathlib import Path

from hookbridge.config import Settings
from tests.support.books import WEBHOOKS, balanced, event, events, hint, send, settled
from tests.support.data import count
from tests.support.processes import process
from tests.support.running import make_settings, running


async def on_disk(settings: Settings) -> tuple[int, int]:
    """How many events, and how many dirty records, another process sees."""
    return await count(settings, "events"), await count(settings, "dirty")


async def test_when_the_ack_arrives_the_event_and_its_dirty_record_are_committed(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(settings, process=False) as service:
        for number in range(1, 6):
            await send(service, hint(number))
            assert await on_disk(settings) == (number, number)
        await send(service, hint(5))
        assert await on_disk(settings) == (6, 5)
        assert await balanced(service) == {"received": 6, "open": 6}


async def test_a_refused_request_left_nothing_on_disk(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(settings, process=False) as service:
        assert (await service.post(f"{WEBHOOKS}/supabase", b"{")).status == 400
        assert (await service.post(f"{WEBHOOKS}/supabase", hint(1, event_type="truncate"))).status == 422
        assert await on_disk(settings) == (0, 0)
        assert await balanced(service) == {}


async def test_what_was_acknowledged_right_before_a_kill_is_there_and_applied_after_it(tmp_path: Path) -> None:
    async with process(tmp_path) as service:
        ids = await asyncio.gather(*[send(service, hint(n % 7, data={"n": n})) for n in range(50)])
        service.kill()
        assert await service.ended() == -9
    async with process(tmp_path) as service:
        for number, id_ in enumerate(ids):
            assert (await event(service, id_))["body"]["data"] == {"n": number}
        books = await settled(service)
        assert books["received"] == books["applied"] + books["coalesced"] == 50


async def test_the_restart_picks_up_every_open_event_at_once_and_says_how_many(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(settings, process=False) as service:
        for number in range(12):
            await send(service, hint(number))
    async with process(tmp_path) as service:
        assert await settled(service) == {"received": 12, "applied": 12}
        said = service.said("Open events picked up")
        assert said is not None
        assert said["events"] == 12
        assert await events(service, state="open") == []
