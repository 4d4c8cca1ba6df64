"""`migrate`: a data file with everything that there can be in one, carried into a real Postgres."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from hookbridge import migration
from hookbridge.errors import StartupError
from hookbridge.model import Failure, Outcome, Settlement, StoredEvent
from hookbridge.pipeline.settle import settle
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.moving import ROWS_MAX
from hookbridge.store.nodes import Report
from hookbridge.store.postgres import Arrival, PostgresStore
from hookbridge.store.sqlite import SqliteStore
from hookbridge.store.values import EventFilter, RecordFilter, Rejected
from hookbridge.text import parse
from tests.service import test_destinations as sent
from tests.support import databases
from tests.support.commands import command
from tests.support.engines import at, chosen, open_lines, opened_file, opened_on
from tests.support.events import copy, document_of, effects, event, key, settlement
from tests.support.receivers import receiver
from tests.support.running import make_settings, running
from tests.support.stores import add, bury, take
from tests.support.waiting import wait_until

ODD = "a\0b"
PAGE = "0123456789abcdef0123456789abcdef0123"
FILE = "sqlite:///data/hookbridge.db"
MANY = ROWS_MAX + 100
"""More than one batch."""


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def url_of(folder: Path) -> str:
    return databases.url(folder)


async def changed(store: Store, number: int, text: str, **changes: object) -> None:
    """Bring one event in and settle it with a copy and its words."""
    await add(store, event(number, body=b"\x00\xff" + text.encode(), identity=str(number).encode()))
    for taken in await take(store):
        written = copy(taken.record, await store.ticket(), f'{{"n": "{text}"}}'.encode(), **changes)
        done = settlement(taken, Outcome.APPLIED, effects=effects(written, text), reason=text)
        await settle(store, done)


async def fill(store: SqliteStore) -> None:
    """Put into a file what there can be."""
    for number in range(12):
        await changed(store, number, f"note {number} word{number % 3}", title=f"title {number}")
    await changed(store, 12, ODD, title=ODD, content=ODD, changed_at="2026-01-01", occurred_at="2026-01-02")
    await changed(store, 3, "changed once more")
    await store.put(copy(key(13), await store.ticket(), None), None, exclusive=False)
    moved = copy(key(PAGE, table="one", source="notion"), await store.ticket(), b'{"x": 1}', fingerprint=b"")
    await store.put(moved, document_of(moved.record, "page"), exclusive=True)
    other = copy(key(PAGE, table="other", source="notion"), await store.ticket(), b'{"x": 2}')
    await store.put(other, document_of(other.record, "page moved"), exclusive=True)
    await bury(store, event("dead", identity=b"dead"), event("dead", type="delete"), event("again", identity=b"again"))
    await fail(store)
    await add(store, event("ignored", ignored="not listed"), event("i2", source="notion", ignored="no"))
    waiting = [event(f"open {number % 5}", type="insert" if number % 2 else "update") for number in range(MANY)]
    for first in range(0, MANY, 100):
        await add(store, *waiting[first : first + 100], at=2.0 + first)
    await add(store, event("again", identity=b"again"))
    await rest(store)


async def fail(store: SqliteStore) -> None:
    """Let a change fail once before it succeeds, and leave keys of the user's cache to delete."""
    await add(store, event("failing"))
    (taken,) = await take(store)
    failure = Failure(number=1, began_at=100.5, ended_at=100.75, error=f"went wrong {ODD}", traceback="line 1")
    stale = replace(effects(copy(taken.record, await store.ticket()), "failing"), stale_keys=("user:1", "user:2"))
    await settle(
        store, Settlement(claim=taken, outcome=Outcome.APPLIED, effects=stale, failures=(failure,), attempts=2)
    )


async def rest(store: SqliteStore) -> None:
    """Labels, notes, samples, and what a reconciler remembers."""
    for minute in range(MANY):
        await at(store, 60.0 * minute + 1).take_sample()
    rejected = Rejected(record=key(1), seq=3, reason="it answered 422: “no”")
    await store.reject("search", [rejected], note=("destination:search", "{}"))
    await store.put_label("supabase", "public.users", "People")
    for name in (note_names.NOTION_TOKEN, note_names.paused("notion"), note_names.poll("supabase", "public.users")):
        await store.put_note(name, f"value of {name}")
    sweep = await store.ticket()
    await store.meet(sweep, [str(number) for number in range(MANY)])
    before = await store.standings("supabase", "public.users", ["1", "2"])
    await store.note_findings([key(1), key(2)], before)
    await add(store, event(2, origin="webhook"))


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A folder with a data file, and an environment that names its database."""
    store = await opened_file(tmp_path / "data" / "hookbridge.db")
    await fill(store)
    await store.close()
    return tmp_path


async def begun(folder: Path, batches: int) -> None:
    """Carry so many batches, and be interrupted."""
    steps = migration.migrate(folder / "data" / "hookbridge.db", url_of(folder))
    for _ in range(batches):
        await anext(steps)
    await steps.aclose()


async def migrated(folder: Path) -> list[Any]:
    """Run the command, which has to end well; gives its lines."""
    ran = await command(folder, "migrate", FILE, url_of(folder), "--json")
    assert ran.code == 0, ran.err + ran.out
    return ran.lines


async def everything(store: Store) -> dict[str, Any]:
    """What a store has, by what every engine answers."""
    events: list[StoredEvent] = []
    before = None
    while True:
        page = await store.events(EventFilter(), before=before, limit=500)
        events += page.events
        if (before := page.next_cursor) is None:
            break
    records = await store.records(RecordFilter(), after=None, limit=500)
    feed = await store.feed(after=0, limit=500)
    return {
        "events": events,
        "failures": [await store.failures(one) for one in events],
        "open": await open_lines(store),
        "records": records.records,
        "feed": feed,
        "labels": await store.labels(),
        "notes": [await store.note(name) for name in (note_names.NOTION_TOKEN, note_names.paused("notion"))],
        "totals": await store.totals(),
        "samples": await store.samples(since=0.0),
        "rejected": await store.rejections("search", limit=100),
        "stale keys": (await store.stale_keys(100)).keys,
        "searches": [
            await store.candidates(parse(text), source=None, table=None)
            for text in ("note", "word1", "page", "changed once", "title", "wor", "failing -note")
        ],
    }


def without_zeros(what: object) -> object:
    """The same, as a Postgres can hold it."""
    return msgspec.json.decode(
        msgspec.json.encode(what, enc_hook=repr).replace(b"\\u0000", "\N{SYMBOL FOR NULL}".encode())
    )


async def test_everything_is_there_and_the_file_has_another_name(folder: Path) -> None:
    file = folder / "data" / "hookbridge.db"
    store = await opened_file(file)
    before = await everything(store)
    ticket = await store.ticket()
    await store.close()
    *steps, result = await migrated(folder)
    assert (result["equal"], result["differences"]) == (True, [])
    assert result["events_compared"] > MANY
    assert result["searches_compared"] > 5
    assert result["replaced"] == 4, "a reason, an error, a title and a content"
    assert {step["kind"] for step in steps} >= {"copies", "feed", "events", "open", "met", "samples"}
    assert not file.exists()
    assert Path(result["file"]) == folder / "data" / "hookbridge.db.migrated"
    carried = await opened_on("postgres", folder)
    try:
        assert without_zeros(await everything(carried)) == without_zeros(before)
        assert await carried.ticket() > ticket
        (first, *_) = await add(carried, event("new"))
        assert first > max(one.id for one in before["events"])
        announced = {(one.table, one.announced, one.missed) for one in await carried.settle_findings(0.0)}
        assert announced == {("public.users", 0, 1)}, "the other one waits for its webhook, which is open"
    finally:
        await carried.close()


@pytest.mark.parametrize("where", ["at the end", "in a snapshot"])
async def test_a_destination_goes_on_there_without_a_gap_or_a_snapshot(tmp_path: Path, where: str) -> None:
    at_end = where == "at the end"
    async with receiver() as there:
        to = there.destination(batch=1)
        with chosen("sqlite"):
            async with running(make_settings(tmp_path)) as service:
                for number in range(3):
                    await sent.changed(service, str(number), n=number)
            if not at_end:  # it has taken the first message of the snapshot, and not the next one
                there.answers = [web.Response(status=204)]
                there.otherwise = lambda: web.Response(status=503)
            async with running(sent.told(tmp_path, to)) as service:
                if at_end:
                    await wait_until(lambda: any(one["type"] == "snapshot_end" for one in there.taken))
                    there.otherwise = lambda: web.Response(status=503)
                    await sent.changed(service, "0", n="new")
                await sent.in_state(service, "down")
                await sent.said(service, "pause")
        waiting = there.ids[-1]
        taken_before, bodies_before = len(there.taken), len(there.bodies)
        await migrated(tmp_path)
        there.otherwise = lambda: web.Response(status=204)
        with chosen("postgres"):
            async with running(sent.told(tmp_path, to)) as service:
                now = await sent.in_state(service, "paused")
                assert (now["snapshot"], now["reason"]) == (not at_end, "paused by an operator")
                await sent.said(service, "resume")
                await sent.changed(service, "3", n=3)
                await wait_until(lambda: sent.taken(there, "3", 3))
                await sent.in_state(service, "running")
        assert there.ids[bodies_before] == waiting, "what is sent again has its id"
        assert len(there.bodies) > bodies_before
        kinds = [kind for kind, _, _ in sent.records(there)]
        assert (kinds.count("snapshot_begin"), kinds.count("snapshot_end")) == (1, 1)
        ids = [id_ for kind, id_, _ in sent.records(there)[taken_before:] if kind == "upsert"]
        assert ids == (["0", "3"] if at_end else ["1", "2", "3"])


@pytest.mark.parametrize("batches", [1, 3, 5, 8, 12, 13, 14, 15])
async def test_who_is_interrupted_goes_on_where_he_was(folder: Path, batches: int) -> None:
    await begun(folder, batches)
    with pytest.raises(StartupError, match="being carried"):
        await PostgresStore.open(url_of(folder))
    *steps, result = await migrated(folder)
    assert result["equal"] is True
    whole = [
        "copies",
        "feed",
        "labels",
        "events",
        "events",
        "open",
        "open",
        "failures",
        "stale_keys",
        "found",
        "met",
        "met",
        "samples",
        "samples",
        "rejected",
    ]
    assert [step["kind"] for step in steps] == whole[batches:]
    store = await PostgresStore.open(url_of(folder))
    await store.close()


async def test_what_is_other_there_is_told_and_no_node_starts_on_it(folder: Path) -> None:
    await begun(folder, 5)
    sql: asyncpg.Connection = await asyncpg.connect(url_of(folder))
    await sql.execute("delete from hookbridge.events where id = 3; update hookbridge.copies set ticket = 1")
    await sql.close()
    ran = await command(folder, "migrate", FILE, url_of(folder))
    assert ran.code == 1
    for told in ("events: 620 in the file, 619 in Postgres", "hash of all copies", "event 3 is another one"):
        assert told in ran.out
    assert (folder / "data" / "hookbridge.db").exists()
    with pytest.raises(StartupError, match="being carried"):
        await PostgresStore.open(url_of(folder))


async def test_where_only_the_name_was_left_to_change_the_same_command_changes_it(folder: Path) -> None:
    await migrated(folder)
    file = folder / "data" / "hookbridge.db"
    file.with_name("hookbridge.db.migrated").rename(file)
    store = await PostgresStore.open(url_of(folder))
    await store.put_label("supabase", "public.users", "Other people")
    await store.close()
    (result,) = await migrated(folder)
    assert result["equal"] is True
    assert not file.exists()
    ran = await command(folder, "migrate", FILE, url_of(folder))
    assert (ran.code, "it was carried over, and is" in ran.err) == (2, True)


async def test_a_file_that_a_service_has_is_left_alone(folder: Path) -> None:
    store = await opened_file(folder / "data" / "hookbridge.db")
    ran = await command(folder, "migrate", FILE, url_of(folder))
    await store.close()
    assert (ran.code, "Another hookbridge uses" in ran.err) == (2, True)


async def test_a_file_that_has_changed_since_is_no_longer_what_was_begun(folder: Path) -> None:
    await begun(folder, 1)
    store = await opened_file(folder / "data" / "hookbridge.db")
    await add(store, event("later"))
    await store.close()
    ran = await command(folder, "migrate", FILE, url_of(folder))
    assert (ran.code, "has changed since it was begun" in ran.err) == (2, True)


async def test_a_database_that_has_something_else_is_refused(folder: Path) -> None:
    store = await opened_on("postgres", folder)
    await add(store, event())
    await store.close()
    ran = await command(folder, "migrate", FILE, url_of(folder))
    assert (ran.code, "has a store with something in it already" in ran.err) == (2, True)
    again = await PostgresStore.open(url_of(folder))
    await again.put(copy(key(2), await again.ticket(), b"{}"), None, exclusive=False)
    entries = (await again.feed(after=0, limit=10)).entries
    await again.close()
    assert [one.seq for one in entries] == [1], "and it goes on as before, its feed too"


async def test_what_a_node_without_work_has_sampled_there_is_in_nobodys_way(folder: Path) -> None:
    store = await opened_on("postgres", folder)
    await at(store, 1.0).take_sample()
    await at(store, 1e9).take_sample()
    await store.close()
    assert (await migrated(folder))[-1]["equal"] is True


async def test_while_a_node_runs_nothing_is_carried(folder: Path) -> None:
    sql: asyncpg.Connection = await asyncpg.connect(url_of(folder))
    await sql.execute(
        "insert into hookbridge.nodes (name, life, version, roles, figures, seen_at)"
        " values ('node-1', 1, '', '{}', '{}', hookbridge.now_1(null))"
    )
    ran = await command(folder, "migrate", FILE, url_of(folder))
    assert (ran.code, "Nodes run on this database: node-1" in ran.err) == (2, True)
    other = await PostgresStore.open(url_of(folder), node="node-2")
    assert len((await other.beat(Report())).nodes) == 2, "what was refused keeps no node from starting"
    await other.leave()
    await other.close()
    await sql.execute("delete from hookbridge.nodes")
    await sql.close()
    assert (await migrated(folder))[-1]["equal"] is True


async def test_a_node_that_was_starting_meanwhile_does_not_begin(folder: Path) -> None:
    node = await PostgresStore.open(url_of(folder), node="node-1")
    await begun(folder, 1)
    with pytest.raises(StartupError, match="being carried"):
        await node.beat(Report())
    await node.close()
    assert (await migrated(folder))[-1]["equal"] is True, "nor does it keep anything from being carried"


async def test_what_is_there_is_counted_however_long_a_call_may_take(folder: Path) -> None:
    sql: asyncpg.Connection = await asyncpg.connect(url_of(folder))
    name = await sql.fetchval("select current_database()")
    await sql.execute(f"alter database {name} set statement_timeout = '300ms'")
    target = await Arrival.open(url_of(folder))
    try:
        async with sql.transaction():
            await sql.execute("lock table hookbridge.met")
            counting = asyncio.create_task(target.tally())
            await wait_until(lambda: waits(sql))
            other = await asyncpg.connect(url_of(folder))
            with pytest.raises(asyncpg.QueryCanceledError):  # one that began later
                await other.execute("select pg_sleep(60)")
            await other.close()
        assert (await counting).rows["met"] == 0
    finally:
        await target.close()
        await sql.close()


async def waits(sql: asyncpg.Connection) -> bool:
    return bool(await sql.fetchval("select count(*) from pg_locks where not granted"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sqlite:///nowhere.db", "postgresql://x@db/x"), "There is no data file at"),
        (("data/hookbridge.db", "postgresql://x@db/x"), "expected sqlite:///PATH"),
        ((FILE, "mysql://x@db/x"), "expected postgresql://"),
        ((FILE,), "no database is named"),
        (("postgresql://x:planted@db/x", FILE), "expected sqlite:///PATH"),
        ((FILE, "postgresql://x:plan@ted@db/x"), "expected postgresql://USER:PASSWORD@HOST"),
        ((FILE, "postgresql://x:12/planted@db/x"), "with %40 for an @"),
    ],
)
async def test_what_cannot_be_is_said_with_a_hint(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ran = await command(tmp_path, "migrate", *words)
    assert (ran.code, said in ran.err, "try: " in ran.err) == (2, True, True)
    assert "ted" not in ran.err.replace("expected", ""), "a password is not shown"
    assert not names_in(tmp_path), "nothing was made"
