"""`verify`: a hand-made difference of each kind is found and healed; edits that go on are no differences."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientPayloadError

from hookbridge.api.reconcile import Progress
from hookbridge.web import reconcile as web_reconcile
from tests.support.data import count, rows
from tests.support.followed import Running, Sources, loaded, running, sources, user
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

STILL: dict[str, Any] = {"reconcile": {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}}
"""Nothing is found by itself."""


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        made.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(2_500)])
        made.supabase.insert_many("plain", [{"id": n, "name": f"row {n}"} for n in range(10)])
        for n in range(5):
            made.notion.create_page(made.data_source, {"Name": f"page {n}"})
        yield made


@pytest.fixture
async def bridge(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    async with running(both.settings(tmp_path, **STILL)) as service:
        await wait_until(lambda: loaded(service))
        yield service


async def verify(bridge: Running, **asked: object) -> list[dict[str, Any]]:
    answer = await bridge.post("/api/v1/verify", asked, headers=ADMIN)
    assert answer.status == 200
    return [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]


def proofs(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {line["table"]: line for line in lines if line["type"] == "table"}


async def test_an_equal_copy_is_said_to_be_equal_with_progress_on_the_way(both: Sources, bridge: Running) -> None:
    lines = await verify(bridge)
    assert lines[-1]["type"] == "result"
    assert lines[-1]["agrees"] is True
    assert lines[-1]["tables"] == 3
    assert [line["compared"] for line in lines if line["type"] == "progress" and line["table"] == "public.users"] == [
        1_000,
        2_000,
        2_500,
        2_500,  # an empty slice shows that there is no more
    ]
    assert proofs(lines)["public.users"]["equal"] == 2_500
    assert proofs(lines)[both.database]["equal"] == 5


async def test_a_difference_of_each_kind_is_found_and_healed(both: Sources, bridge: Running, tmp_path: Path) -> None:
    both.supabase.update("users", 1, {"name": "changed"})
    both.supabase.insert("users", {"id": 9_000, "name": "new"})
    both.supabase.delete("users", 2)
    table = {"source": "supabase", "table": "users"}
    lines = await verify(bridge, **table)
    proof = proofs(lines)["public.users"]
    assert lines[-1]["agrees"] is False
    assert proof["keys"] == {"differing": ["1"], "missing": ["9000"], "extra": ["2"]}
    assert proof["titles"] == {"1": "user 1", "2": "user 2"}
    assert (proof["equal"], proof["differing"], proof["missing"], proof["extra"]) == (2_498, 1, 1, 1)
    healed = await verify(bridge, **table, heal=True)
    assert proofs(healed)["public.users"]["healed"] == 3
    assert healed[-1]["agrees"] is True
    assert (await verify(bridge, **table))[-1]["agrees"] is True
    assert (await bridge.service.store.totals()).books.applied == 3


async def test_a_copy_that_was_changed_by_hand_is_found(both: Sources, bridge: Running) -> None:
    other = "(SELECT fingerprint FROM copies WHERE record_id = '6' AND table_name = 'public.users')"
    which = "record_id = '7' AND table_name = 'public.users' RETURNING 1"
    assert await rows(bridge.service.settings, f"UPDATE copies SET fingerprint = {other} WHERE {which}") == [(1,)]
    assert proofs(await verify(bridge, source="supabase"))["public.users"]["keys"] == {"differing": ["7"]}


async def test_edits_that_go_on_are_no_differences(both: Sources, bridge: Running) -> None:
    """Each edit is announced by its webhook a moment later, while the comparison runs."""
    done = asyncio.Event()
    number = 0

    async def edit() -> None:
        nonlocal number
        while not done.is_set():
            number += 1
            row = both.supabase.update("users", number % 40, {"name": f"edit {number}"})
            await asyncio.sleep(0.01)
            body = {"type": "UPDATE", "table": "users", "schema": "public", "record": row, "old_record": row}
            assert (await bridge.post("/api/v1/webhooks/supabase", body)).status == 202

    edits = asyncio.create_task(edit())
    try:
        while number < 100:
            assert (await verify(bridge, source="supabase"))[-1]["agrees"] is True
    finally:
        done.set()
        await edits


async def test_a_table_that_cannot_be_compared_is_named_and_the_others_are_compared(
    both: Sources, bridge: Running
) -> None:
    both.supabase.faults.status(503, times=None)
    lines = await verify(bridge)
    assert [one["table"] for one in lines if one["type"] == "unproven"] == ["public.users", "public.plain"]
    assert all("503" in one["message"] for one in lines if one["type"] == "unproven")
    assert proofs(lines)[both.database]["equal"] == 5
    assert lines[-1] | {"as_of": ""} == {
        "type": "result",
        "agrees": False,
        "as_of": "",
        "cut": 0,
        "waiting": 0,
        "tables": 1,
        "unproven": 2,
    }
    both.supabase.faults.clear()
    both.notion.faults.status(503, times=None)
    lines = await verify(bridge)
    assert [one["table"] for one in lines if one["type"] == "unproven"] == [both.database]
    assert (lines[-1]["agrees"], lines[-1]["tables"]) == (False, 2)
    both.supabase.faults.status(503, times=None)
    lines = await verify(bridge)
    assert (lines[-1]["agrees"], lines[-1]["as_of"], lines[-1]["unproven"]) == (False, None, 3)


async def test_a_table_that_is_not_there_hides_no_other(both: Sources, tmp_path: Path) -> None:
    tables = [{"name": "nowhere"}, {"name": "plain"}]
    async with running(both.settings(tmp_path, **STILL, supabase={"tables": tables})) as bridge:
        await wait_until(lambda: bridge.service.reconciler.table("supabase", "public.plain").sweep.state.loaded)
        lines = await verify(bridge, source="supabase")
        assert [(one["type"], one["table"]) for one in lines if one["type"] in ("unproven", "table")] == [
            ("unproven", "public.nowhere"),
            ("table", "public.plain"),
        ]
        assert proofs(lines)["public.plain"]["equal"] == 10


async def test_what_is_on_neither_side_is_not_called_equal(both: Sources, bridge: Running) -> None:
    for id_ in (1, 2, 3):
        both.supabase.delete("users", id_)
    proof = proofs(await verify(bridge, source="supabase", table="users", heal=True))["public.users"]
    assert (proof["healed"], proof["extra"], proof["equal"]) == (3, 0, 2_497)
    assert proofs(await verify(bridge, source="supabase", table="users"))["public.users"]["equal"] == 2_497


async def test_what_a_proof_noted_is_forgotten_with_it(both: Sources, bridge: Running) -> None:
    await verify(bridge)
    assert await count(bridge.service.settings, "met") == 0


async def test_what_a_proof_noted_is_forgotten_when_nobody_waits_for_its_end(bridge: Running) -> None:
    lines = bridge.service.reconciler.verify("supabase", "public.users", heal=False)
    assert isinstance(await anext(lines), Progress)
    await lines.aclose()
    store = bridge.service.store
    assert await store.forget_sweeps(before=await store.ticket(), limit=1) == 0


async def test_nothing_to_compare_is_said_with_what_to_do(both: Sources, bridge: Running) -> None:
    answer = await bridge.post("/api/v1/verify", {"source": "supabase", "table": "unknown"}, headers=ADMIN)
    assert answer.status == 404
    assert "[[supabase.tables]]" in (await answer.json())["hint"]
    assert user(1).table == "public.users"


async def test_an_error_that_nobody_foresaw_is_the_last_line_and_nothing_follows_it(
    bridge: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lines(*_: object, **__: object) -> AsyncIterator[Progress]:
        yield Progress(
            source="supabase", table="public.users", table_label="users", compared=1, total=2, left_seconds=1.0
        )
        raise ValueError("a secret of ours")

    monkeypatch.setattr(bridge.service.reconciler, "verify", lines)
    answer = await bridge.post("/api/v1/verify", {}, headers=ADMIN)
    told = [msgspec.json.decode(line) for line in (await answer.read()).splitlines()]
    assert [one["type"] for one in told] == ["progress", "error"]
    assert (told[1]["error"], "secret" in told[1]["message"]) == ("internal_error", False)


async def test_an_answer_that_breaks_in_the_middle_is_cut_off_and_not_followed_by_another(
    bridge: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwritable(_step: object) -> bytes:
        if told:
            raise ValueError
        told.append(True)
        return b"{}\n"

    told: list[bool] = []
    monkeypatch.setattr(web_reconcile, "_line", unwritable)
    answer = await bridge.post("/api/v1/verify", {}, headers=ADMIN)
    with pytest.raises(ClientPayloadError):
        await answer.read()
