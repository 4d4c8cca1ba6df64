"""The trigger of `--pull` on a real Postgres: it keeps every change, and makes no transaction wait or fail."""

import asyncio
import os
from typing import Any, Literal

import asyncpg
import pytest

from hookbridge.sources.supabase.trigger import Pull, Trigger, install
from tests.support.project import Project

Isolation = Literal["serializable", "repeatable_read", "read_committed"]
ISOLATIONS: tuple[Isolation, ...] = ("serializable", "repeatable_read", "read_committed")
WRITERS, ROUNDS = 8, 12


@pytest.fixture
async def pulled(project: Project) -> Project:
    """The project with hookbridge taking the changes of `users`."""
    await project.pull()
    return project


async def test_each_operation_is_kept_as_a_database_webhook_says_it(pulled: Project) -> None:
    await pulled.sql.execute("insert into users values (1, 'Ada', null)")
    await pulled.sql.execute("update users set name = 'Grace'")
    await pulled.sql.execute("delete from users")
    ada, grace = ({"id": 1, "name": name, "note": None} for name in ("Ada", "Grace"))
    of_users = {"table": "users", "schema": "public"}
    assert await _messages(pulled) == [
        {"type": "INSERT", **of_users, "record": ada, "old_record": None},
        {"type": "UPDATE", **of_users, "record": grace, "old_record": ada},
        {"type": "DELETE", **of_users, "record": None, "old_record": grace},
    ]


async def test_a_changed_key_is_one_message_with_both_rows(pulled: Project) -> None:
    await pulled.sql.execute("insert into users values (1); update users set id = 2")
    message = (await _messages(pulled))[1]
    assert (message["old_record"]["id"], message["record"]["id"]) == (1, 2)


async def test_truncate_is_one_message_about_the_table(pulled: Project) -> None:
    await pulled.sql.execute("insert into users values (1), (2); truncate users")
    assert (await _messages(pulled))[2:] == [{"type": "TRUNCATE", "schema": "public", "table": "users"}]


async def test_an_update_that_changes_nothing_and_what_is_rolled_back_are_not_kept(pulled: Project) -> None:
    await pulled.sql.execute("insert into users values (1, 'Ada')")
    await pulled.sql.execute("update users set name = 'Ada'")
    transaction = pulled.sql.transaction()
    await transaction.start()
    await pulled.sql.execute("insert into users values (2)")
    await transaction.rollback()
    assert [message["type"] for message in await _messages(pulled)] == ["INSERT"]


async def test_a_row_too_large_to_send_is_kept_by_its_key(pulled: Project) -> None:
    await pulled.sql.execute("insert into users values (1, repeat('x', 1000000), repeat('y', 1000001))")
    (message,) = await _messages(pulled)
    assert (message["record"], message["truncated"]) == ({"id": 1}, True)


async def test_values_are_written_alike_whatever_the_sessions_settings_are(project: Project) -> None:
    await project.sql.execute("create table t (id int, f float8, z timestamptz, i interval)")
    await project.pull("t")
    change = "insert into t values (1, 0.1::float8 + 0.2, '2026-01-02 03:04:05+00', '1 day 2 hours')"
    await project.sql.execute(change)
    await project.sql.execute(
        "set extra_float_digits = -15; set timezone = 'America/New_York'; set intervalstyle = 'iso_8601'"
    )
    await project.sql.execute(change)
    usual, other = await _messages(project)
    assert usual == other
    assert usual["record"]["z"] == "2026-01-02T03:04:05+00:00"


async def test_a_partitions_row_is_its_tables(project: Project) -> None:
    await project.sql.execute(
        "create table log (id int, day date) partition by range (day);"
        "create table log_2026 partition of log for values from ('2026-01-01') to ('2027-01-01')"
    )
    await project.pull("log")
    await project.sql.execute("insert into log values (1, '2026-05-05'); truncate log")
    assert [(message["type"], message["table"]) for message in await _messages(project)] == [
        ("INSERT", "log"),
        ("TRUNCATE", "log"),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        "alter table hookbridge_webhooks.changes rename to elsewhere",
        "alter table hookbridge_webhooks.changes add check (message is null)",
        "alter table hookbridge_webhooks.changes rename column records to others",
        "drop sequence hookbridge_webhooks.given",
        "drop function hookbridge_webhooks.payload",
    ],
)
async def test_what_cannot_be_kept_is_a_warning_and_never_fails_the_change(pulled: Project, broken: str) -> None:
    await pulled.sql.execute(broken)
    told: list[str] = []
    pulled.sql.add_log_listener(lambda _, message: told.append(message.message))
    await pulled.sql.execute("insert into users values (1, 'Ada')")
    assert await pulled.sql.fetchval("select name from users") == "Ada"
    assert len(told) == 1
    assert told[0].startswith("hookbridge was not told of a change in public.users: ")
    # A sweep finds it.
    assert await pulled.sql.fetchval("select last_value from hookbridge_webhooks.overflowed where is_called") == 1


async def test_with_nothing_of_it_left_a_change_still_goes_through(pulled: Project) -> None:
    await pulled.sql.execute("drop sequence hookbridge_webhooks.overflowed, hookbridge_webhooks.taken")
    await pulled.sql.execute("drop table hookbridge_webhooks.changes")
    await pulled.sql.execute("insert into users values (1); truncate users")


async def test_whoever_may_write_the_table_needs_no_other_right(pulled: Project) -> None:
    role = f"writer_{os.getpid()}"
    await pulled.sql.execute(f"create role {role}")
    try:
        await pulled.sql.execute(f"grant insert on users to {role}; set role {role}; insert into users values (1)")
        for forbidden in (
            "select * from hookbridge_webhooks.changes",
            "select nextval('hookbridge_webhooks.given')",
            "select hookbridge_webhooks.take_over()",
            "select hookbridge_take(1, 60, 's')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await pulled.sql.execute(forbidden)
        await pulled.sql.execute("reset role")
        assert len(await _messages(pulled)) == 1
    finally:
        await pulled.sql.execute(f"reset role; drop owned by {role}; drop role {role}")


async def test_too_many_are_counted_and_no_longer_kept_until_some_were_taken(pulled: Project) -> None:
    await pulled.sql.execute("insert into users values (1)")
    await pulled.sql.execute("select setval('hookbridge_webhooks.given', 1000000)")
    await pulled.sql.execute("insert into users values (2), (3)")
    taken = await pulled.take_changes()
    assert [message["message"]["record"]["id"] for message in taken["messages"]] == [1]
    assert taken["overflowed"] == 2
    await pulled.done(*taken["messages"])
    await pulled.sql.execute("insert into users values (4)")
    assert [message["record"]["id"] for message in await _messages(pulled)] == [4]


async def test_numbers_that_were_rolled_back_fill_nothing_once_some_were_taken(pulled: Project) -> None:
    transaction = pulled.sql.transaction()
    await transaction.start()
    await pulled.sql.execute("insert into users select generate_series(1, 50)")
    await transaction.rollback()
    await pulled.done()
    assert await _distance(pulled) == 0
    await pulled.sql.execute("insert into users select generate_series(1, 5)")
    await pulled.done(*(await pulled.take_changes(2))["messages"])
    assert await _distance(pulled) == 3


@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_independent_transactions_do_not_fail_because_of_it(pulled: Project, isolation: Isolation) -> None:
    """Two at a time, each open while the other one writes and commits, and one takes in between."""
    first, second = await asyncpg.connect(pulled.url), await asyncpg.connect(pulled.url)
    try:
        for number in range(0, 20, 2):
            one, other = first.transaction(isolation=isolation), second.transaction(isolation=isolation)
            await one.start()
            await other.start()
            await first.execute("insert into users values ($1, 'Ada')", number)
            await second.execute("insert into users values ($1, 'Ada')", number + 1)
            taken = await pulled.take_changes()
            await first.execute("insert into users values ($1, 'Eve')", 100 + number)
            await second.execute("insert into users values ($1, 'Eve')", 101 + number)
            await pulled.done(*taken["messages"])
            await other.commit()
            await one.commit()
    finally:
        await first.close()
        await second.close()
    assert len(await _messages(pulled)) == 4  # all others were taken meanwhile


@pytest.mark.parametrize("isolation", ISOLATIONS)
async def test_many_writers_and_a_taker_at_once_fail_no_write(project: Project, isolation: Isolation) -> None:
    """Each writer has a table of its own, so that they have nothing in common but what is kept."""
    over = asyncio.Event()
    seen: dict[str, list[tuple[int, str]]] = {f"t{writer}": [] for writer in range(WRITERS)}
    for table in seen:
        await project.sql.execute(f"create table {table} (id int primary key, name text)")
        await project.pull(table)

    async def write(table: str) -> None:
        connection = await asyncpg.connect(project.url)
        try:
            for id_ in range(ROUNDS):
                async with connection.transaction(isolation=isolation):
                    await connection.execute(f"insert into {table} values ($1, 'Ada')", id_)
                    await connection.execute(f"update {table} set name = 'Eve' where id = $1", id_)
                    await connection.execute(f"delete from {table} where id = $1", id_ - 1)
        finally:
            await connection.close()

    async def take() -> None:
        while True:
            ending = over.is_set()
            taken = await project.take_changes(20)
            for message in (one["message"] for one in taken["messages"]):
                row = message["record"] or message["old_record"]
                seen[message["table"]].append((row["id"], message["type"]))
            await project.done(*taken["messages"])
            if ending and not taken["messages"]:
                return

    taker = asyncio.create_task(take())
    await asyncio.gather(*map(write, seen))
    over.set()
    await taker
    for changes in seen.values():
        for id_ in range(ROUNDS):
            types = [type_ for changed, type_ in changes if changed == id_]
            assert types == ["INSERT", "UPDATE", "DELETE"][: 2 if id_ == ROUNDS - 1 else 3]


@pytest.mark.parametrize("isolation", ["serializable", "repeatable_read"])
async def test_a_taker_that_would_end_writers_transactions_is_refused(pulled: Project, isolation: Isolation) -> None:
    for call in ("hookbridge_take(1, 60, 's')", "hookbridge_done('{}')"):
        with pytest.raises(asyncpg.RaiseError, match="in READ COMMITTED transactions, and this one is "):
            async with pulled.sql.transaction(isolation=isolation):
                await pulled.sql.execute(f"select {call}")


async def test_a_writer_waits_for_no_taker_and_no_installation(pulled: Project) -> None:
    """Each of them in a transaction that is still open, and a writer that would not wait for anybody."""
    other: asyncpg.Connection = await asyncpg.connect(pulled.url, server_settings={"lock_timeout": "100"})
    try:
        await pulled.sql.execute("create table pets (id int primary key)")
        async with pulled.sql.transaction():
            taken = await pulled.take_changes()
            await other.execute("insert into users values (1)")
            await pulled.done(*taken["messages"])
            await other.execute("update users set name = 'Ada'")
        writing = other.transaction()
        await writing.start()
        await other.execute("insert into users values (2)")
        # A second table's installation waits for no writer of the first one, either.
        await pulled.sql.execute("set lock_timeout = '100ms'")
        await pulled.pull("pets")
        await writing.commit()
    finally:
        await other.close()


async def test_nobody_writes_behind_a_taking_over_that_waits_for_a_taker(pulled: Project) -> None:
    taker, installer = await asyncpg.connect(pulled.url), await asyncpg.connect(pulled.url)
    try:
        taking = taker.transaction()
        await taking.start()
        await taker.execute("select hookbridge_take(1, 60, 's')")
        again = install(Trigger(table="users", pull=Pull(take_over=True)))
        taking_over = asyncio.create_task(installer.execute(again))
        waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while not await pulled.sql.fetchval(waits):
            assert not taking_over.done()
            await asyncio.sleep(0.01)
        await pulled.sql.execute("set lock_timeout = '100ms'; insert into users values (1)")
        await taking.commit()
        await taking_over
    finally:
        await taker.close()
        await installer.close()


async def test_an_installation_does_not_keep_writers_waiting_behind_a_long_report(pulled: Project) -> None:
    report: asyncpg.Connection = await asyncpg.connect(pulled.url)
    try:
        async with report.transaction():
            await report.execute("select * from users")
            again = install(Trigger(table="users", pull=Pull()))
            assert "lock_timeout = '10s'" in again
            with pytest.raises(asyncpg.LockNotAvailableError):
                await pulled.sql.execute(again.replace("'10s'", "'10ms'"))
        await pulled.sql.execute("rollback")
        await pulled.sql.execute("insert into users values (1)")
    finally:
        await report.close()


async def _messages(project: Project) -> list[dict[str, Any]]:
    taken = await project.take_changes(lease_seconds=0)
    assert taken["state"] == "taken"
    return [message["message"] for message in taken["messages"]]


async def _distance(project: Project) -> int:
    distance: int = await project.sql.fetchval("""
        select hookbridge_webhooks.last_of('hookbridge_webhooks.given')
             - hookbridge_webhooks.last_of('hookbridge_webhooks.taken')
    """)
    return distance
