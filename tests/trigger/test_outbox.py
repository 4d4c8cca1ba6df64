"""The outbox: what pg_net lost, or a receiver refused, is sent again until it has arrived, and known as the same."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Literal

import asyncpg
import pytest

from tests.support.books import settled
from tests.support.postgres import until_ready
from tests.support.project import STANDARD_SECRET, Project
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

ADDRESS = "https://hooks.example.com/api/v1/webhooks/supabase"


@pytest.fixture
async def followed(project: Project) -> Project:
    """The project with the trigger and its outbox on `users`."""
    await project.install(ADDRESS, outbox=True)
    return project


async def test_a_message_goes_out_at_once_and_leaves_the_outbox_when_it_arrived(
    project: Project, tmp_path: Path
) -> None:
    await project.keep_secret(STANDARD_SECRET)
    settings = make_settings(tmp_path, secrets={"webhook_secrets": (STANDARD_SECRET,)}, signatures={"verify": True})
    async with running(settings) as service:
        await project.install(service.url, outbox=True)
        await project.sql.execute("insert into users values (1, 'Ada')")
        assert await project.run_pg_net(http=service.http) == [202]
        assert len(await project.waiting()) == 1
        assert await project.deliver() == 0
        assert await project.waiting() == []
        assert await settled(service) == {"received": 1, "applied": 1}


async def test_a_message_stands_and_falls_with_its_row(followed: Project) -> None:
    transaction = followed.sql.transaction()
    await transaction.start()
    await followed.sql.execute("insert into users values (1)")
    assert len(await followed.waiting()) == 1
    await transaction.rollback()
    assert await followed.waiting() == []


async def test_an_unchanged_row_has_no_message(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1, 'Ada')")
    await followed.sql.execute("update users set name = 'Ada'")
    assert len(await followed.waiting()) == 1


async def test_what_pg_net_lost_is_sent_again_under_its_name(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1)")
    (lost,) = await followed.take()
    assert await followed.deliver() == 0  # it may still be answered
    await followed.time_passes()
    assert await followed.deliver() == 1
    (again,) = await followed.queued()
    assert again.headers["webhook-id"] == lost.headers["webhook-id"]
    assert again.body == lost.body


async def test_a_second_delivery_of_what_arrived_unanswered_is_one_event(project: Project, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        await project.install(service.url, outbox=True)
        await project.sql.execute("insert into users values (1)")
        assert await project.run_pg_net(http=service.http) == [202]
        await project.sql.execute("truncate net._http_response")
        await project.time_passes()
        assert await project.deliver() == 1
        assert await project.run_pg_net(http=service.http) == [202]
        await project.deliver()
        assert await project.waiting() == []
        assert (await settled(service))["received"] == 1


@pytest.mark.parametrize(
    ("status", "error", "noted"), [(503, None, "HTTP 503"), (None, "Timeout was reached", "Timeout was reached")]
)
async def test_what_was_not_taken_is_sent_again_later_and_later(
    followed: Project, status: int | None, error: str | None, noted: str
) -> None:
    await followed.sql.execute("insert into users values (1)")
    gaps = []
    for attempt in range(1, 5):
        (request,) = await followed.take()
        await followed.answer(request, status=status, error=error)
        assert await followed.deliver() == 0
        (message,) = await followed.waiting()
        assert (message["attempts"], message["last_error"]) == (attempt, noted)
        now = await followed.sql.fetchval("select now()")
        gaps.append(round((message["due_at"] - now).total_seconds()))
        await followed.time_passes()
        assert await followed.deliver() == 1
    assert gaps == [5, 10, 20, 40]


async def test_the_longest_gap_is_a_quarter_of_an_hour(followed: Project) -> None:
    gap = await followed.sql.fetchval("select hookbridge_webhooks.backoff(2000000000)")
    assert gap.total_seconds() == 900


async def test_what_still_waits_in_pg_nets_queue_is_not_sent_twice(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1)")
    await followed.time_passes()
    assert await followed.deliver() == 0
    assert len(await followed.queued()) == 1


async def test_one_message_that_nobody_takes_does_not_hold_up_the_others(followed: Project) -> None:
    await followed.sql.execute("insert into users select generate_series(1, 3)")
    for request in await followed.take():
        await followed.answer(request, status=422 if request.payload["record"]["id"] == 1 else 202)
    await followed.deliver()
    assert [message["last_error"] for message in await followed.waiting()] == ["HTTP 422"]


async def test_a_failing_pg_net_fails_no_change_and_loses_none(followed: Project) -> None:
    await followed.sql.execute("alter function net.http_post rename to http_post_away")
    await followed.sql.execute("insert into users values (1, 'Ada')")
    assert await followed.sql.fetchval("select name from users") == "Ada"
    (message,) = await followed.waiting()
    assert message["last_error"].startswith("function net.http_post")

    await followed.sql.execute("alter function net.http_post_away rename to http_post")
    await followed.time_passes()
    assert await followed.deliver() == 1
    assert len(await followed.queued()) == 1


async def test_one_run_hands_over_what_pg_net_sends_in_the_ten_seconds_until_the_next(followed: Project) -> None:
    await followed.sql.execute("insert into users select generate_series(1, 2001)")
    await followed.take()
    await followed.time_passes()
    assert [await followed.deliver() for _ in range(3)] == [2000, 1, 0]


async def test_a_week_is_the_end_of_a_message(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1), (2)")
    await followed.sql.execute(
        "update hookbridge_webhooks.outbox set created_at = now() - interval '8 days' where body @> $1",
        '{"record": {"id": 1}}',
    )
    told: list[str] = []
    followed.sql.add_log_listener(lambda _, message: told.append(message.message))
    await followed.deliver()
    assert told == ["hookbridge was not told of 1 changes: their messages did not arrive within seven days"]
    assert [message["id"] for message in await followed.waiting()] == [2]


async def test_a_second_delivery_at_the_same_time_neither_waits_nor_sends(followed: Project) -> None:
    await followed.sql.execute("insert into users select generate_series(1, 20)")
    first, *_ = await followed.take()
    await followed.answer(first, status=503)
    await followed.time_passes()
    other: asyncpg.Connection = await asyncpg.connect(followed.url, server_settings={"lock_timeout": "200"})
    try:
        async with followed.sql.transaction():
            assert await followed.deliver() == 19
            assert await other.fetchval("select hookbridge_webhooks.deliver()") == 0
    finally:
        await other.close()
    assert len(await followed.queued()) == 19


async def test_a_number_that_is_left_from_before_a_restore_gives_way(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1)")
    await followed.take()
    await followed.sql.execute("update hookbridge_webhooks.requests set request_id = request_id + 1")
    await followed.sql.execute("insert into users values (2)")
    (request,) = await followed.queued()
    await followed.answer(request, status=202)
    await followed.deliver()
    assert [json.loads(message["body"])["record"]["id"] for message in await followed.waiting()] == [1]


async def test_pg_cron_delivers_every_ten_seconds_and_has_one_job(followed: Project) -> None:
    await followed.install(ADDRESS, outbox=True)
    jobs = await followed.sql.fetch("select jobname, schedule, command from cron.job")
    assert [tuple(job) for job in jobs] == [
        ("hookbridge_webhooks", "10 seconds", "select hookbridge_webhooks.deliver()")
    ]


async def test_a_pg_cron_without_seconds_delivers_every_minute(project: Project) -> None:
    await project.sql.execute("alter table cron.job add check (schedule !~ 'seconds')")
    await project.install(ADDRESS, outbox=True)
    assert await project.sql.fetchval("select schedule from cron.job") == "* * * * *"


async def test_without_pg_cron_it_is_installed_with_a_warning(project: Project) -> None:
    await project.sql.execute("drop schema cron cascade")
    told: list[str] = []
    project.sql.add_log_listener(lambda _, message: told.append(message.message))
    await project.install(ADDRESS, outbox=True)
    await project.sql.execute("insert into users values (1)")
    assert len(await project.waiting()) == 1
    assert any("call hookbridge_webhooks.deliver() every few seconds" in line for line in told)


async def test_a_table_can_change_over_and_what_waits_is_still_delivered(followed: Project) -> None:
    told: list[str] = []
    followed.sql.add_log_listener(lambda _, message: told.append(message.message))
    await followed.sql.execute("insert into users values (1)")
    await followed.take()
    await followed.install(ADDRESS)
    assert [line for line in told if "messages wait in the outbox" in line] != []
    await followed.sql.execute("insert into users values (2)")
    await followed.time_passes()
    assert await followed.deliver() == 1
    assert [request.payload["record"]["id"] for request in await followed.queued()] == [2, 1]


async def test_the_outbox_that_no_table_uses_any_more_goes_with_its_job_when_it_is_empty(project: Project) -> None:
    await project.sql.execute("create table pets (id int)")
    await project.install(ADDRESS)
    plain = await _objects(project)
    for table in ("users", "pets"):
        await project.install(ADDRESS, table, outbox=True)
    await project.install(ADDRESS)
    await project.sql.execute("insert into pets values (1)")
    assert len(await project.waiting()) == 1
    for request in await project.take():
        await project.answer(request, status=202)
    await project.deliver()
    await project.install(ADDRESS, "pets")
    assert await _objects(project) == plain
    assert await project.sql.fetch("select * from cron.job") == []
    await project.sql.execute("insert into pets values (2)")
    assert len(await project.queued()) == 1


async def _objects(project: Project) -> list[str]:
    rows = await project.sql.fetch("""
        select oid::regprocedure::text from pg_proc where pronamespace = 'hookbridge_webhooks'::regnamespace
        union all select relname from pg_class where relnamespace = 'hookbridge_webhooks'::regnamespace order by 1
    """)
    return [row[0] for row in rows]


@pytest.mark.skipif("HOOKBRIDGE_TEST_DATABASE_URL" in os.environ, reason="it kills a process of its own server")
async def test_a_crash_of_the_database_loses_no_message_and_mistakes_no_answer(
    followed: Project, tmp_path: Path
) -> None:
    await followed.sql.execute("insert into users values (1), (2)")
    os.kill(await followed.sql.fetchval("select pg_backend_pid()"), signal.SIGKILL)
    await wait_until(followed.sql.is_closed)
    await until_ready(followed.url)
    followed.sql = await asyncpg.connect(followed.url)

    # pg_net's queue is gone, and it counts from 1 again: another sender's requests get the numbers that ours had.
    assert await followed.queued() == []
    await followed.sql.execute("select net.http_post('https://elsewhere.example.com') from generate_series(1, 2)")
    for request in await followed.take():
        assert request.id in {1, 2}
        await followed.answer(request, status=200)
    await followed.deliver()
    assert len(await followed.waiting()) == 2

    async with running(make_settings(tmp_path)) as service:
        await followed.sql.execute("update hookbridge_webhooks.outbox set url = $1", _endpoint(service))
        await followed.time_passes()
        assert await followed.deliver() == 2
        assert await followed.run_pg_net(http=service.http) == [202, 202]
        assert await settled(service) == {"received": 2, "applied": 2}
    await followed.deliver()
    assert await followed.waiting() == []


def _endpoint(service: Running) -> str:
    return f"{service.url}/api/v1/webhooks/supabase"


ISOLATIONS = ("serializable", "repeatable_read", "read_committed")
WRITERS, ROUNDS = 6, 10


@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_independent_transactions_do_not_fail_because_of_the_outbox(
    followed: Project, isolation: Literal["serializable", "repeatable_read", "read_committed"]
) -> None:
    """Two at a time, each open while the other one writes and commits: what one read of the other's would end one."""
    first, second = await asyncpg.connect(followed.url), await asyncpg.connect(followed.url)
    try:
        for number in range(0, 20, 2):
            one, other = first.transaction(isolation=isolation), second.transaction(isolation=isolation)
            await one.start()
            await other.start()
            await first.execute("insert into users values ($1, 'Ada')", number)
            await second.execute("insert into users values ($1, 'Ada')", number + 1)
            await first.execute("insert into users values ($1, 'Eve')", 100 + number)
            await second.execute("insert into users values ($1, 'Eve')", 101 + number)
            await other.commit()
            await one.commit()
    finally:
        await first.close()
        await second.close()
    assert len(await followed.waiting()) == 40
    assert len(await followed.queued()) == 40


@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_many_writers_at_once_do_not_fail_because_of_the_outbox(
    followed: Project, isolation: Literal["serializable", "repeatable_read", "read_committed"]
) -> None:
    async def write(writer: int) -> None:
        connection = await asyncpg.connect(followed.url)
        try:
            for number in range(ROUNDS):
                async with connection.transaction(isolation=isolation):
                    await connection.execute("insert into users values ($1, 'Ada')", writer * ROUNDS + number)
        finally:
            await connection.close()

    await asyncio.gather(*map(write, range(WRITERS)))
    assert len(await followed.waiting()) == WRITERS * ROUNDS


async def test_what_is_given_up_leaves_nothing_behind(followed: Project) -> None:
    await followed.sql.execute("insert into users values (1), (2)")
    await followed.sql.execute(
        "update hookbridge_webhooks.outbox set created_at = created_at - interval '8 days' where id ="
        " (select min(id) from hookbridge_webhooks.outbox)"
    )
    await followed.deliver()
    assert len(await followed.waiting()) == 1
    left = await followed.sql.fetch(
        "select from hookbridge_webhooks.requests r where not exists"
        " (select from hookbridge_webhooks.outbox o where o.id = r.message)"
    )
    assert left == []


async def test_an_outbox_of_an_earlier_version_loses_its_foreign_key(followed: Project) -> None:
    await followed.sql.execute(
        "alter table hookbridge_webhooks.requests add constraint requests_message_fkey"
        " foreign key (message) references hookbridge_webhooks.outbox on delete cascade"
    )
    await followed.install(ADDRESS, outbox=True)
    kinds = await followed.sql.fetch(
        "select contype::text from pg_constraint where conrelid = 'hookbridge_webhooks.requests'::regclass"
    )
    assert "f" not in [row["contype"] for row in kinds]
