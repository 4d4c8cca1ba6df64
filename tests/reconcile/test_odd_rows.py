"""What a source shows and nobody expected: rows that cannot be read, times of no calendar, settings of another day.

None of it may end the process, which would meet it again at every start, hide other rows, or delete any.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from hookbridge.model import RecordKey
from hookbridge.reconcile.table import FollowedTable
from hookbridge.standins.wire import Reply
from tests.support.followed import QUICK, Running, Sources, gone, has, loaded, plain, running, sources, user
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

STILL = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}
POLLS_ONLY = {**QUICK, "sweep_seconds": 3600.0}
SWEEP = {"source": "supabase", "table": "plain", "kind": "sweep"}
POLL = {"source": "supabase", "table": "users", "kind": "poll"}
TOO_LARGE = b'{"id":2,"name":1e99999999999999999999}'
TOO_DEEP = b'{"id":2,"name":' + b"[" * 300 + b"]" * 300 + b"}"
BOTTOMLESS = b'{"id":2,"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
WITHOUT_KEY = b'{"id":null,"name":1e99999999999999999999}'
YEAR_1 = "0001-01-01T00:00:00+00:00"
FUTURE = "2099-01-01T00:00:00+00:00"


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        yield made


def answers(both: Sources, table: str, *rows: bytes) -> None:
    """Let every listing of a table show these rows, and nothing behind them."""
    number = len(rows)
    headers = {"Content-Type": "application/json; charset=utf-8", "Content-Range": f"0-{number - 1}/{number}"}
    reply = Reply(status=200, body=b"[" + b",".join(rows) + b"]", headers=headers)
    end = Reply(status=200, body=b"[]", headers={**headers, "Content-Range": "*/*"})
    of_it = f"/{table}?"
    both.supabase.faults.answer(end, path=lambda path: of_it in path and "order=" in path and "and(" in unquote(path))
    both.supabase.faults.answer(
        reply, path=lambda path: of_it in path and "order=" in path and "and(" not in unquote(path)
    )


async def ask(bridge: Running, body: Mapping[str, object]) -> tuple[int, Any]:
    answer = await bridge.post("/api/v1/reconcile", body, headers=ADMIN)
    return answer.status, await answer.json()


def table(bridge: Running, name: str) -> FollowedTable:
    return bridge.service.reconciler.table("supabase", f"public.{name}")


@pytest.fixture
async def three(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    """Three rows of a table without a change column, in the copy."""
    both.supabase.insert_many("plain", [{"id": n, "name": f"row {n}"} for n in (1, 2, 3)])
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        yield bridge


@pytest.mark.parametrize("odd", [TOO_LARGE, TOO_DEEP], ids=["a number too large", "nested too deeply"])
async def test_a_row_that_cannot_be_read_is_left_out_and_is_not_gone(both: Sources, three: Running, odd: bytes) -> None:
    both.supabase.update("plain", 1, {"name": "changed"})
    both.supabase.delete("plain", 3)
    answers(both, "plain", b'{"id":1,"name":"changed"}', odd)
    assert await ask(three, SWEEP) == (200, {"listed": 2, "found": 2})
    await wait_until(has(three, plain(1), name="changed"))
    await wait_until(gone(three, plain(3)))
    assert await has(three, plain(2), name="row 2")()
    assert table(three, "plain").status().state == "following"


@pytest.mark.parametrize("odd", [WITHOUT_KEY, BOTTOMLESS], ids=["no key", "nested deeper than any decoder goes"])
async def test_where_a_key_cannot_be_read_nothing_counts_as_gone(both: Sources, three: Running, odd: bytes) -> None:
    both.supabase.delete("plain", 3)
    answers(both, "plain", b'{"id":1,"name":"row 1"}', odd)
    assert await ask(three, SWEEP) == (200, {"listed": 2, "found": 0})
    both.supabase.faults.clear()
    assert await ask(three, SWEEP) == (200, {"listed": 2, "found": 1})
    await wait_until(gone(three, plain(3)))


async def test_a_proof_names_the_row_that_cannot_be_read(both: Sources, three: Running) -> None:
    answers(both, "plain", b'{"id":1,"name":"row 1"}', TOO_LARGE, b'{"id":3,"name":"row 3"}')
    asked = {"source": "supabase", "table": "plain"}
    lines = (await (await three.post("/api/v1/verify", asked, headers=ADMIN)).text()).splitlines()
    proof = msgspec.json.decode(lines[-2])
    assert (proof["equal"], proof["differing"], proof["keys"]) == (2, 1, {"differing": ["2"]})
    both.supabase.faults.clear()
    answers(both, "plain", b'{"id":1,"name":"row 1"}', WITHOUT_KEY)
    lines = (await (await three.post("/api/v1/verify", asked, headers=ADMIN)).text()).splitlines()
    unproven, verdict = map(msgspec.json.decode, lines[-2:])
    assert (unproven["type"], "without a key that can be read" in unproven["message"]) == ("unproven", True)
    assert (verdict["agrees"], verdict["unproven"]) == (False, 1)


async def test_a_poll_goes_past_a_row_that_cannot_be_read(both: Sources, tmp_path: Path) -> None:
    now = both.clock().isoformat().encode()
    odd = b'{"id":2,"name":1e99999999999999999999,"updated_at":"' + now + b'"}'
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        answers(both, "users", b'{"id":1,"name":"found","updated_at":"' + now + b'"}', odd)
        assert (await ask(bridge, POLL))[0] == 200
        await wait_until(has(bridge, user(1), name="found"))


async def test_a_row_of_the_year_1_ends_neither_this_process_nor_the_next(both: Sources, tmp_path: Path) -> None:
    row = {"id": 1, "name": "Ada", "updated_at": YEAR_1}
    both.supabase.insert("users", {"id": 1, "name": "Ada"})
    answers(both, "users", msgspec.json.encode(row))
    for _ in range(2):
        async with running(both.settings(tmp_path)) as bridge:
            before = table(bridge, "users").poll.state.completed_at or 0.0
            await wait_until(lambda: (table(bridge, "users").poll.state.completed_at or 0.0) > before)  # noqa: B023
            assert table(bridge, "users").status().watermark == YEAR_1


@pytest.mark.parametrize(
    "since", [YEAR_1, "1999-12-31T23:59:59Z", FUTURE, "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+09:00", "soon"]
)
async def test_polls_begin_at_no_time_before_the_services_and_none_that_lies_ahead(three: Running, since: str) -> None:
    status, answer = await ask(three, {**POLL, "since": since})
    assert status == 422
    assert answer["detail"][0]["msg"] == "expected a time as in ISO 8601, from 2000-01-01 until now"
    assert table(three, "users").poll.state.watermark != since


async def test_a_beginning_is_kept_once_a_poll_has_listed_something_from_it(both: Sources, tmp_path: Path) -> None:
    both.supabase.insert("users", {"id": 1, "name": "Ada"})
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        poll = table(bridge, "users").poll
        before = poll.state
        both.supabase.faults.status(503)
        assert (await ask(bridge, {**POLL, "since": "2001-01-01"}))[0] == 503
        assert poll.state == before
        both.supabase.faults.clear()
        both.supabase.insert_many("users", [{"id": n, "name": "more"} for n in range(2, 1_500)])
        both.supabase.faults.status(503, path=lambda path: ".gt." in path)
        assert (await ask(bridge, {**POLL, "since": "2001-01-01"}))[0] == 503
        assert (poll.state.watermark or "").startswith("2001-01-01")
        assert poll.state.cursor is not None


async def test_a_time_behind_the_polls_leaves_them_where_they_stand(both: Sources, tmp_path: Path) -> None:
    both.supabase.insert("users", {"id": 1, "name": "before", "updated_at": "2020-01-01T00:00:00+00:00"})
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        poll = table(bridge, "users").poll
        stands = poll.state
        assert (stands.watermark or "").startswith("2020-01-01")
        assert await ask(bridge, {**POLL, "since": "2021-01-01"}) == (200, {"listed": 0, "found": 0})
        assert poll.state == stands


async def test_a_row_dated_in_the_future_hides_no_edit_from_the_polls(both: Sources, tmp_path: Path) -> None:
    both.supabase.insert("users", {"id": 1, "name": "before"})
    both.supabase.insert("users", {"id": 2, "name": "from the future", "updated_at": FUTURE})
    async with running(both.settings(tmp_path, reconcile=POLLS_ONLY)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.supabase.update("users", 1, {"name": "after"})
        await wait_until(has(bridge, user(1), name="after"))


async def test_a_page_edited_in_the_future_hides_no_edit_from_the_polls(both: Sources, tmp_path: Path) -> None:
    page = both.notion.create_page(both.data_source, {"Name": "before"})
    both.clock.by = timedelta(days=30)
    both.notion.create_page(both.data_source, {"Name": "from the future"})
    both.clock.by = timedelta()
    async with running(both.settings(tmp_path, reconcile=POLLS_ONLY)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.notion.update_page(page, {"Name": "after"})

        async def renamed() -> bool:
            hits = (await bridge.service.search.find("after", source="notion", table=None, limit=5)).hits
            return [hit.record.id for hit in hits] == [page]

        await wait_until(renamed)


async def test_a_limit_of_the_server_that_is_lowered_meanwhile_makes_no_row_gone(both: Sources, tmp_path: Path) -> None:
    both.supabase.insert_many("plain", [{"id": n, "name": f"row {n}"} for n in range(2_500)])
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        both.supabase.max_rows = 900
        broken = both.supabase.faults.status(503, path=lambda path: "/plain?" in path and ".gt." in path)
        assert (await ask(bridge, SWEEP))[0] == 503
        both.supabase.max_rows = 300
        broken.clear()
        assert await ask(bridge, SWEEP) == (200, {"listed": 2_500, "found": 0})


async def test_another_key_begins_an_interrupted_sweep_anew(both: Sources, tmp_path: Path) -> None:
    both.supabase.insert_many("plain", [{"id": n, "name": f"row {n:04}"} for n in range(2_500)])
    both.supabase.faults.status(503, path=lambda path: "/plain?" in path and ".gt." in path)
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(lambda: table(bridge, "plain").sweep.state.cursor is not None)
        interrupted = table(bridge, "plain").sweep.state
    both.supabase.faults.clear()
    other = {"tables": [{"name": "plain", "key": ["name"]}]}
    async with running(both.settings(tmp_path, supabase=other, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        sweep = table(bridge, "plain").sweep.state
        assert (sweep.listed, interrupted.listed) == (2_500, 1_000)
        assert await has(bridge, RecordKey("supabase", "public.plain", "row 2499"), id=2_499)()


@pytest.mark.parametrize("cursor", ["nonsense", '{"after":["1"],"rows":1000,"cut":1000}', "{}", '{"sources":[]}'])
async def test_a_cursor_that_makes_no_sense_begins_the_listing_anew(both: Sources, tmp_path: Path, cursor: str) -> None:
    both.supabase.insert("users", {"id": 1, "name": "Ada"})
    both.notion.create_page(both.data_source, {"Name": "page"})
    async with running(both.settings(tmp_path, reconcile=STILL)) as bridge:
        await wait_until(lambda: loaded(bridge))
        for source, name in (("supabase", "users"), ("notion", both.database)):
            followed = bridge.service.reconciler.table(*(source, bridge.service.sources[source].table(name)))  # type: ignore[arg-type, index]
            sweep = followed.sweep
            old = await bridge.service.store.ticket()
            sweep.state = msgspec.structs.replace(sweep.state, sweep=old, cursor=cursor, listing_complete=False)
            followed.poll.state = msgspec.structs.replace(followed.poll.state, cursor=cursor)
            begun = {"source": source, "table": name}
            assert await ask(bridge, {**begun, "kind": "sweep"}) == (200, {"listed": 1, "found": 0})
            assert (await ask(bridge, {**begun, "kind": "poll"}))[0] == 200
