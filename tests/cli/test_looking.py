"""`events`, `records`, `stats`, `tail`, `pause` and `resume` against a running service."""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from tests.support.commands import command, lasting
from tests.support.followed import Sources, loaded, sources, user
from tests.support.followed import has as copied
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until


def guide(id_: int, **more: object) -> dict[str, object]:
    body = {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": str(id_)}
    return {**body, "data": {"id": id_, "name": f"user {id_}"}, **more}


async def settled(client: Running) -> bool:
    books = (await client.service.store.totals()).books
    return books.open == 0 and books.balanced()


@pytest.fixture
async def five(client: Running) -> Running:
    """Five events of five records, all applied."""
    for number in range(1, 6):
        assert (await client.post("/api/v1/webhooks/supabase", guide(number))).status == 202
    await wait_until(lambda: settled(client))
    return client


async def test_events_are_listed_newest_first_and_filtered(five: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "events", "list", "--url", five.url)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line.split()[2] for line in lines] == ["5", "4", "3", "2", "1"]
    assert all("applied" in line and "supabase:public.users:" in line for line in lines)
    words = ("--source", "supabase", "--table", "users", "--record", "3", "--outcome", "applied", "--json")
    ran = await command(tmp_path, "events", "list", *words, "--url", five.url)
    assert [event["id"] for event in ran.lines] == [3]
    ran = await command(tmp_path, "events", "list", "--limit", "2", "--cursor", "4", "--json", "--url", five.url)
    assert [event["id"] for event in ran.lines] == [3, 2]
    ran = await command(tmp_path, "events", "list", "--outcome", "dead", "--url", five.url)
    assert (ran.code, ran.out) == (0, "")


async def test_a_list_is_as_long_as_was_asked_for_whatever_a_page_has(client: Running, tmp_path: Path) -> None:
    for number in range(1, 520):
        assert (await client.post("/api/v1/webhooks/supabase", guide(number))).status == 202
    ran = await command(tmp_path, "events", "list", "--limit", "510", "--json", "--url", client.url)
    assert [event["id"] for event in ran.lines] == list(range(519, 9, -1))


async def test_an_event_is_shown_with_its_body_and_one_that_is_not_there_exits_1(five: Running, tmp_path: Path) -> None:
    body = b'{"event_type":"insert","source":"supabase","table_name":"t","record_id":"1","data":{"price":1.10000}}'
    assert (await five.post("/api/v1/webhooks/supabase", body)).status == 202
    ran = await command(tmp_path, "events", "show", "6", "--url", five.url)
    assert ran.code == 0
    assert "public.t" in ran.out
    assert '"price": 1.10000' in ran.out
    ran = await command(tmp_path, "events", "show", "7", "--url", five.url)
    assert (ran.code, ran.out) == (1, "There is no event 7\n")


async def test_what_a_sender_wrote_does_not_drive_the_terminal(client: Running, tmp_path: Path) -> None:
    # U+009B begins a control sequence as ESC [ does, and JSON leaves it as it is.
    body = guide(1, data={"name": "\x9b31m\x1b[31mowned"})
    assert (await client.post("/api/v1/webhooks/supabase", body)).status == 202
    await wait_until(lambda: settled(client))
    for words in (("events", "show", "1"), ("records", "show", "supabase", "users", "1")):
        ran = await command(tmp_path, *words, "--url", client.url)
        assert ran.code == 0
        assert "owned" in ran.out
        assert "\x1b" not in ran.out
        assert "\x9b" not in ran.out


async def test_events_are_replayed_by_number_and_by_filter(five: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "events", "replay", "1", "2", "--url", five.url)
    assert (ran.code, ran.out) == (0, "2 events are processed again\n")
    ran = await command(tmp_path, "events", "replay", "--source", "supabase", "--limit", "3", "--url", five.url)
    assert (ran.code, ran.out) == (0, "3 events are processed again; there may be more, 3 was the limit\n")
    ran = await command(tmp_path, "events", "replay", "--all", "--json", "--url", five.url)
    assert ran.code == 0
    assert ran.lines[0]["replayed"] > 5
    assert (await five.service.store.totals()).books.received > 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no event is named: give numbers, a filter, or --all"),
        (("1", "--all"), "numbers, filters and --all exclude each other"),
        (("99",), "There is no event 99"),
        (("--table", "a:b"), "table: expected"),
    ],
)
async def test_a_replay_of_nothing_in_particular_exits_2(
    client: Running, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ran = await command(tmp_path, "events", "replay", *words, "--url", client.url)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert said.partition(":")[0] in ran.err


async def test_a_lane_is_paused_until_it_is_resumed(client: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "pause", "supabase", "--url", client.url)
    assert (ran.code, ran.out) == (0, "supabase is paused (paused by an operator)\n")
    assert client.service.lanes["supabase"].state().state == "paused"
    ran = await command(tmp_path, "resume", "supabase", "--json", "--url", client.url)
    assert (ran.code, ran.lines[0]["state"]) == (0, "running")
    assert client.service.lanes["supabase"].state().state == "running"
    assert (await command(tmp_path, "pause", "postgres", "--url", client.url)).code == 2


async def test_statistics_are_shown_once_and_watched_until_they_are_stopped(five: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "stats", "--url", five.url)
    assert ran.code == 0
    for words in ("received", "5", "supabase", "running", "5 skipped"):
        assert words in ran.out
    ran = await command(tmp_path, "stats", "--json", "--url", five.url)
    assert ran.lines[0]["books"]["applied"] == 5
    async with lasting(tmp_path, "stats", "--watch", "--json", "--every", "0.1", "--url", five.url) as watching:
        await wait_until(lambda: watching.lines)
        assert (await five.post("/api/v1/webhooks/supabase", guide(6))).status == 202
        await wait_until(lambda: msgspec.json.decode(watching.lines[-1])["books"]["received"] == 6)
        watching.process.send_signal(signal.SIGINT)
        assert await watching.process.wait() == 130


async def test_tail_shows_an_event_when_it_comes_and_again_when_it_has_ended(five: Running, tmp_path: Path) -> None:
    async with lasting(tmp_path, "tail", "--lines", "2", "--every", "0.05", "--url", five.url) as tail:
        await wait_until(lambda: len(tail.lines) == 2)
        assert [line.split()[2] for line in tail.lines] == ["4", "5"]
        await five.service.pause("supabase")
        assert (await five.post("/api/v1/webhooks/supabase", guide(6))).status == 202
        await wait_until(lambda: len(tail.lines) == 3)
        assert tail.lines[2].split()[2:4] == ["6", "open"]
        await five.service.resume("supabase")
        await wait_until(lambda: len(tail.lines) == 4)
        assert tail.lines[3].split()[2:4] == ["6", "applied"]
        tail.process.send_signal(signal.SIGINT)
        assert await tail.process.wait() == 130
    assert tail.errors == []


async def test_tail_shows_what_ended_so_and_what_has_a_text(five: Running, tmp_path: Path) -> None:
    page = {**guide(1), "source": "notion", "table_name": "pages"}
    assert (await five.post("/api/v1/webhooks/notion", page)).status == 202
    words = ("tail", "--every", "0.05", "--json", "--url", five.url)
    async with (
        lasting(tmp_path, *words, "--outcome", "ignored") as outcome,
        lasting(tmp_path, *words, "--grep", "USERS:Seven") as text,
    ):
        await wait_until(lambda: outcome.lines)
        assert (await five.post("/api/v1/webhooks/supabase", guide(7, record_id="seven"))).status == 202
        await wait_until(lambda: text.lines)
        assert [msgspec.json.decode(line)["outcome"] for line in outcome.lines] == ["ignored"]
        assert {msgspec.json.decode(line)["record_id"] for line in text.lines} == {"seven"}


async def test_tail_waits_for_a_service_that_restarts(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path / "data")) as first:
        port = first.port
        assert (await first.post("/api/v1/webhooks/supabase", guide(1))).status == 202
        await wait_until(lambda: settled(first))
    # The same port, as a service has that is started again.
    again = make_settings(tmp_path / "data", server={"port": port})
    url = f"http://127.0.0.1:{port}"
    async with AsyncExitStack() as stack:
        async with running(again):
            tail = await stack.enter_async_context(lasting(tmp_path, "tail", "--every", "0.05", "--url", url))
            await wait_until(lambda: len(tail.lines) == 1)
        await wait_until(lambda: tail.errors)
        assert tail.errors[0].startswith(f"No hookbridge answers at {url}")
        async with running(again) as second:
            assert (await second.post("/api/v1/webhooks/supabase", guide(2))).status == 202
            await wait_until(lambda: tail.lines[-1].split()[2:4] == ["2", "applied"])
        assert len(tail.errors) <= 2


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as made:
        made.supabase.insert_many("users", [{"id": n, "name": f"user {n}"} for n in range(3)])
        yield made


@pytest.fixture
async def following(both: Sources, tmp_path: Path) -> AsyncIterator[Running]:
    """A service with both sources that finds nothing by itself after its first load."""
    still = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}
    async with running(both.settings(tmp_path / "data", reconcile=still)) as service:
        await wait_until(lambda: loaded(service))
        await wait_until(copied(service, user(1), name="user 1"))
        yield service


async def test_a_record_is_shown_as_it_is_and_compared_with_its_source(
    both: Sources, following: Running, tmp_path: Path
) -> None:
    url = ("--url", following.url)
    ran = await command(tmp_path, "records", "show", "supabase", "users", "1", *url)
    assert ran.code == 0
    assert "supabase:public.users:1, read from the source at " in ran.out
    assert '"name": "user 1"' in ran.out
    ran = await command(tmp_path, "records", "show", "supabase", "users", "77", *url)
    assert (ran.code, ran.out) == (1, "supabase has no record 77 in public.users\n")
    ran = await command(tmp_path, "records", "diff", "supabase", "users", "1", *url)
    assert (ran.code, ran.out) == (0, "supabase:public.users:1: copy and source are equal\n")
    both.supabase.update("users", 1, {"name": "changed"})
    ran = await command(tmp_path, "records", "diff", "supabase", "users", "1", *url)
    assert ran.code == 1
    assert 'name\n  - copy   "user 1"\n  + source "changed"\n' in ran.out
    # Looking changes nothing.
    assert (await command(tmp_path, "records", "diff", "supabase", "users", "1", *url)).code == 1


async def test_a_record_that_one_side_lacks_differs_as_a_whole(
    both: Sources, following: Running, tmp_path: Path
) -> None:
    url = ("--url", following.url)
    both.supabase.delete("users", 2)
    ran = await command(tmp_path, "records", "diff", "supabase", "users", "2", *url)
    assert (ran.code, ran.out.splitlines()[0]) == (
        1,
        "supabase:public.users:2: the copy has it, the source does not",
    )
    page = both.notion.create_page(both.data_source, {"Name": "A page"})
    ran = await command(tmp_path, "records", "diff", "notion", both.database, page, "--json", *url)
    assert ran.code == 1
    assert (ran.lines[0]["copy"], ran.lines[0]["agrees"]) == (None, False)
    assert ran.lines[0]["truth"]["id"] == page
    ran = await command(tmp_path, "records", "diff", "supabase", "users", "99", *url)
    assert (ran.code, ran.out) == (0, "supabase:public.users:99: copy and source have no such record\n")


async def test_a_wrong_token_or_a_stranger_on_the_port_is_two_lines(
    client: Running, both: Sources, tmp_path: Path
) -> None:
    ran = await command(tmp_path, "events", "list", "--url", client.url, HOOKBRIDGE_ADMIN_TOKEN="wrong")
    assert (ran.code, ran.err) == (
        2,
        "error: The admin token is missing or wrong\ntry: set HOOKBRIDGE_ADMIN_TOKEN\n",
    )
    ran = await command(tmp_path, "stats", HOOKBRIDGE_URL=both.notion.url)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err


async def test_the_options_before_a_command_of_a_group_count_as_those_after_it(client: Running, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"[server]\nport = {client.port}\n")
    ran = await command(tmp_path, "--config", "mine.toml", "events", "list")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("url", ["http://host:port", "http://[", "localhost:8080"])
async def test_an_address_that_is_none_is_an_error_with_a_hint(tmp_path: Path, url: str) -> None:
    ran = await command(tmp_path, "stats", "--url", url)
    assert (ran.code, ran.out) == (2, "")
    assert f"is no http or https URL: {url}" in ran.err
    assert "try: correct --url" in ran.err
