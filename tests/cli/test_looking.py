"""`events`, `records`, `stats`, `tail`, `pause` and `resume` against a running service."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from hookbridge.api.events import EventDetail
from hookbridge.cli import replaying
from hookbridge.cli.api import Api
from hookbridge.cli.event_line import lines_of
from hookbridge.cli.tail import Follower, Wanted
from hookbridge.model import Outcome
from hookbridge.web.routes import ROUTES
from hookbridge.web.schemas import Schemas
from tests.support.changing import put
from tests.support.commands import command, environment, lasting
from tests.support.followed import Sources, loaded, sources, user
from tests.support.followed import has as copied
from tests.support.running import ADMIN_TOKEN, Running, make_settings, running
from tests.support.strangers import proxy
from tests.support.waiting import wait_until


def guide(id_: int, **more: object) -> dict[str, object]:
    body = {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": str(id_)}
    return {**body, "data": {"id": id_, "name": f"user {id_}"}, **more}


async def settled(client: Running) -> bool:
    books = (await client.service.store.totals()).books
    return books.open == 0 and books.balanced()


ODD = "a\x9b31m\x7f\x85b"
"""What a terminal takes for a command, and JSON does not escape."""


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
    assert (ran.code, ran.out, ran.err) == (0, "", "No event matches\n")


async def test_a_list_is_as_long_as_was_asked_for_whatever_a_page_has(client: Running, tmp_path: Path) -> None:
    for number in range(1, 520):
        assert (await client.post("/api/v1/webhooks/supabase", guide(number))).status == 202
    ran = await command(tmp_path, "events", "list", "--limit", "510", "--json", "--url", client.url)
    assert [event["id"] for event in ran.lines] == list(range(519, 9, -1))


@pytest.mark.parametrize(
    "words", [("events", "list"), ("events", "list", "--json"), ("records", "show", "supabase", "users", ODD, "--json")]
)
async def test_no_word_of_a_sender_drives_a_terminal(tmp_path: Path, client: Running, words: tuple[str, ...]) -> None:
    body = guide(1, record_id=ODD, data={"id": ODD})
    assert (await client.post("/api/v1/webhooks/supabase", body)).status == 202
    await wait_until(lambda: settled(client))
    ran = await command(tmp_path, *words, "--url", client.url)
    assert ran.code == 0, ran.err
    assert all(line.isprintable() for line in ran.out.split("\n"))


async def test_an_event_is_shown_with_its_body_and_one_that_is_not_there_exits_1(five: Running, tmp_path: Path) -> None:
    body = b'{"event_type":"insert","source":"supabase","table_name":"t","record_id":"1","data":{"price":1.10000}}'
    assert (await five.post("/api/v1/webhooks/supabase", body)).status == 202
    ran = await command(tmp_path, "events", "show", "6", "--url", five.url)
    assert ran.code == 0
    assert "public.t" in ran.out
    assert '"price": 1.10000' in ran.out
    ran = await command(tmp_path, "events", "show", "7", "--url", five.url)
    assert (ran.code, ran.out) == (1, "There is no event 7\n")
    ran = await command(tmp_path, "events", "show", "7", "--json", "--url", five.url)
    assert (ran.code, ran.lines) == (1, [{"error": "not_found", "message": "There is no event 7"}])


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
    await wait_until(lambda: settled(five))
    ran = await command(tmp_path, "events", "replay", "--source", "supabase", "--limit", "3", "--url", five.url)
    more = "there may be more, 3 was the limit: the rest with --cursor 5"
    assert (ran.code, ran.out) == (0, f"3 events are processed again; {more}\n")
    ran = await command(tmp_path, "events", "replay", "--all", "--json", "--url", five.url)
    assert ran.code == 0
    assert ran.lines[0]["replayed"] > 5
    assert (await five.service.store.totals()).books.received > 10


async def test_a_replay_without_a_limit_reaches_all_and_none_of_its_own(
    client: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 8):
        assert (await client.post("/api/v1/webhooks/supabase", guide(number))).status == 202
    await wait_until(lambda: settled(client))
    monkeypatch.setattr(replaying, "PAGE", 2)
    api = Api(client.url, ADMIN_TOKEN)
    try:
        which = {"source": "supabase"}
        await asyncio.to_thread(replaying.matching, api, which, None, None, replaying.REPLAY, as_json=True)
    finally:
        api.close()
    assert (await client.service.store.totals()).books.received == 14


async def test_a_replay_goes_on_where_its_limit_ended_it(five: Running, tmp_path: Path) -> None:
    words = ("events", "replay", "--origin", "webhook", "--json", "--url", five.url)
    first = await command(tmp_path, *words, "--limit", "2")
    assert first.lines == [{"replayed": 2, "limit_reached": True, "next_cursor": 4}]
    rest = await command(tmp_path, *words, "--cursor", "4")
    assert rest.lines == [{"replayed": 3, "limit_reached": False, "next_cursor": None}]


async def test_a_number_that_is_no_events_does_not_hide_what_was_done(five: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "events", "replay", "999", "1", "--url", five.url)
    assert (ran.code, ran.out) == (1, "1 event is processed again\nThere is no event 999\n")
    ran = await command(tmp_path, "events", "replay", "999", "--json", "--url", five.url)
    assert (ran.code, ran.lines[0]["missing"], ran.lines[0]["replayed"]) == (1, [999], 0)


async def test_an_open_event_is_left_alone_and_named(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path / "data"), process=False) as service:
        assert (await service.post("/api/v1/webhooks/supabase", guide(1))).status == 202
        ran = await command(tmp_path, "events", "replay", "1", "--url", service.url)
        assert ran.code == 0
        assert ran.out == "0 events are processed again\nEvent 1 is left alone: it is still open, or was ignored\n"


async def test_that_nothing_was_found_is_said_beside_the_output(client: Running, tmp_path: Path) -> None:
    for words, said in (
        (("events", "list"), "There is no event yet"),
        (("events", "list", "--text", "lovelace"), "No event matches"),
        (("events", "rejected"), "No webhook was refused since the service began"),
        (("events", "rejected", "--reason", "nope"), "No refused webhook matches since the service began"),
    ):
        ran = await command(tmp_path, *words, "--url", client.url)
        assert (ran.code, ran.out, ran.err) == (0, "", said + "\n")


async def test_the_way_of_an_event_is_shown_in_lines(client: Running, tmp_path: Path) -> None:
    assert (await client.post("/api/v1/webhooks/supabase", guide(1))).status == 202
    await wait_until(lambda: settled(client))
    ran = await command(tmp_path, "events", "show", "1", "--url", client.url)
    assert "header  content-type: application/json\n" in ran.out.lower()
    assert "failures" not in ran.out
    event = msgspec.json.decode(msgspec.json.encode(Schemas(ROUTES).example(EventDetail)), type=EventDetail)
    assert any(line.strip().startswith("attempt 1  failed at ") for line in lines_of(event))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no event is named: give numbers, a filter, or --all"),
        (("1", "--all"), "numbers, filters and --all exclude each other"),
        (("--table", "a:b"), "table: expected"),
        (("1", "--limit", "3"), "--limit: only with filters or --all"),
        (("--all", "--dry-run", "--cursor", "3"), "--cursor: a dry run counts"),
    ],
)
async def test_a_replay_of_nothing_in_particular_exits_2(
    client: Running, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    ran = await command(tmp_path, "events", "replay", *words, "--url", client.url)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert said.partition(":")[0] in ran.err
    assert ran.err.splitlines()[-1].startswith("try: ")


async def test_a_lane_is_paused_until_it_is_resumed(client: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "pause", "supabase", "--url", client.url)
    assert (ran.code, ran.out) == (0, "supabase is paused (paused by an operator)\n")
    assert client.service.lanes["supabase"].state().state == "paused"
    ran = await command(tmp_path, "resume", "supabase", "--json", "--url", client.url)
    assert (ran.code, ran.lines[0]["state"]) == (0, "running")
    assert client.service.lanes["supabase"].state().state == "running"
    assert (await command(tmp_path, "pause", "postgres", "--url", client.url)).code == 2


@pytest.mark.parametrize("words", [("stats",), ("stats", "--json"), ("send", "supabase", "--wait")])
async def test_a_token_that_is_wrong_is_said_by_what_answers_anybody_too(
    five: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ran = await command(tmp_path, *words, "--url", five.url, HOOKBRIDGE_ADMIN_TOKEN="token-of-another-service")
    assert (ran.code, ran.out if words[0] == "stats" else "") == (2, "")
    assert ran.err.startswith("error: The admin token is missing or wrong\ntry: set HOOKBRIDGE_ADMIN_TOKEN\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("list",), 0),
        (("search", "Ada"), 0),
        (("show", "supabase", "users", "1"), 0),
        (("diff", "supabase", "users", "1"), 2),
        (("verify", "supabase", "users", "1"), 2),
    ],
)
async def test_records_are_found_and_shown_with_the_read_token_alone(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    given = "read-token-for-tests"
    async with running(make_settings(tmp_path / "data", secrets={"read_token": given})) as service:
        await put(service.service.store, "1", b'{"name": "Ada"}')
        asked = ("records", *words, "--url", service.url)
        ran = await command(tmp_path, *asked, HOOKBRIDGE_ADMIN_TOKEN="", HOOKBRIDGE_READ_TOKEN=given)
        assert ran.code == code, ran.err
        ran = await command(tmp_path, *asked, HOOKBRIDGE_ADMIN_TOKEN="", HOOKBRIDGE_READ_TOKEN="another-services")
        assert ran.code == 2
        assert ("HOOKBRIDGE_READ_TOKEN" in ran.err) == (code == 0)


async def test_who_has_no_token_sees_what_anybody_sees(five: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "stats", "--json", "--url", five.url, HOOKBRIDGE_ADMIN_TOKEN="")
    assert (ran.code, ran.lines[0]["books"]["received"]) == (0, 5)
    assert ran.lines[0]["lanes"] == [{"source": name, "state": "running"} for name in ("supabase", "notion")]


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
        watching.send(signal.SIGINT)
        assert await watching.ended() == 130


async def test_tail_shows_an_event_when_it_comes_and_again_when_it_has_ended(five: Running, tmp_path: Path) -> None:
    async with lasting(tmp_path, "tail", "--lines", "2", "--every", "0.05", "--url", five.url) as tail:
        await wait_until(lambda: len(tail.lines) == 2)
        assert [line.split()[2] for line in tail.lines] == ["4", "5"]
        await five.service.holds.pause("supabase")
        assert (await five.post("/api/v1/webhooks/supabase", guide(6))).status == 202
        await wait_until(lambda: len(tail.lines) == 3)
        assert tail.lines[2].split()[2:4] == ["6", "open"]
        await five.service.holds.resume("supabase")
        await wait_until(lambda: len(tail.lines) == 4)
        assert tail.lines[3].split()[2:4] == ["6", "applied"]
        tail.send(signal.SIGINT)
        assert await tail.ended() == 130
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


async def test_tail_finds_what_ended_so_however_far_back(client: Running, tmp_path: Path) -> None:
    page = {**guide(1), "source": "notion", "table_name": "pages"}
    assert (await client.post("/api/v1/webhooks/notion", page)).status == 202
    for number in range(2, 30):
        assert (await client.post("/api/v1/webhooks/supabase", guide(number))).status == 202
    await wait_until(lambda: settled(client))
    api = Api(client.url, ADMIN_TOKEN)
    try:
        follower = Follower(api, {}, Wanted(outcomes=(Outcome.IGNORED,), text=None))
        assert [event.id for event in await asyncio.to_thread(follower.past, 5)] == [1]
        follower = Follower(api, {}, Wanted(outcomes=(), text="USERS:3"))
        assert [event.record_id for event in await asyncio.to_thread(follower.past, 1)] == ["3"]
        assert await asyncio.to_thread(follower.look) == []
    finally:
        api.close()


@pytest.mark.parametrize("words", [("tail", "--every", "0.05"), ("stats", "--watch", "--json", "--every", "0.1")])
async def test_what_watches_waits_for_a_service_behind_a_proxy(
    five: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    async with proxy(five.url) as gate, lasting(tmp_path, *words, "--url", gate.url) as watching:
        await wait_until(lambda: watching.lines)
        gate.closed = True
        await wait_until(lambda: watching.errors)
        assert watching.errors == [f"No hookbridge answers at {gate.url} (502); waiting for it"]
        seen = len(watching.lines)
        assert (await five.post("/api/v1/webhooks/supabase", guide(6))).status == 202
        gate.closed = False
        await wait_until(lambda: len(watching.lines) > seen)
        watching.send(signal.SIGINT)
        assert await watching.ended() == 130


async def test_tail_ends_when_nobody_reads_it_though_nothing_comes(five: Running, tmp_path: Path) -> None:
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookbridge", "tail", "--url", five.url),
        cwd=tmp_path,
        env=environment({}),
        stdout=write,
    )
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 1)
    os.close(read)
    assert await process.wait() == 141


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
    assert (ran.code, ran.out) == (0, '"user 1"\nsupabase:public.users:1: copy and source are equal\n')
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
    assert (ran.code, ran.out.splitlines()[:2]) == (
        1,
        ['"user 2"', "supabase:public.users:2: the copy has it, the source does not"],
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
    ran = await command(tmp_path, "events", "list", "--url", client.url, HOOKBRIDGE_ADMIN_TOKEN="a-token-that-is-wrong")
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
    for words in (("events", "list"), ("events", "rejected"), ("records", "verify", "supabase", "users", "1")):
        ran = await command(tmp_path, "--config", "mine.toml", *words)
        assert "No hookbridge answers" not in ran.err
        assert f"127.0.0.1:{client.port}" not in ran.err


@pytest.mark.parametrize("url", ["http://host:port", "http://[", "localhost:8080"])
async def test_an_address_that_is_none_is_an_error_with_a_hint(tmp_path: Path, url: str) -> None:
    ran = await command(tmp_path, "stats", "--url", url)
    assert (ran.code, ran.out) == (2, "")
    assert f"is no http or https URL: {url}" in ran.err
    assert "try: correct --url" in ran.err
