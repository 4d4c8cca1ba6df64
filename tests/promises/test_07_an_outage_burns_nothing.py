"""Rule 7: an outage costs no event an attempt; what fails for its own reason ends as a dead letter."""

from pathlib import Path

import pytest

from hookbridge.pipeline import retry, waits
from hookbridge.standins import PostgrestStandin
from hookbridge.standins.postgrest import errors
from tests.support.books import balanced, event, events, hint, send, settled, statistics
from tests.support.handling import Handling
from tests.support.running import ADMIN, Client, running
from tests.support.truths import lane, project, record, settings_for
from tests.support.waiting import wait_until


async def until(service: Client, state: str) -> None:
    """Wait until the lane is in this state, and says why."""

    async def reached() -> bool:
        found = await lane(service)
        return bool(found["state"] == state and found["reason"])

    await wait_until(reached)


@pytest.mark.parametrize("status", [None, 402, 429, 502, 503, 540])
async def test_events_wait_out_an_outage_with_all_their_attempts(tmp_path: Path, status: int | None) -> None:
    async with project(users=20) as supabase, running(settings_for(supabase, tmp_path)) as service:
        if status is None:
            await supabase.stop()
        else:
            supabase.faults.status(status)
        for number in range(1, 21):
            await send(service, hint(number, data={"id": number, "name": f"user {number}"}))
        await until(service, "down")
        assert await balanced(service) == {"received": 20, "open": 20}
        assert {one["attempts"] for one in await events(service)} == {0}
        supabase.faults.clear()
        await supabase.start()
        assert await settled(service) == {"received": 20, "applied": 20}
        assert {one["verification"] for one in await events(service)} == {"verified"}
        assert (await lane(service))["state"] == "running"


async def test_events_wait_for_a_key_that_is_refused(tmp_path: Path) -> None:
    async with project(users=1) as supabase, running(settings_for(supabase, tmp_path)) as service:
        supabase.faults.refuse_key()
        await send(service, hint(1))
        await until(service, "refused")
        assert await balanced(service) == {"received": 1, "open": 1}
        supabase.faults.clear()
        assert await settled(service) == {"received": 1, "applied": 1}


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(errors.unknown_table("public", "orders", None), id="not there"),
        pytest.param(errors.unknown_schema("shop", ("public",)), id="not exposed"),
        pytest.param(errors.error(403, "42501", "permission denied for table orders"), id="not granted"),
    ],
)
async def test_a_table_that_is_not_there_yet_waits_with_its_reason_and_holds_nobody_up(
    tmp_path: Path, reply: errors.WireError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "FIRST_SECONDS", 0.2)
    async with project(users=1) as supabase, running(settings_for(supabase, tmp_path)) as service:
        supabase.create_table("orders", {"id": "bigint", "name": "text"})
        supabase.faults.answer(reply.reply, path=lambda path: "/orders" in path)
        id_ = await send(service, hint(1, table="orders"))
        await send(service, hint(1))

        async def other_is_applied() -> bool:
            return bool((await statistics(service))["books"]["applied"] == 1)

        await wait_until(other_is_applied)
        assert await balanced(service) == {"received": 2, "open": 1, "applied": 1}
        found = await lane(service)
        assert (found["state"], [one["table"] for one in found["waiting"]]) == ("running", ["public.orders"])
        assert "Supabase answered" in found["waiting"][0]["reason"]
        assert (await event(service, id_))["attempts"] == 0
        supabase.faults.clear()
        assert await settled(service) == {"received": 2, "applied": 2}
        assert (await lane(service))["waiting"] == []


async def test_a_table_that_nobody_lists_and_that_never_comes_is_a_dead_letter_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "FIRST_SECONDS", 0.1)
    monkeypatch.setattr(retry, "UNLISTED_SECONDS", 0.5)
    async with project(users=1) as supabase, running(settings_for(supabase, tmp_path)) as service:
        id_ = await send(service, hint(1, table="nonsense"))
        await send(service, hint(1))
        assert await settled(service) == {"received": 2, "applied": 1, "dead": 1}
        dead = await event(service, id_)
        assert dead["reason"].startswith("TableUnreadable: ")
        assert "; try: check the table's name and schema" in dead["reason"]
        assert "say so with partitions in [[supabase.tables]]" in dead["reason"]


async def test_a_table_that_is_broken_is_a_dead_letter_in_the_end_and_holds_nobody_up(tmp_path: Path) -> None:
    """A foreign table whose server is down: the database answers, and says so."""
    async with project(users=1) as supabase, running(settings_for(supabase, tmp_path)) as service:
        down = errors.error(500, "HV000", "could not connect to server").reply
        supabase.faults.answer(down, path=lambda path: "/remote" in path)
        await send(service, hint(1, table="remote"))
        await send(service, hint(1))
        assert await settled(service) == {"received": 2, "applied": 1, "dead": 1}
        assert (await lane(service))["state"] == "running"


async def test_a_handlers_bug_is_tried_three_times_and_then_a_dead_letter_that_can_be_replayed(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    async with project() as supabase, running(settings_for(supabase, tmp_path, handlers=user.section)) as service:
        _table(supabase, user.table)
        user.module.failures += [ValueError("mine")] * 3
        id_ = await send(service, hint(1, table=user.table))
        assert await settled(service) == {"received": 1, "dead": 1}
        dead = await event(service, id_)
        assert dead["attempts"] == 3
        assert dead["reason"].endswith("): ValueError: mine")
        assert (await service.post(f"/api/v1/events/{id_}/replay", b"", ADMIN)).status == 200
        assert await settled(service) == {"received": 1, "applied": 1}
        assert await record(service, 1, table=user.table) == {"id": 1, "name": "Ada"}


def _table(supabase: PostgrestStandin, name: str) -> None:
    supabase.create_table(name, {"id": "bigint", "name": "text"})
    supabase.insert(name, {"id": 1, "name": "Ada"})


@pytest.mark.parametrize("table", ["../../auth/v1/admin/users", "rpc/grant_all", "/users"])
async def test_a_forged_name_of_a_table_stops_no_lane(tmp_path: Path, table: str) -> None:
    async with project(users=1) as supabase, running(settings_for(supabase, tmp_path)) as service:
        await send(service, hint(1, table=table))

        async def waits_alone() -> bool:
            found = await lane(service)
            return [one["table"] for one in found["waiting"]] == [f"public.{table}" if "." not in table else table]

        await wait_until(waits_alone)
        await send(service, hint(1))
        await wait_until(lambda: supabase.requests.total)
        assert (await lane(service))["state"] == "running"
        assert {seen.path_qs.partition("?")[0] for seen in supabase.requests.entries} == {"/rest/v1/users"}
