"""Rule 10: received = open + applied + coalesced + ignored + dead, at every moment and over restarts."""

import asyncio
from pathlib import Path

from tests.support.books import WEBHOOKS, balanced, hint, send, settled, statistics
from tests.support.handling import Handling
from tests.support.running import ADMIN, make_settings, running
from tests.support.waiting import wait_until

COMMENT = {
    "id": "5f7c2c1e-0000-4000-8000-00000000000c",
    "type": "comment.created",
    "entity": {"id": "a1b2c3d4-e5f6-4890-abcd-ef1234567890", "type": "comment"},
}


async def test_every_kind_of_ending_is_in_the_books_and_survives_a_restart(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    settings = make_settings(tmp_path, handlers=user.section)
    async with running(settings) as service:
        assert await balanced(service) == {}
        user.module.failures += [ValueError()] * 3
        await send(service, hint("dead", table=user.table))
        assert await settled(service) == {"received": 1, "dead": 1}
        await send(service, COMMENT, source="notion")
        await send(service, COMMENT, source="notion")
        assert await settled(service) == {"received": 2, "dead": 1, "ignored": 1}
        user.module.gate.clear()
        await send(service, hint("burst", table=user.table))
        await wait_until(lambda: user.module.running)
        await asyncio.gather(*[send(service, hint("burst", table=user.table)) for _ in range(9)])
        assert await balanced(service) == {"received": 12, "open": 10, "dead": 1, "ignored": 1}
        user.module.gate.set()
        whole = {"received": 12, "applied": 2, "coalesced": 8, "dead": 1, "ignored": 1}
        assert await settled(service) == whole
        await service.service.holds.pause("supabase")
        await send(service, hint("open"))
        books = await balanced(service)
        assert books == whole | {"received": 13, "open": 1}
        told = await statistics(service)
    async with running(settings) as service:  # still held
        assert await balanced(service) == books
        again = await statistics(service)
        del told["oldest_open_event_age_seconds"], again["oldest_open_event_age_seconds"]
        assert again == told


async def test_a_replay_moves_events_between_the_accounts_and_loses_none(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as service:
        user.module.failures += [ValueError()] * 3
        await send(service, hint(1, table=user.table))
        assert await settled(service) == {"received": 1, "dead": 1}
        await send(service, hint(2, table=user.table))
        assert await settled(service) == {"received": 2, "applied": 1, "dead": 1}
        answer = await service.post("/api/v1/events/replay", {"all": True}, ADMIN)
        assert (await answer.json())["replayed"] == 2
        # The dead letter is open again; the applied one has come anew.
        assert await settled(service) == {"received": 3, "applied": 3}


async def test_a_dead_letter_that_is_dismissed_is_ignored_and_stays_so_over_a_restart(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    settings = make_settings(tmp_path, handlers=user.section)
    async with running(settings) as service:
        user.module.failures += [ValueError()] * 6
        await send(service, hint(1, table=user.table))
        await send(service, hint(2, table=user.table))
        assert await settled(service) == {"received": 2, "dead": 2}
        for answered in ({"dismissed": 1, "limit_reached": True}, {"dismissed": 1, "limit_reached": False}):
            answer = await service.post("/api/v1/events/dismiss", {"all": True, "limit": 1}, ADMIN)
            assert answered.items() <= (await answer.json()).items()
        assert await balanced(service) == {"received": 2, "ignored": 2}
        await send(service, hint(1, table=user.table))
        assert await settled(service) == {"received": 3, "applied": 1, "ignored": 2}
    async with running(settings) as service:
        assert await balanced(service) == {"received": 3, "applied": 1, "ignored": 2}


async def test_they_balance_at_every_look_during_a_storm(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as service:
        user.module.failures += [ValueError()] * 40
        storm = asyncio.gather(*[send(service, hint(n % 23, table=user.table)) for n in range(400)])
        looks = 0
        while not storm.done():
            said = await statistics(service)
            assert said["books_balanced"], said
            looks += 1
        await storm
        books = await settled(service)
        assert looks > 0
        assert books["received"] == 400
        refused = await service.post(f"{WEBHOOKS}/supabase", b"nonsense")
        assert refused.status == 400
        assert await balanced(service) == books
