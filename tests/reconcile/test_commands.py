"""`verify`, `reconcile` and `poll` as a user types them, against stand-ins with state."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scripts.programs import Program
from tests.support import commands
from tests.support.books import settled
from tests.support.data import rows
from tests.support.engines import store_environment
from tests.support.followed import KEY, TOKEN, Running, Sources, has, loaded, running, sources, user
from tests.support.running import ADMIN, make_settings
from tests.support.waiting import wait_until

SECRET = "a-secret-for-tests"
POLLER = """
[[supabase.tables]]
name = "users"
changed_at = "updated_at"
[[notion.databases]]
id = "{database}"
[reconcile]
poll_seconds = 0.1
poll_seconds_max = 0.2
sweep_seconds = 0.5
sweep_requests_per_second = 100.0
"""


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        made.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(20)])
        yield made


@pytest.fixture
async def bridge(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    still = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}
    async with running(both.settings(tmp_path, reconcile=still)) as service:
        await wait_until(lambda: loaded(service))
        yield service


def environment(both: Sources, **more: str) -> dict[str, str]:
    return {
        "SUPABASE_URL": both.supabase.url,
        "SUPABASE_KEY": KEY,
        "NOTION_TOKEN": TOKEN,
        "HOOKBRIDGE_NOTION__BASE_URL": both.notion.url,
        **more,
    }


async def command(both: Sources, folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command to its end."""
    line = [*commands.HOOKBRIDGE, *words]
    ran = await commands.ran(line, cwd=folder, env=commands.environment(environment(both, **store_environment(folder))))
    return ran.code, ran.out, ran.err


async def test_verify_exits_0_when_equal_and_1_when_not_and_heals(
    both: Sources, bridge: Running, tmp_path: Path
) -> None:
    code, out, _ = await command(both, tmp_path, "verify", "--url", bridge.url)
    assert code == 0
    assert "supabase public.users: 20 equal, 0 differing, 0 missing, 0 extra" in out
    assert "Copy and source are equal as of" in out
    both.supabase.update("users", 3, {"name": "changed"})
    both.supabase.delete("users", 4)
    code, out, _ = await command(
        both, tmp_path, "verify", "--url", bridge.url, "--source", "supabase", "--table", "users"
    )
    assert code == 1
    assert '  differing: 3 "user 3"\n  extra: 4 "user 4"\n' in out
    code, out, _ = await command(both, tmp_path, "verify", "--url", bridge.url, "--heal")
    assert (code, "2 healed" in out) == (0, True)
    code, out, _ = await command(both, tmp_path, "verify", "--url", bridge.url, "--json")
    assert code == 0
    assert msgspec.json.decode(out.splitlines()[-1])["agrees"] is True


async def test_what_differs_is_called_by_its_title_and_its_table_by_its_label(
    both: Sources, bridge: Running, tmp_path: Path
) -> None:
    page = both.notion.create_page(both.data_source, {"Name": "Buy milk"})
    reading = ("verify", "--url", bridge.url, "--source", "notion")
    code, out, _ = await command(both, tmp_path, *reading)
    counts = "0 equal, 0 differing, 1 missing, 0 extra"
    assert (code, out.splitlines()[:2]) == (
        1,
        [f'notion {both.database}: {counts} in "Tasks"', f"  missing: {page}"],
    )
    code, out, _ = await command(both, tmp_path, *reading, "--heal")
    assert (code, "1 healed" in out) == (0, True)
    both.notion.update_page(page, {"Name": "Buy bread"})
    code, out, _ = await command(both, tmp_path, *reading)
    assert (code, out.splitlines()[1]) == (1, f'  differing: {page} "Buy milk"')
    for _ in range(21):
        both.notion.create_page(both.data_source, {"Name": "more"})
    code, out, _ = await command(both, tmp_path, *reading)
    assert (code, out.count("  missing: "), "  missing: and 1 more\n" in out) == (1, 21, True)
    both.notion.faults.status(503)
    code, out, err = await command(both, tmp_path, *reading)
    assert (code, out.splitlines()[0]) == (2, f'notion {both.database}: not compared in "Tasks"')
    assert f"(notion {both.database})" in err


async def test_the_difference_of_a_record_is_shown_under_what_people_call_it(
    both: Sources, bridge: Running, tmp_path: Path
) -> None:
    page = both.notion.create_page(both.data_source, {"Name": "Buy milk"})
    compared = ("records", "diff", "notion", both.database, page, "--url", bridge.url)
    code, out, _ = await command(both, tmp_path, *compared)
    assert (code, out.splitlines()[0]) == (1, '"Buy milk" in "Tasks"')  # as its source has it, where there is no copy
    await command(both, tmp_path, "reconcile", "--source", "notion", "--table", both.database, "--url", bridge.url)
    await settled(bridge)
    both.notion.update_page(page, {"Name": "Buy bread"})
    code, out, _ = await command(both, tmp_path, *compared)
    assert (code, out.splitlines()[0]) == (1, '"Buy milk" in "Tasks"')


async def test_verify_compares_by_itself_when_no_service_runs(both: Sources, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[server]\nport = 1\n[[supabase.tables]]\nname = "users"\n')
    code, out, err = await command(both, tmp_path, "verify")
    assert (code, "missing" in out) == (1, True), err
    assert "No service is running" in err
    code, out, err = await command(both, tmp_path, "verify", "--heal")
    assert (code, "20 healed" in out) == (0, True), err
    code, out, err = await command(both, tmp_path, "verify")
    assert (code, "20 equal" in out) == (0, True), err


async def test_verify_without_a_service_changes_neither_events_nor_copies_and_calls_nobody(
    both: Sources, tmp_path: Path
) -> None:
    called = tmp_path / "called"
    (tmp_path / "config.toml").write_text('[[supabase.tables]]\nname = "users"\n[handlers]\nmodule = "mine"\n')
    (tmp_path / "mine.py").write_text(
        "from pathlib import Path\nfrom hookbridge import bridge\n"
        f'@bridge.on("supabase")\nasync def noted(change):\n    Path("{called}").touch()\n'
    )
    settings = both.settings(tmp_path, reconcile={"enabled": False})
    async with running(settings, process=False) as service:
        for id_ in (1, 2, 3):
            body = {"type": "UPDATE", "table": "users", "schema": "public", "record": {"id": id_}, "old_record": None}
            assert (await service.post("/api/v1/webhooks/supabase", body)).status == 202

    async def state() -> list[tuple[Any, ...]]:
        tables = ("events", "dirty", "copies", "counters", "met", "found")
        return [row for table in tables for row in await rows(settings, f"SELECT '{table}', * FROM {table} ORDER BY 2")]

    before = await state()
    for _ in range(2):
        code, out, err = await command(both, tmp_path, "verify", "--json")
        assert code == 1, err
        assert msgspec.json.decode(out.splitlines()[-1])["agrees"] is False
    assert await state() == before
    assert not called.exists()
    code, out, err = await command(both, tmp_path, "verify", "--heal")
    assert (code, called.exists()) == (0, True), err


async def test_verify_that_cannot_be_done_exits_2_with_a_reason(both: Sources, bridge: Running, tmp_path: Path) -> None:
    both.supabase.faults.status(503)
    words = ("verify", "--url", bridge.url, "--source", "supabase", "--table", "users")
    code, _, err = await command(both, tmp_path, *words)
    assert code == 2
    assert err.startswith("error: 1 of 1 tables could not be compared (supabase public.users): Supabase answered 503")
    code, _, err = await command(both, tmp_path, "verify", "--url", "http://127.0.0.1:1")
    assert code == 2
    assert "No hookbridge answers at http://127.0.0.1:1" in err
    assert "try: " in err
    assert "Traceback" not in err


async def test_reconcile_runs_a_pass_and_shows_the_tables(both: Sources, bridge: Running, tmp_path: Path) -> None:
    both.supabase.update("users", 3, {"name": "changed"})
    words = ("reconcile", "--url", bridge.url, "--source", "supabase", "--table", "users")
    code, out, err = await command(both, tmp_path, *words)
    assert (code, err) == (0, "")
    assert "1 differed" in out
    await wait_until(has(bridge, user(3), name="changed"))
    both.supabase.delete("users", 5)
    code, out, err = await command(both, tmp_path, *words, "--sweep", "--json")
    assert (code, msgspec.json.decode(out)) == (0, {"listed": 19, "found": 1})
    code, out, _ = await command(both, tmp_path, *words, "--since", "2000-01-01T00:00:00Z")
    assert (code, out) == (0, "19 records listed, 0 differed from their copies\n")
    code, out, _ = await command(both, tmp_path, "reconcile", "--url", bridge.url)
    assert (code, "public.users" in out, "following" in out) == (0, True, True)
    code, _, err = await command(both, tmp_path, *words, "--since", "yesterday")
    assert code == 2
    assert err.startswith("error: since: expected a time as in ISO 8601, from 2000-01-01 until now\ntry: ")
    assert err.endswith("python -m hookbridge reconcile --help\n")


async def test_that_no_table_is_followed_is_said_in_the_same_words_everywhere(both: Sources, tmp_path: Path) -> None:
    said, hint = "No table is followed", "list tables in [[supabase.tables]] or [[notion.databases]]"
    async with running(make_settings(tmp_path)) as service:
        stand, verify, poll = [
            await command(both, tmp_path, *words)
            for words in (
                ("reconcile", "--url", service.url),
                ("verify", "--url", service.url),
                ("poll", "--to", service.url, "--state", "poll.db"),
            )
        ]
    assert (stand[0], stand[2][: len(said)], hint in stand[2]) == (0, said, True)
    for code, _, err in (verify, poll):
        assert (code, err.startswith(f"error: {said}\ntry: {hint}")) == (2, True), err


def polling(both: Sources, folder: Path, url: str, **more: str) -> AbstractAsyncContextManager[Program]:
    """A poller in a process of its own."""
    (folder / "config.toml").write_text(POLLER.format(database=both.database))
    given = environment(both, WEBHOOK_SECRET=SECRET, HOOKBRIDGE_NOTION__REQUESTS_PER_SECOND="100", **more)
    return commands.lasting(folder, "poll", "--to", url, **given)


async def test_a_poller_polls_although_the_service_with_the_same_settings_shall_not(
    both: Sources, tmp_path: Path
) -> None:
    folder = tmp_path / "poller"
    folder.mkdir()
    async with (
        running(make_settings(tmp_path / "other")) as bridge,
        polling(both, folder, bridge.url, HOOKBRIDGE_RECONCILE__ENABLED="false"),
    ):
        await wait_until(has(bridge, user(7), name="user 7"))


async def test_a_poller_elsewhere_announces_with_signatures_and_goes_on_after_a_restart(
    both: Sources, tmp_path: Path
) -> None:
    page = both.notion.create_page(both.data_source, {"Name": "Fresh"})
    secrets = {"webhook_secrets": (SECRET,), "notion_webhook_secrets": ("unused",)}
    other = make_settings(tmp_path / "other", secrets=secrets, signatures={"verify": True})
    folder = tmp_path / "poller"
    folder.mkdir()
    async with running(other) as bridge:
        async with polling(both, folder, bridge.url) as process:
            await wait_until(has(bridge, user(7), name="user 7"))

            async def page_is_there() -> bool:
                hits = (await bridge.service.search.find("fresh", source="notion", table=None, limit=5)).hits
                return [hit.record.id for hit in hits] == [page]

            await wait_until(page_is_there)
            both.supabase.update("users", 7, {"name": "changed"})
            await wait_until(has(bridge, user(7), name="changed"))
            process.terminate()
            assert await process.ended() == 0
        received = (await bridge.service.store.totals()).books.received
        both.supabase.delete("users", 8)
        async with polling(both, folder, bridge.url):

            async def is_gone() -> bool:
                copy = await bridge.service.store.copy(user(8))
                return copy is not None and copy.data is None

            await wait_until(is_gone)
        books = (await bridge.service.store.totals()).books
        assert books.received == received + 1
        assert books.dead == 0


@pytest.mark.parametrize("name", ["[/nope]", "[bold]plans", "[red] \u202egnp.exe"])
async def test_what_others_called_their_tables_is_no_markup_in_ours(both: Sources, tmp_path: Path, name: str) -> None:
    both.notion.databases[both.database].title = name
    shown = name.replace("\u202e", "\N{REPLACEMENT CHARACTER}")
    async with running(both.settings(tmp_path)) as service:
        await wait_until(lambda: loaded(service))
        row = {"id": 1, "name": "Ada"}
        body = {"type": "INSERT", "schema": "public", "table": name, "record": row, "old_record": None}
        assert (await service.post("/api/v1/webhooks/supabase", body)).status == 202

        async def waits() -> bool:
            lane, *_ = (await (await service.get("/readyz", headers=ADMIN)).json())["lanes"]
            return bool(lane["waiting"])

        await wait_until(waits)
        code, out, err = await command(both, tmp_path, "reconcile", "--url", service.url)
        assert (code, err, f'"{shown}"' in out) == (0, "", True), out
        code, out, err = await command(both, tmp_path, "stats", "--url", service.url)
        assert (code, err, shown in out) == (0, "", True), out
