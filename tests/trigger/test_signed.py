"""What the trigger sends, as pg_net sends it, to a service that takes nothing unsigned."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from standardwebhooks import Webhook

from hookbridge.standins import PostgrestStandin
from tests.support.books import settled
from tests.support.project import SECRET, STANDARD_SECRET, Project
from tests.support.running import Running, make_settings, running

TABLES = [
    {"name": "order lines", "schema": "Shop", "key": ["order", "no"]},
    {"name": 'so "quoted"', "key": ['the "id"']},
]
QUOTED = '"so ""quoted"""'
SIGNED: dict[str, Any] = {"signatures": {"verify": True}, "supabase": {"tables": TABLES}}


@pytest.fixture(params=[SECRET, STANDARD_SECRET], ids=["hex", "standard"])
async def service(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> AsyncIterator[Running]:
    """A service that verifies, and the same secret in the project's Vault."""
    await project.keep_secret(request.param)
    settings = make_settings(tmp_path, secrets={"webhook_secrets": ("an older one", request.param)}, **SIGNED)
    async with running(settings) as one:
        yield one


async def _copy(service: Running, table: str, id_: str) -> dict[str, Any] | None:
    answer = await service.get(f"/api/v1/records/supabase/{table}/{id_}")
    if answer.status == 404:
        return None
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = msgspec.json.decode(await answer.read())
    data: dict[str, Any] = found["data"]
    return data


async def test_all_three_operations_are_accepted_and_applied(project: Project, service: Running) -> None:
    await project.install(service.url)
    await project.sql.execute("insert into users values (1, 'Ada', 'first')")
    assert await project.run_pg_net(http=service.http) == [202]
    await settled(service)
    assert await _copy(service, "users", "1") == {"id": 1, "name": "Ada", "note": "first"}

    await project.sql.execute("update users set note = 'second'")
    assert await project.run_pg_net(http=service.http) == [202]
    await settled(service)
    assert await _copy(service, "users", "1") == {"id": 1, "name": "Ada", "note": "second"}

    await project.sql.execute("delete from users")
    assert await project.run_pg_net(http=service.http) == [202]
    assert (await settled(service))["received"] == 3
    assert await _copy(service, "users", "1") is None


@pytest.mark.parametrize("service", [STANDARD_SECRET], indirect=True)
async def test_an_independent_verifier_agrees(project: Project, service: Running) -> None:
    await project.install(service.url)
    await project.sql.execute("insert into users values (1, 'Zoë 😀')")
    (request,) = await project.queued()
    assert Webhook(STANDARD_SECRET).verify(request.body, request.headers)["record"]["name"] == "Zoë 😀"


@pytest.mark.parametrize("length", [1, 30, 31, 32])
@pytest.mark.parametrize("around", ["", "\n"], ids=["as it is", "pasted with a line end"])
async def test_a_standard_secret_signs_with_and_without_base64s_padding(
    project: Project, tmp_path: Path, length: int, around: str
) -> None:
    padded = "whsec_" + base64.b64encode(bytes(range(length))).decode()
    await project.install("https://hooks.example.com")
    for number, secret in enumerate([padded, padded.rstrip("=")]):
        await project.sql.execute("delete from vault.secrets")
        await project.keep_secret(secret + around)
        await project.sql.execute("insert into users values ($1)", number)
    settings = make_settings(tmp_path, secrets={"webhook_secrets": (padded.rstrip("="),)}, signatures={"verify": True})
    async with running(settings) as service:
        for request in await project.queued():
            url = f"{service.url}/api/v1/webhooks/supabase"
            assert (await service.http.post(url, data=request.body, headers=request.headers)).status == 202
    assert len(await project.queued()) == 2


async def test_a_changed_byte_is_refused(project: Project, service: Running) -> None:
    await project.install(service.url)
    await project.sql.execute("insert into users values (1, 'Ada')")
    await project.sql.execute("update net.http_request_queue set body = body || ' '::bytea")
    assert await project.run_pg_net(http=service.http) == [401]


async def test_any_text_and_any_number_arrives_as_it_is(project: Project, service: Running) -> None:
    await project.sql.execute("create table t (id bigint, n numeric, f float8, x text, j jsonb)")
    await project.install(service.url, "t")
    text = "Zoë \"Q\" '😀' \\ / \u2028\u0001\x80\t\r\n\b\f"
    await project.sql.execute("insert into t values (9223372036854775807, 12345678901234567890123.4500, 'NaN')")
    await project.sql.execute("""update t set f = '-Infinity', j = '{"é": [1.10, "😀"]}'""")
    await project.sql.execute("update t set x = $$" + text + "$$")
    assert await project.run_pg_net(http=service.http) == [202, 202, 202]
    await settled(service)
    answer = await service.get("/api/v1/records/supabase/t/9223372036854775807")
    raw = await answer.text()
    assert "12345678901234567890123.4500" in raw
    assert msgspec.json.decode(raw)["data"]["x"] == text
    assert msgspec.json.decode(raw)["data"]["f"] == "-Infinity"


async def test_a_composite_key_in_another_schema_with_names_that_need_quotes(
    project: Project, service: Running
) -> None:
    await project.sql.execute('create schema "Shop"')
    await project.sql.execute(
        'create table "Shop"."order lines" ("order" text, no int, amount int, primary key ("order", no))'
    )
    await project.install(service.url, "order lines", schema="Shop", key=("order", "no"))
    await project.sql.execute("""insert into "Shop"."order lines" values ('a,b', 1, 5)""")
    await project.sql.execute('update "Shop"."order lines" set no = 2')
    assert await project.run_pg_net(http=service.http) == [202, 202]
    assert (await settled(service))["received"] == 3
    assert await _copy(service, "Shop.order%20lines", "a%252Cb,1") is None
    assert await _copy(service, "Shop.order%20lines", "a%252Cb,2") == {"order": "a,b", "no": 2, "amount": 5}
    await project.uninstall("order lines", "Shop")


async def test_quotes_in_names_are_part_of_the_names(project: Project, service: Running) -> None:
    await project.sql.execute(f'create table {QUOTED} ("the ""id""" int, "it\'s" text)')
    await project.install(service.url + "/?it's=\\here", 'so "quoted"', key=('the "id"',))
    await project.sql.execute(f"insert into {QUOTED} values (1, 'x')")
    (request,) = await project.queued()
    assert request.url == service.url + "/api/v1/webhooks/supabase?it's=\\here"
    answer = await service.http.post(request.url, data=request.body, headers=request.headers)
    assert answer.status == 202
    assert (await answer.json())["details"]["record_id"] == "1"


async def test_a_megabyte_arrives_and_an_update_of_it_without_its_old_row(project: Project, service: Running) -> None:
    await project.install(service.url)
    await project.sql.execute("insert into users values (1, 'Ada', repeat('é', 500000))")
    await project.sql.execute("update users set note = note || '!'")
    first, second = await project.queued()
    assert len(first.body) > 1_000_000
    assert second.payload["old_record"] == {"id": 1}
    assert await project.run_pg_net(http=service.http) == [202, 202]
    await settled(service)
    assert (await _copy(service, "users", "1") or {})["note"] == "é" * 500_000 + "!"


async def test_a_row_that_is_too_large_to_send_is_read_from_its_source(project: Project, tmp_path: Path) -> None:
    await project.keep_secret(SECRET)
    note = "x" * 3_000_000
    async with PostgrestStandin() as supabase:
        supabase.create_table("users", {"id": "bigint", "name": "text", "note": "text"})
        supabase.insert("users", {"id": 1, "name": "Ada", "note": note})
        secrets = {"webhook_secrets": (SECRET,), "supabase_url": supabase.url, "supabase_key": "sb_secret_standin"}
        async with running(make_settings(tmp_path, secrets=secrets, signatures={"verify": True})) as service:
            await project.install(service.url)
            await project.sql.execute("insert into users values (1, 'Ada', $1)", note)
            (request,) = await project.queued()
            assert request.payload == {
                "type": "INSERT",
                "table": "users",
                "schema": "public",
                "record": {"id": 1},
                "old_record": None,
                "truncated": True,
            }
            assert await project.run_pg_net(http=service.http) == [202]
            await settled(service)
            assert (await _copy(service, "users", "1") or {})["note"] == note


async def test_the_deletion_of_a_row_that_is_too_large_names_it(project: Project) -> None:
    await project.sql.execute("insert into users values (1, 'Ada', repeat('x', 3000000))")
    await project.install("https://hooks.example.com")
    await project.sql.execute("delete from users")
    (request,) = await project.queued()
    assert (request.payload["record"], request.payload["old_record"]) == (None, {"id": 1})
    assert request.payload["truncated"] is True


async def test_a_request_that_is_sent_twice_is_one_event(project: Project, service: Running) -> None:
    await project.install(service.url)
    await project.sql.execute("insert into users values (1)")
    (request,) = await project.queued()
    sends = (service.http.post(request.url, data=request.body, headers=request.headers) for _ in range(6))
    assert {answer.status for answer in await asyncio.gather(*sends)} == {202}
    assert (await settled(service))["received"] == 1


async def test_a_row_that_moves_between_partitions_is_kept_whichever_of_its_messages_comes_first(
    project: Project, tmp_path: Path
) -> None:
    await project.keep_secret(SECRET)
    await project.sql.execute(
        "create table log (id int, day date) partition by range (day);"
        "create table log_25 partition of log for values from ('2025-01-01') to ('2026-01-01');"
        "create table log_26 partition of log for values from ('2026-01-01') to ('2027-01-01');"
        "insert into log values (1, '2025-05-05')"
    )
    async with PostgrestStandin() as supabase:
        supabase.create_table("log", {"id": "integer", "day": "date"})
        supabase.insert("log", {"id": 1, "day": "2026-05-05"})
        secrets = {"webhook_secrets": (SECRET,), "supabase_url": supabase.url, "supabase_key": "sb_secret_standin"}
        async with running(make_settings(tmp_path, secrets=secrets, signatures={"verify": True})) as service:
            await project.install(service.url, "log")
            await project.sql.execute("update log set day = '2026-05-05'")
            deleted, inserted = await project.take()
            assert (deleted.payload["type"], inserted.payload["type"]) == ("DELETE", "INSERT")
            for request in (inserted, deleted):
                answer = await service.http.post(request.url, data=request.body, headers=request.headers)
                assert answer.status == 202
                await settled(service)
                assert await _copy(service, "log", "1") == {"id": 1, "day": "2026-05-05"}
