"""A Postgres server that goes away under a running service and comes back: senders are told, nothing is restarted."""

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.support import databases
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")

PATH = "/api/v1/webhooks/supabase"
END_OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


def row(id_: int) -> object:
    return {"type": "INSERT", "table": "users", "schema": "public", "record": {"id": id_}, "old_record": None}


async def books(service: Running) -> dict[str, int]:
    answer = await service.get("/api/v1/webhooks/stats")
    found: dict[str, int] = (await answer.json())["books"]
    return found


async def test_while_the_server_is_away_senders_are_told_when_to_come_back_and_then_all_goes_on(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(settings) as service:
        assert (await service.post(PATH, row(1))).status == 202
        await wait_until(lambda: _applied(service, 1))
        with databases.away(settings.store_url):
            for _ in range(3):
                refused = await service.post(PATH, row(2))
                assert refused.status == 503
                assert int(refused.headers["Retry-After"]) > 0
                assert "test_" not in await refused.text()  # the database's name is nobody's business
            read = await service.get("/api/v1/records/supabase/users/1")
            assert (read.status, "Retry-After" in read.headers) == (503, True)
            assert (await service.get("/healthz")).status == 200
            await wait_until(lambda: _is_ready(service, 503, writable=False))

        async def is_taken() -> bool:
            return (await service.post(PATH, row(3))).status == 202

        await wait_until(is_taken)
        await wait_until(lambda: _applied(service, 2))

        await wait_until(lambda: _is_ready(service, 200, writable=True))
        found = await books(service)
        assert found["received"] == found["applied"] == 2


@pytest.mark.parametrize(
    ("fault", "mended", "said", "todo"),
    [
        (
            "alter database {name} set default_transaction_read_only = on",
            "alter database {name} reset default_transaction_read_only",
            *("read-only transaction", "default_transaction_read_only"),
        ),
        (
            "alter schema hookbridge rename to elsewhere",
            "alter schema elsewhere rename to hookbridge",
            *('schema "hookbridge" does not exist', "store-sql"),
        ),
        (
            "alter table hookbridge.nodes rename to hosts",
            "alter table hookbridge.hosts rename to nodes",
            *('relation "nodes" does not exist', "check"),
        ),
    ],
)
async def test_what_a_server_refuses_operators_read_with_what_to_do_and_strangers_do_not(
    tmp_path: Path, fault: str, mended: str, said: str, todo: str
) -> None:
    settings = make_settings(tmp_path)
    name = urlsplit(settings.store_url).path[1:]
    owner: asyncpg.Connection = await asyncpg.connect(settings.store_url)
    try:
        async with running(settings) as service:
            await owner.execute(fault.format(name=name))
            await owner.execute(END_OTHERS)
            await wait_until(lambda: _is_ready(service, 503, writable=False))
            seen = await (await service.get("/readyz")).json()
            assert said in seen["inbox_problem"]["reason"]
            assert todo in seen["inbox_problem"]["remedy"]
            (told,) = (one for one in seen["verdict"]["problems"] if one["kind"] == "inbox")
            assert said in told["todo"]
            assert todo in told["todo"]
            answers = [await service.get("/readyz", {}), await service.post(PATH, row(1), {})]
            answers.append(await service.get("/api/v1/webhooks/stats", {}))
            for answer in answers:
                text = await answer.text()
                assert not [word for word in ("transaction", "schema", "hookbridge", "nodes", name) if word in text]
            await owner.execute("set default_transaction_read_only = off")
            await owner.execute(mended.format(name=name))
            await owner.execute(END_OTHERS)
            await wait_until(lambda: _is_ready(service, 200, writable=True))
            assert (await (await service.get("/readyz")).json())["inbox_problem"] is None
    finally:
        await owner.close()


@pytest.mark.parametrize("path", [PATH, "/api/v1/events"])
async def test_a_record_whose_name_no_index_can_hold_is_refused_as_the_senders_fault(tmp_path: Path, path: str) -> None:
    hint = {
        "event_type": "insert",
        "source": "supabase",
        "table_name": "users",
        "data": {},
        "record_id": "".join(chr(0x4E00 + n) for n in range(1_500)),
        "timestamp": "2026-01-01T15:00:00Z",
    }
    async with running(make_settings(tmp_path)) as service:
        refused = await service.post(path, hint, ADMIN)
        assert refused.status == 422
        (problem,) = (await refused.json())["detail"]
        assert "too long for an index" in problem["msg"]
        assert (await service.post(path, hint | {"record_id": "1" * 8_000}, ADMIN)).status == 202, (
            "it is short, compressed"
        )
        assert (await books(service))["received"] == 1


async def _applied(service: Running, number: int) -> bool:
    answer = await service.get("/api/v1/webhooks/stats")
    return answer.status == 200 and bool((await answer.json())["books"]["applied"] == number)


async def _is_ready(service: Running, status: int, *, writable: bool) -> bool:
    answer = await service.get("/readyz")
    return (answer.status, (await answer.json())["inbox_writable"]) == (status, writable)
