"""What an operator sees of events and records over HTTP, and how much is processed again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookbridge.standins import PostgrestStandin, Reply
from tests.support import books
from tests.support.books import hint
from tests.support.events import key
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

SUPABASE = "/api/v1/webhooks/supabase"


async def send(client: Running, record_id: str, name: str = "Ada") -> int:
    body = {
        "type": "INSERT",
        "schema": "public",
        "table": "users",
        "record": {"id": record_id, "name": name},
        "old_record": None,
    }
    answer = await client.post(SUPABASE, body, {"X-Webhook-Signature": "sha256=00", "User-Agent": "pg_net/0.20.4"})
    assert answer.status == 202
    return int(answer.headers["X-Hookbridge-Event"])


async def ended(client: Running, event_id: int) -> dict[str, Any]:
    """The event, when it has an outcome."""
    shown: dict[str, Any] = {}

    async def settled() -> bool:
        nonlocal shown
        shown = await (await client.get(f"/api/v1/events/{event_id}")).json()
        return shown["outcome"] is not None

    await wait_until(settled)
    return shown


async def replay(client: Running, which: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post("/api/v1/events/replay", which, ADMIN)
    assert answer.status == 200
    answered: dict[str, Any] = await answer.json()
    return answered


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials."""
    async with asyncio.timeout(60), running(make_settings(tmp_path)) as one:
        yield one


async def test_an_event_shows_its_headers_masked_and_its_way_in_order(client: Running) -> None:
    shown = await ended(client, await send(client, "1"))
    assert shown["headers"]["user-agent"] == "pg_net/0.20.4"
    assert shown["headers"]["x-webhook-signature"] == "(masked)"
    way = [shown[name] for name in ("received_at", "stored_at", "claimed_at", "settled_at")]
    assert None not in way
    assert way == sorted(way)
    assert (shown["verification"], shown["verified_at"]) == ("skipped", None)
    assert shown["failures"] == []


async def test_an_attempt_that_failed_is_shown_also_after_one_that_succeeded(tmp_path: Path) -> None:
    key = "sb_secret_for_tests"
    async with asyncio.timeout(60), PostgrestStandin(key=key) as supabase:
        supabase.create_table("users", {"id": "bigint"})
        settings = make_settings(tmp_path, secrets={"supabase_url": supabase.url, "supabase_key": key})
        async with running(settings) as client:
            supabase.faults.answer(Reply(status=503, body=b"{}"), times=1)
            shown = await ended(client, await send(client, "1"))
    assert (shown["outcome"], shown["attempts"]) == ("applied", 2)
    assert shown["claimed_at"] <= shown["verified_at"] <= shown["settled_at"]
    (failure,) = shown["failures"]
    assert failure["attempt"] == 1
    assert "503" in failure["error"]


async def test_what_matches_is_counted_before_it_is_processed_again(client: Running) -> None:
    for number in range(3):
        await ended(client, await send(client, str(number)))
    await ended(client, await send(client, "9", "Grace"))
    which = {"source": "supabase", "q": "ada"}
    counted = await replay(client, {**which, "dry_run": True})
    assert counted == {"matching": 3, "replayed": 0, "limit_reached": False, "next_cursor": None}
    first = await replay(client, {**which, "limit": 2})
    assert (first["replayed"], first["limit_reached"]) == (2, True)
    rest = await replay(client, {**which, "cursor": first["next_cursor"]})
    assert rest == {"matching": None, "replayed": 1, "limit_reached": False, "next_cursor": None}


async def test_records_are_listed_and_found(client: Running) -> None:
    for number, name in enumerate(("Ada", "Grace", "Edsger")):
        await ended(client, await send(client, str(number), name))
    page = await (await client.get("/api/v1/records?limit=2")).json()
    assert [(one["id"], one["present"], one["waiting_since"]) for one in page["records"]] == [
        ("0", True, None),
        ("1", True, None),
    ]
    rest = await client.http.get(
        "/api/v1/records",
        params={"cursor": page["next_cursor"], "source": "supabase", "table": "users"},
        headers=ADMIN,
    )
    assert [one["id"] for one in (await rest.json())["records"]] == ["2"]
    found = await (await client.get("/api/v1/records?q=grace")).json()
    assert [one["id"] for one in found["records"]] == ["1"]


async def test_rows_of_records_have_the_columns_that_are_asked_for_and_the_words_around_a_match(
    client: Running,
) -> None:
    rows = [
        {"id": 9, "name": "Ada Lovelace", "tags": ["a", 1.25], "a,b%": True, "note": "x" * 400},
        {"id": 10, "name": None, "note": "wrote of Ada and her engine"},
        {"id": 93, "name": "Grace"},
    ]
    for row in rows:
        body = {"type": "INSERT", "schema": "public", "table": "users", "record": row, "old_record": None}
        answer = await client.post(SUPABASE, body)
        await ended(client, int(answer.headers["X-Hookbridge-Event"]))

    async def page(query: str) -> list[dict[str, Any]]:
        answer = await client.get(f"/api/v1/records?{query}")
        assert answer.status == 200, await answer.text()
        return list((await answer.json())["records"])

    found = await page("columns=name,tags,a%252Cb%2525,nothing,note")
    assert [(one["id"], one["values"]) for one in found] == [
        ("9", {"name": "Ada Lovelace", "tags": '["a",1.25]', "a,b%": "true", "note": f"{'x' * 299}…"}),
        ("10", {"name": None, "note": "wrote of Ada and her engine"}),
        ("93", {"name": "Grace"}),
    ]
    assert [(one["id"], one.get("snippet"), "values" in one) for one in await page("q=ada")] == [
        ("9", "[Ada] Lovelace", False),
        ("10", "wrote of [Ada] and her engine", False),
    ]
    assert [(one["id"], one.get("snippet")) for one in await page("q=9")] == [("9", None), ("93", None)]
    assert [one["id"] for one in await page("order=changed")] == ["93", "10", "9"]
    whole = await (await client.get("/api/v1/records/supabase/users/9?values=1")).json()
    assert list(whole["values"].items())[:3] == [("id", "9"), ("name", "Ada Lovelace"), ("tags", '["a",1.25]')]
    assert whole["values"]["note"] == "x" * 400
    assert "values" not in await (await client.get("/api/v1/records/supabase/users/9")).json()


async def test_pages_by_change_go_on_behind_their_cursor(client: Running) -> None:
    for number in range(3):
        await ended(client, await send(client, str(number)))
    first = await (await client.get("/api/v1/records?order=changed&limit=2")).json()
    assert [one["id"] for one in first["records"]] == ["2", "1"]
    rest = await (await client.get(f"/api/v1/records?order=changed&cursor={first['next_cursor']}")).json()
    assert ([one["id"] for one in rest["records"]], rest["next_cursor"]) == (["0"], None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("order=changed&cursor=supabase:public.users:1", "cursor"),
        ("order=changed&cursor=-1", "cursor"),
        ("order=changed&cursor=9223372036854775808", "cursor"),
        ("order=size", "order"),
        ("columns=" + ",".join(map(str, range(21))), "columns"),
        ("cursor=nonsense", "cursor"),
        ("state=gone", "state"),
        ("table=a:b", "table"),
        ("q=", "q"),
        ("x=1", "x"),
    ],
)
async def test_a_wrong_filter_is_named(client: Running, query: str, field: str) -> None:
    answer = await client.get(f"/api/v1/records?{query}")
    assert answer.status == 422
    assert field in await answer.text()


async def listed(client: Running, what: str, query: str) -> list[str]:
    answer = await client.get(f"/api/v1/{what}?{query}")
    assert answer.status == 200, await answer.text()
    return [one["id" if what == "records" else "record_id"] for one in (await answer.json())[what]]


async def test_a_table_that_is_named_alone_is_one_of_either_source(client: Running) -> None:
    page, database = "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
    await ended(client, await send(client, "1"))
    sent = {"event_type": "update", "source": "notion", "table_name": database, "record_id": page, "data": {}}
    await ended(client, int((await client.post("/api/v1/webhooks/notion", sent)).headers["X-Hookbridge-Event"]))
    for what in ("events", "records"):
        assert await listed(client, what, "table=users") == ["1"]
        assert await listed(client, what, "table=public.users&record_id=1") == ["1"]
        assert await listed(client, what, f"table={database}") == [page]
        assert await listed(client, what, f"table={database.replace('-', '')}") == [page]
        assert await listed(client, what, f"table={database}&record_id={page.replace('-', '')}") == [page]
        assert await listed(client, what, f"record_id={page.replace('-', '')}") == [page]
        assert await listed(client, what, "table=users&source=notion") == []
    assert (await replay(client, {"table": "users", "dry_run": True}))["matching"] == 1


async def test_events_are_asked_for_by_their_numbers(client: Running) -> None:
    numbers = [await send(client, str(number)) for number in range(3)]
    for number in numbers:
        await ended(client, number)
    asked = ",".join(map(str, [*numbers[:2], 999]))
    page = await (await client.get(f"/api/v1/events?ids={asked}&limit=1")).json()
    assert [(one["id"], one["state"]) for one in page["events"]] == [(number, "settled") for number in numbers[1::-1]]
    assert page["next_cursor"] is None
    many = ",".join(map(str, range(500)))
    assert len(await listed(client, "events", f"ids={many}")) == 3
    for wrong in ("", "a", "1,", f"{many},500"):
        answer = await client.get(f"/api/v1/events?ids={wrong}")
        assert (answer.status, "ids" in await answer.text()) == (422, True)


async def test_an_old_event_that_comes_again_when_it_is_forgotten_does_not_overwrite_what_came_after_it(
    tmp_path: Path,
) -> None:
    """Without credentials, and signed without a time: nothing but its own timestamp tells that it is old."""
    retention = {"settled_days": 1e-9, "interval_seconds": 0.01}
    async with asyncio.timeout(60), running(make_settings(tmp_path, retention=retention)) as client:
        old = hint(1, data={"id": 1, "name": "Old"}, timestamp="2020-01-01T10:00:00.5Z")
        first = await books.send(client, old)
        await books.send(client, hint(1, data={"id": 1, "name": "New"}, timestamp="2020-01-02T10:00:00.5Z"))

        async def is_forgotten() -> bool:
            return (await client.get(f"/api/v1/events/{first}")).status == 404

        await wait_until(is_forgotten)
        again = await books.send(client, old)
        assert again != first
        await wait_until(lambda: client.service.store.open_events == 0)
        copy = await client.service.store.copy(key(1))
        assert copy is not None
        assert copy.data == b'{"id":1,"name":"New"}'
        assert (await books.statistics(client))["verification"]["superseded"] == 1


async def test_an_event_sent_by_hand_is_no_announcement_of_the_source(client: Running) -> None:
    answer = await client.post("/api/v1/events", hint(1, data={"id": 1}), ADMIN)
    assert answer.status == 202
    shown = await ended(client, int(answer.headers["X-Hookbridge-Event"]))
    assert (shown["origin"], shown["outcome"]) == ("replay", "applied")
    listed = await (await client.get("/api/v1/events?origin=webhook")).json()
    assert listed["events"] == []
