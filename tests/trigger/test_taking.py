"""`hookbridge_take` and `hookbridge_done`: in order per record whatever commits first, leased once, to one store."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.support.project import Project


@pytest.fixture
async def pulled(project: Project) -> Project:
    """The project with hookbridge taking the changes of `users`."""
    await project.pull()
    return project


def names(taken: dict[str, Any]) -> list[tuple[int, str | None]]:
    """Which rows the messages are about, and what they were called then."""
    rows = [message["message"]["record"] or message["message"]["old_record"] for message in taken["messages"]]
    return [(row["id"], row["name"]) for row in rows]


async def write(project: Project, *rows: tuple[int, str]) -> None:
    for row in rows:
        await project.sql.execute(
            "insert into users values ($1, $2) on conflict (id) do update set name = excluded.name", *row
        )


async def test_messages_come_in_order_and_stay_until_they_are_done(pulled: Project) -> None:
    await write(pulled, (1, "a"), (2, "b"), (1, "c"))
    first = await pulled.take_changes(2)
    assert names(first) == [(1, "a"), (2, "b")]
    assert (first["version"], first["state"], first["more"], first["waiting"]) == (1, "taken", True, 3)
    assert await pulled.done(*first["messages"]) == 2
    assert await pulled.done(*first["messages"]) == 0
    last = await pulled.take_changes(2)
    assert (names(last), last["more"], last["waiting"]) == ([(1, "c")], False, 1)
    await pulled.done(*last["messages"])
    empty = await pulled.take_changes()
    assert (empty["messages"], empty["more"], empty["waiting"], empty["oldest_seconds"]) == ([], False, 0, None)


async def test_what_is_leased_is_given_again_when_the_lease_is_over(pulled: Project) -> None:
    await write(pulled, (1, "a"))
    first = await pulled.take_changes(lease_seconds=3600)
    assert (await pulled.take_changes())["messages"] == []
    await pulled.sql.execute("update hookbridge_webhooks.leases set until = now() - interval '1 second'")
    assert (await pulled.take_changes())["messages"] == first["messages"]


async def test_of_two_takers_each_has_other_messages_and_no_record_is_with_both(pulled: Project) -> None:
    await write(pulled, (1, "a"), (2, "b"), (1, "c"), (3, "d"), (2, "e"))
    one = await pulled.take_changes(2)
    assert names(one) == [(1, "a"), (2, "b")]
    # c and e wait for a and b, although they are free.
    other = await pulled.take_changes(2)
    assert (names(other), other["more"]) == ([(3, "d")], False)
    await pulled.done(one["messages"][1])
    assert names(await pulled.take_changes(2)) == [(2, "e")]
    await pulled.done(one["messages"][0])
    assert names(await pulled.take_changes(2)) == [(1, "c")]


async def test_a_changed_key_holds_what_is_behind_it_under_either_name(pulled: Project) -> None:
    await write(pulled, (1, "a"))
    (first,) = (await pulled.take_changes())["messages"]
    await pulled.sql.execute("update users set id = 2, name = 'moved'")
    await write(pulled, (2, "b"), (3, "c"), (1, "d"))
    other = await pulled.take_changes()
    assert names(other) == [(3, "c")]
    await pulled.done(first)
    assert names(await pulled.take_changes()) == [(2, "moved"), (2, "b"), (1, "d")]


async def test_records_of_two_tables_with_one_key_do_not_wait_for_each_other(pulled: Project) -> None:
    await pulled.sql.execute("create table pets (id bigint, name text)")
    await pulled.pull("pets")
    await write(pulled, (1, "a"))
    await pulled.take_changes()
    await pulled.sql.execute("insert into pets values (1, 'Rex')")
    assert names(await pulled.take_changes()) == [(1, "Rex")]


async def test_keys_of_several_columns_are_told_apart(project: Project) -> None:
    await project.sql.execute("create table lines (id text, name text, primary key (id, name))")
    await project.pull("lines", key=("id", "name"))
    await project.sql.execute("insert into lines values ('1', '2')")
    await project.take_changes()
    await project.sql.execute("insert into lines values ('12', ''), ('1', '22')")
    assert len((await project.take_changes())["messages"]) == 2
    await project.sql.execute("update lines set name = '3' where name = '2'")
    assert (await project.take_changes())["messages"] == []


async def test_a_commit_that_comes_late_is_taken_when_it_is_seen_and_behind_nothing_of_its_record(
    pulled: Project,
) -> None:
    late: asyncpg.Connection = await asyncpg.connect(pulled.url)
    try:
        open_ = late.transaction()
        await open_.start()
        await late.execute("insert into users values (1, 'late'); update users set name = 'later'")
        await write(pulled, (2, "b"), (3, "c"))
        taken = await pulled.take_changes()
        assert names(taken) == [(2, "b"), (3, "c")]
        await pulled.done(*taken["messages"])
        await write(pulled, (2, "d"))

        async def behind() -> None:
            connection: asyncpg.Connection = await asyncpg.connect(pulled.url)
            await connection.execute(
                "insert into users values (1, 'behind') on conflict (id) do update set name = excluded.name"
            )
            await connection.close()

        waiting = asyncio.create_task(behind())
        await open_.commit()
        await waiting
        assert names(await pulled.take_changes()) == [(1, "late"), (1, "later"), (2, "d"), (1, "behind")]
    finally:
        await late.close()


async def test_an_answer_is_bounded_and_has_one_message_at_least(pulled: Project) -> None:
    await pulled.sql.execute("insert into users select n, repeat('x', 1000000) from generate_series(1, 6) n")
    counts = []
    while (taken := await pulled.take_changes())["messages"]:
        counts.append((len(taken["messages"]), taken["more"]))
        await pulled.done(*taken["messages"])
    assert counts == [(4, True), (2, False)]


async def test_looking_takes_nothing_and_claims_nothing(pulled: Project) -> None:
    await write(pulled, (1, "a"))
    looked = await pulled.take_changes(0, store="somebody")
    assert (looked["state"], looked["messages"], looked["waiting"]) == ("taken", [], 1)
    assert names(await pulled.take_changes(store="another")) == [(1, "a")]
    assert (await pulled.take_changes(0, store="somebody"))["state"] == "other_store"


async def test_another_store_is_refused_until_it_takes_over_and_then_has_everything(pulled: Project) -> None:
    await write(pulled, (1, "a"), (2, "b"))
    given = await pulled.take_changes(1)
    refused = await pulled.take_changes(store="another")
    assert (refused["state"], refused["messages"], refused["waiting"]) == ("other_store", [], 2)
    await pulled.pull()  # the same SQL again is no taking over
    assert (await pulled.take_changes(store="another"))["state"] == "other_store"
    await pulled.pull(take_over=True)
    # What the former one says of what it was given counts no more.
    assert await pulled.done(*given["messages"]) == 0
    assert names(await pulled.take_changes(store="another")) == [(1, "a"), (2, "b")]
    assert (await pulled.take_changes())["state"] == "other_store"


async def test_messages_of_a_dropped_table_are_still_taken(pulled: Project) -> None:
    await write(pulled, (1, "a"))
    await pulled.sql.execute("drop table users")
    taken = await pulled.take_changes()
    assert names(taken) == [(1, "a")]
    assert await pulled.done(*taken["messages"]) == 1


@pytest.mark.parametrize(
    "arguments", ["null, 60, 's'", "-1, 60, 's'", "1, null, 's'", "1, -1, 's'", "1, 1, null", "1, 1, ''"]
)
async def test_wrong_arguments_are_refused(pulled: Project, arguments: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="hookbridge_take needs"):
        await pulled.sql.execute(f"select hookbridge_take({arguments})")


async def test_waiting_and_the_oldest_are_told_with_leased_ones(pulled: Project) -> None:
    await write(pulled, (1, "a"), (2, "b"))
    await pulled.sql.execute(
        "update hookbridge_webhooks.changes set created_at = created_at - interval '1 hour' where number = 1"
    )
    await pulled.take_changes()
    looked = await pulled.take_changes()
    assert (looked["waiting"], 3600 <= looked["oldest_seconds"] < 3700) == (2, True)


async def test_more_than_can_be_counted_are_estimated(pulled: Project) -> None:
    await pulled.sql.execute("insert into users select generate_series(1, 10500)")
    taken = await pulled.take_changes(100)
    assert taken["waiting"] == 10500
    await pulled.done(*taken["messages"])
    assert (await pulled.take_changes(100))["waiting"] == 10400


async def test_two_takers_at_once_take_each_message_once(pulled: Project) -> None:
    await pulled.sql.execute("insert into users select n, 'x' from generate_series(1, 200) n")
    await pulled.sql.execute("update users set name = 'y'")
    seen: list[tuple[int, str | None]] = []

    async def take() -> None:
        connection: asyncpg.Connection = await asyncpg.connect(pulled.url)
        one = Project(connection, pulled.url)
        try:
            while (taken := await one.take_changes(7))["waiting"]:
                seen.extend(names(taken))
                assert await one.done(*taken["messages"]) == len(taken["messages"])
        finally:
            await connection.close()

    await asyncio.gather(take(), take(), take())
    assert sorted(seen) == sorted((n, name) for n in range(1, 201) for name in "xy")
    for number in range(1, 201):
        assert [name for id_, name in seen if id_ == number] == ["x", "y"]


async def test_what_was_not_kept_may_show_later_as_long_as_its_transaction_is_open(pulled: Project) -> None:
    open_: asyncpg.Connection = await asyncpg.connect(pulled.url)
    late: asyncpg.Connection = await asyncpg.connect(pulled.url)
    try:
        await pulled.sql.execute("select setval('hookbridge_webhooks.given', 1000000)")
        losing = open_.transaction()
        await losing.start()
        await open_.execute("insert into users values (1)")
        for _ in range(2):
            assert _lost(await pulled.take_changes()) == (1, True)
        # Whoever begins to write later has nothing to do with it.
        writing = late.transaction()
        await writing.start()
        await late.execute("create table later ()")
        await losing.commit()
        for _ in range(2):
            assert _lost(await pulled.take_changes()) == (1, False)
        await writing.commit()
        await pulled.sql.execute("insert into users values (2)")
        assert _lost(await pulled.take_changes()) == (2, False)
    finally:
        await open_.close()
        await late.close()


async def test_a_taker_that_has_a_transaction_already_does_not_say_that_all_is_committed(pulled: Project) -> None:
    await pulled.sql.execute("select setval('hookbridge_webhooks.given', 1000000)")
    async with pulled.sql.transaction():
        await pulled.sql.execute("insert into users values (1)")
        assert _lost(await pulled.take_changes()) == (1, True)
    assert _lost(await pulled.take_changes()) == (1, False)


async def test_what_a_dump_says_of_another_servers_transactions_is_not_waited_for(pulled: Project) -> None:
    await pulled.sql.execute(
        "select setval('hookbridge_webhooks.lost_xid', 1::bigint << 40),"
        " setval('hookbridge_webhooks.lost_seen', 3), setval('hookbridge_webhooks.overflowed', 3)"
    )
    assert _lost(await pulled.take_changes()) == (3, False)


def _lost(taken: dict[str, Any]) -> tuple[int, bool]:
    return taken["overflowed"], taken["overflowing"]


async def test_a_taker_that_stands_still_holds_up_the_others_for_seconds_only(pulled: Project) -> None:
    """Who is cut off between its question and its commit: the server would wait for it for hours."""
    shown = "show idle_in_transaction_session_timeout"
    before = await pulled.sql.fetchval(shown)
    for call in ("hookbridge_take(1, 60, 's')", "hookbridge_done('{}')"):
        async with pulled.sql.transaction():
            await pulled.sql.execute(f"select {call}")
            assert await pulled.sql.fetchval(shown) == "15s"
        assert await pulled.sql.fetchval(shown) == before


@pytest.mark.parametrize("analysed", [True, False])
async def test_what_is_asked_of_a_long_queue_is_answered_from_an_index(pulled: Project, analysed: bool) -> None:  # noqa: FBT001
    """Whatever the statistics and the plans of a connection say: they are made while the queue is empty."""
    if analysed:
        await pulled.sql.execute("analyze hookbridge_webhooks.changes")
    for _ in range(10):
        await pulled.done(*(await pulled.take_changes(10))["messages"])
    await pulled.sql.execute("insert into users select n from generate_series(1, 20000) n")
    scans = "select seq_scan from pg_stat_xact_user_tables where relname = 'changes'"
    async with pulled.sql.transaction():
        before = await pulled.sql.fetchval(scans)  # those of the pasting may be among them
        taken = await pulled.take_changes(10)
        await pulled.done(*taken["messages"])
        assert await pulled.sql.fetchval(scans) == before


async def test_what_a_long_report_keeps_in_the_table_is_passed_over(pulled: Project) -> None:
    report: asyncpg.Connection = await asyncpg.connect(pulled.url)
    try:
        reading = report.transaction(isolation="repeatable_read")
        await reading.start()
        await report.execute("select * from users")
        for _ in range(3):
            await pulled.sql.execute("insert into users select n from generate_series(1, 100) n; delete from users")
            await pulled.done(*(await pulled.take_changes())["messages"])
        # What the first of these two marks, the second passes over.
        await pulled.take_changes()
        await pulled.take_changes()
        assert await pulled.sql.fetchval("select last_value from hookbridge_webhooks.gone") == 600
        await write(pulled, (1, "a"))
        read = "select pg_stat_get_xact_tuples_returned('hookbridge_webhooks.changes_pkey'::regclass)"
        async with pulled.sql.transaction():
            before = await pulled.sql.fetchval(read)
            taken = await pulled.take_changes()
            await pulled.done(*taken["messages"])
            assert await pulled.sql.fetchval(read) - before < 20
        assert names(taken) == [(1, "a")]
    finally:
        await report.close()


async def test_nothing_is_passed_over_while_somebody_who_has_a_number_has_not_committed(pulled: Project) -> None:
    late: asyncpg.Connection = await asyncpg.connect(pulled.url)
    try:
        open_ = late.transaction()
        await open_.start()
        await late.execute("insert into users values (1, 'late')")
        for number in range(2, 6):
            await write(pulled, (number, "b"))
            await pulled.done(*(await pulled.take_changes())["messages"])
        await open_.commit()
        taken = await pulled.take_changes()
        assert names(taken) == [(1, "late")]
        await pulled.take_changes(lease_seconds=0)
        assert names(await pulled.take_changes()) == []
        assert (await pulled.take_changes())["waiting"] == 1
    finally:
        await late.close()


async def test_a_removal_that_is_rolled_back_is_taken_again(pulled: Project) -> None:
    await write(pulled, (1, "a"))
    taken = await pulled.take_changes(lease_seconds=0)
    removing = pulled.sql.transaction()
    await removing.start()
    await pulled.done(*taken["messages"])
    await removing.rollback()
    for _ in range(3):
        assert names(await pulled.take_changes(lease_seconds=0)) == [(1, "a")]


async def test_rows_that_a_dump_has_behind_its_sequences_are_found_a_minute_later(pulled: Project) -> None:
    await write(pulled, (1, "a"))
    await pulled.sql.execute(
        "select setval('hookbridge_webhooks.gone', 100), setval('hookbridge_webhooks.given', 100),"
        " setval('hookbridge_webhooks.marked', 100),"
        " setval('hookbridge_webhooks.looked_at', extract(epoch from now())::bigint)"
    )
    assert names(await pulled.take_changes()) == []
    await pulled.sql.execute("select setval('hookbridge_webhooks.looked_at', extract(epoch from now())::bigint - 61)")
    assert names(await pulled.take_changes()) == [(1, "a")]


@pytest.mark.parametrize("elsewhere", ["marked_xid", "marked"])
async def test_rows_of_a_dump_are_found_where_transactions_have_lower_numbers(pulled: Project, elsewhere: str) -> None:
    await write(pulled, (1, "a"))
    await pulled.sql.execute(
        "select setval('hookbridge_webhooks.gone', 100), setval('hookbridge_webhooks.given', 100),"
        f" setval('hookbridge_webhooks.marked', 100), setval('hookbridge_webhooks.{elsewhere}', 1::bigint << 40),"
        " setval('hookbridge_webhooks.looked_at', extract(epoch from now())::bigint)"
    )
    await write(pulled, (2, "b"))
    taken = await pulled.take_changes()
    assert names(taken) == [(1, "a"), (2, "b")]
    await pulled.done(*taken["messages"])
    for _ in range(3):
        assert (await pulled.take_changes())["waiting"] == 0
    gone, given = await pulled.sql.fetchrow(
        "select hookbridge_webhooks.last_of('hookbridge_webhooks.gone'),"
        " hookbridge_webhooks.last_of('hookbridge_webhooks.given')"
    )
    assert given - gone <= 1
