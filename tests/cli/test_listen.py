"""`listen`: the feed on a developer's machine, and an app there that is told as a destination is."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from scripts.programs import Program, free_port
from tests.support import changing
from tests.support.commands import command, environment, lasting
from tests.support.engines import ENGINES, chosen
from tests.support.receivers import SECRET, Receiver, receiver
from tests.support.running import Running, make_settings, running
from tests.support.terminals import on_terminal
from tests.support.waiting import wait_until

READ_TOKEN = "read-token-for-tests"
USERS = "supabase:public.users"
ONLY_READS = {"HOOKBRIDGE_ADMIN_TOKEN": "", "HOOKBRIDGE_READ_TOKEN": READ_TOKEN}


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Running]:
    """A service without credentials, which a reader may read."""
    async with running(make_settings(tmp_path / "data", secrets={"read_token": READ_TOKEN})) as one:
        yield one


@pytest.fixture
async def app() -> AsyncIterator[Receiver]:
    """The app that is worked on: it refuses what is not signed with `SECRET`."""
    async with receiver() as one:
        yield one


async def put(service: Running, name: str, data: dict[str, Any] | None) -> None:
    """Have a record changed, or gone."""
    await changing.put(service.service.store, name, None if data is None else msgspec.json.encode(data))


@asynccontextmanager
async def listening(folder: Path, service: Running, *words: str, **environ: str) -> AsyncIterator[Program]:
    """Give a listener that listens already, with what it said at first taken away."""
    given = {**ONLY_READS, "HOOK_SECRET": SECRET, **environ}
    async with lasting(folder, "listen", *words, "--url", service.url, **given) as one:
        await wait_until(lambda: one.errors or one.is_over)
        assert re.fullmatch(r"Changes of http.*; Ctrl-C ends it", one.errors.pop(0))
        yield one


def forwarding(app: Receiver) -> tuple[str, ...]:
    return "--forward-to", app.url, "--secret-env", "HOOK_SECRET"


async def place_of(one: Program) -> str:
    """End a listener as a person does; gives the place with which it says that it goes on."""
    one.send(signal.SIGINT)
    assert await one.ended() == 130
    return one.errors[-1].rpartition(" --since ")[2]


def ids(bodies: list[dict[str, Any]]) -> list[list[str]]:
    """Which records each message told."""
    return [[one.get("id", one["type"]) for one in body["changes"]] for body in bodies]


async def test_it_prints_what_changes_from_now_on_and_goes_on_where_it_ended(tmp_path: Path, bridge: Running) -> None:
    await put(bridge, "before", {"a": 1})
    async with listening(tmp_path, bridge) as one:
        await put(bridge, "7", {"name": "Ada"})
        await put(bridge, "8", None)
        await wait_until(lambda: len(one.lines) == 2)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z upsert supabase:public.users:7", one.lines[0])
        assert re.fullmatch(r".*Z delete supabase:public.users:8", one.lines[1])
        place = await place_of(one)
        assert re.fullmatch("2 changes in .*; it goes on with --since .*", one.errors[-1])
    await put(bridge, "9", {"name": "Bob"})
    async with listening(tmp_path, bridge, "--since", place, "--json") as one:
        await wait_until(lambda: one.lines)
        told = msgspec.json.decode(one.lines[0])
        assert (told["type"], told["id"], told["data"]) == ("upsert", "9", {"name": "Bob"})
        assert "forwarded" not in told
    async with listening(tmp_path, bridge, "--since", str(told["seq"] - 1), "--json") as one:
        await wait_until(lambda: one.lines)
        assert msgspec.json.decode(one.lines[0]) == told
    ran = await command(tmp_path, "listen", "--since", "999", "--url", bridge.url)
    assert (ran.code, ran.err.splitlines()[-2]) == (2, "error: The feed does not go as far as this place")


async def test_the_app_is_sent_what_a_destination_is_sent(tmp_path: Path, app: Receiver) -> None:
    async with running(make_settings(tmp_path / "data", secrets={"read_token": READ_TOKEN})) as bridge:
        for name in "abc":
            await put(bridge, name, {"price": 1.1, "name": name})
        await put(bridge, "a", None)
    async with receiver() as there:
        to = (there.destination(types=["upsert"]),)
        settings = make_settings(tmp_path / "data", secrets={"read_token": READ_TOKEN, "destinations": to})
        async with (
            running(settings) as bridge,
            listening(tmp_path, bridge, "--since", "start", "--type", "upsert", *forwarding(app), "--json") as one,
        ):
            await wait_until(lambda: app.taken and there.taken)
            assert app.bodies == there.bodies
            assert ids(app.bodies) == [["snapshot_begin", "b", "c", "snapshot_end"]]
            assert {
                name: value for name, value in app.headers[0].items() if name in {"Content-Type", "User-Agent"}
            } == {name: value for name, value in there.headers[0].items() if name in {"Content-Type", "User-Agent"}}
            await wait_until(lambda: len(one.lines) == 4)
            told = [msgspec.json.decode(line) for line in one.lines]
            assert [line["type"] for line in told] == ["snapshot_begin", "upsert", "upsert", "snapshot_end"]
            assert {line["forwarded"]["status"] for line in told} == {204}
            assert {line["forwarded"]["message_id"] for line in told} == set(app.ids)
            place = await place_of(one)
            assert place == app.bodies[-1]["next"]
            assert one.errors[-1].startswith("2 changes forwarded in 1 message in ")


async def test_a_new_secret_is_shown_once_and_signs(tmp_path: Path, bridge: Running) -> None:
    came: list[tuple[bytes, dict[str, str]]] = []

    async def take(request: web.Request) -> web.Response:
        came.append((await request.read(), dict(request.headers)))
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with listening(tmp_path, bridge, "--forward-to", f"127.0.0.1:{port}/hook") as one:
            await wait_until(lambda: one.errors)
            (secret,) = re.findall(r"whsec_\S+", one.errors[0])
            await put(bridge, "1", {"a": 1})
            await wait_until(lambda: one.lines)
            Webhook(secret).verify(*came[0])
            assert re.fullmatch(r".*Z upsert 200 +\d+ ms supabase:public.users:1", one.lines[0])
            assert secret not in "".join(one.lines + one.errors[1:])
    finally:
        await runner.cleanup()


async def test_an_app_that_fails_or_is_not_there_is_told_again_in_order(tmp_path: Path, bridge: Running) -> None:
    app = Receiver(free_port())
    async with listening(tmp_path, bridge, *forwarding(app)) as one:
        await put(bridge, "1", {"a": 1})
        await wait_until(lambda: len(one.errors) >= 2)
        down = f"{app.url}: it cannot be reached: Connection refused; upsert {USERS}:1 waits, again "
        assert one.errors[:2] == [f"{down}at once", f"{down}in 2 s"]
        app.answers = [web.Response(status=500, text="\x1b[31mboom\n"), web.Response(status=401)]
        await put(bridge, "2", {"a": 1})
        async with app.there():
            await wait_until(lambda: len(one.lines) == 2)
        assert ids(app.bodies) == [["1"], ["1"], ["1"], ["2"]]
        assert len(set(app.ids)) == 2
        assert any("it answered 500: " in line and f"boom; upsert {USERS}:" in line for line in one.errors)
        assert any("it answered 401 (has it the same secret?); " in line for line in one.errors)
        assert one.errors[-1] == f"{app.url} takes what is sent again"
        assert "\x1b" not in "".join(one.errors)


async def test_what_is_refused_for_its_content_is_cut_down_to_the_change_which_is_tried_until_it_is_taken(
    tmp_path: Path, bridge: Running, app: Receiver
) -> None:
    refused = {"b", "snapshot_end"}

    async def take(request: web.Request) -> web.StreamResponse:
        told = ids([msgspec.json.decode(await request.read())])[0]
        return web.Response(status=422, text="too long") if refused.intersection(told) else web.Response(status=204)

    for name in "abcd":
        await put(bridge, name, {"a": name})
    app.answers, app.otherwise = [web.Response(status=500)], lambda: take
    async with listening(tmp_path, bridge, "--since", "start", *forwarding(app)) as one:
        await wait_until(lambda: any("in 2 s" in line for line in one.errors))
        whole = ["snapshot_begin", "a", "b", "c", "d", "snapshot_end"]
        assert ids(app.bodies)[:7] == [whole, whole, whole[:3], ["snapshot_begin"], ["a", "b"], ["a"], ["b"]]
        first = f"4 changes wait, first upsert {USERS}:a, in halves"
        assert one.errors[1] == f"{app.url}: it answered 422: too long; {first}"
        assert "it answered 500 (for which of them? --batch 1 says it); " in one.errors[0]
        alone = next(line for line in one.errors if f"upsert {USERS}:b waits" in line)
        left_out = re.findall(r"\(to leave it out: --since (\S+)\); ", alone)
        place = await place_of(one)
        assert place == app.bodies[5]["next"]
    app.bodies.clear()
    async with listening(tmp_path, bridge, "--since", left_out[0], *forwarding(app)) as one:
        refused.clear()
        await wait_until(lambda: len(one.lines) == 3)
        assert ids(app.bodies) == [["c", "d", "snapshot_end"]]
    app.bodies.clear()
    refused.add("b")
    async with listening(tmp_path, bridge, "--since", place, *forwarding(app)) as one:
        await wait_until(lambda: any(f"upsert {USERS}:b waits" in line for line in one.errors))
        refused.clear()
        await wait_until(lambda: len(one.lines) == 4)
        assert one.errors[-1] == f"{app.url} takes what is sent again"
        assert ids(app.bodies)[-3:] == [["b"], ["c"], ["d", "snapshot_end"]]


async def test_an_app_that_answers_410_ends_it(tmp_path: Path, bridge: Running, app: Receiver) -> None:
    app.answers = [web.Response(status=410, text="enough")]
    async with listening(tmp_path, bridge, *forwarding(app)) as one:
        await put(bridge, "1", {"a": 1})
        assert await one.ended() == 1
        assert one.errors[0] == f"{app.url}: it answered 410: enough; a destination stops then"
        assert one.errors[1].startswith("0 changes forwarded in 0 messages")
        place = one.errors[1].rpartition(" ")[2]
    async with listening(tmp_path, bridge, *forwarding(app), "--since", place):
        await wait_until(lambda: app.taken)
        assert ids(app.bodies) == [["1"], ["1"]]
        assert len(set(app.ids)) == 2, "what is sent anew is no repetition"


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_service_that_restarts_is_waited_for_and_nothing_is_missed(
    tmp_path: Path, app: Receiver, engine: str
) -> None:
    with chosen(engine):
        settings = make_settings(tmp_path / "data", server={"port": free_port()}, secrets={"read_token": READ_TOKEN})
    async with AsyncExitStack() as stack:
        async with running(settings) as first:
            one = await stack.enter_async_context(listening(tmp_path, first, *forwarding(app)))
            await put(first, "1", {"a": 1})
            await wait_until(lambda: one.lines)
        await wait_until(lambda: one.errors)
        assert one.errors[0].startswith(f"No hookbridge answers at {first.url}")
        hidden = msgspec.structs.replace(
            settings.config, server=msgspec.structs.replace(settings.config.server, port=0)
        )
        async with running(msgspec.structs.replace(settings, config=hidden)) as elsewhere:
            await put(elsewhere, "2", {"a": 1})
        async with running(settings) as second:
            await put(second, "3", {"a": 1})
            await wait_until(lambda: len(one.lines) == 3)
        assert [change["id"] for change in app.taken] == ["1", "2", "3"]
        assert "it answers again" in one.errors


@pytest.mark.parametrize("again", [False, True])
async def test_a_place_that_is_gone_is_said_or_a_snapshot_is_taken(
    *, tmp_path: Path, bridge: Running, app: Receiver, again: bool
) -> None:
    await put(bridge, "a", {"a": 1})
    async with listening(tmp_path, bridge) as one:
        place = await place_of(one)
    await changing.go_unnoticed(bridge.service.store, "a")
    words = ("--since", place, *(("--snapshot-if-gone",) if again else ()))
    async with listening(tmp_path, bridge, *forwarding(app), *words) as one:
        if again:
            await wait_until(lambda: app.taken)
            assert ids(app.bodies) == [["snapshot_begin", "another", "snapshot_end"]]
            assert one.errors == [
                "The place is older than the deletions that are remembered (tombstone_days): a snapshot follows"
            ]
        else:
            assert await one.ended() == 2
            assert one.errors[-2].startswith("error: The place is older than the deletions that are remembered")
            assert one.errors[-1].startswith("try: listen --since start")
            assert app.bodies == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--table", "users"), ["1", "3"]),
        (("--source", "supabase", "--type", "delete"), ["3"]),
        (("--source", "notion"), []),
        ((), ["1", "2", "3"]),
    ],
)
async def test_it_shows_and_sends_what_was_asked_for(
    tmp_path: Path, bridge: Running, app: Receiver, words: tuple[str, ...], expected: list[str]
) -> None:
    body = {"event_type": "insert", "source": "supabase", "table_name": "orders", "record_id": "2", "data": {"id": 2}}
    async with listening(tmp_path, bridge, *words, *forwarding(app)) as one:
        await put(bridge, "1", {"a": 1})
        assert (await bridge.post("/api/v1/webhooks/supabase", body)).status == 202
        await wait_until(lambda: known(bridge, "orders"))
        await put(bridge, "3", None)
        await put(bridge, "last", {"a": 1})
        await put(bridge, "last", None)
        await wait_until(lambda: [change["id"] for change in app.taken if change["id"] != "last"] == expected)
        place = await place_of(one)
        assert place


async def known(service: Running, table: str) -> bool:
    answer = await service.get(f"/api/v1/records?table={table}")
    return bool((await answer.json())["records"])


async def test_a_message_has_as_many_changes_as_was_said_and_no_more_than_a_mebibyte(
    tmp_path: Path, bridge: Running, app: Receiver
) -> None:
    for name in "abc":
        await put(bridge, name, {"a": name})
    async with listening(tmp_path, bridge, "--since", "start", "--batch", "1", *forwarding(app)):
        await wait_until(lambda: len(app.taken) == 5)
        assert ids(app.bodies) == [["snapshot_begin", "a"], ["b"], ["c", "snapshot_end"]]
    app.bodies.clear()
    for name in "bc":
        await put(bridge, name, {"a": name * 700_000})
    async with listening(tmp_path, bridge, "--since", "start", *forwarding(app)) as one:
        await wait_until(lambda: len(one.lines) == 5)
        assert ids(app.bodies) == [["snapshot_begin", "a", "b"], ["c", "snapshot_end"]]


async def test_of_a_message_that_was_cut_the_place_is_behind_what_was_taken(
    tmp_path: Path, bridge: Running, app: Receiver
) -> None:
    for name in "bcd":
        await put(bridge, name, {"a": name * 700_000})
    app.answers = [web.Response(status=204), web.Response(status=410)]
    async with listening(tmp_path, bridge, "--since", "start", *forwarding(app)) as one:
        assert await one.ended() == 1
        place = one.errors[-1].rpartition(" ")[2]
        assert place == app.bodies[0]["next"]
    async with listening(tmp_path, bridge, "--since", place, *forwarding(app)):
        await wait_until(lambda: len(app.bodies) == 4)
        assert ids(app.bodies) == [["snapshot_begin", "b"], ["c"], ["c"], ["d", "snapshot_end"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "--since: expected now, start, a seq, or a place"),
        (("--batch", "5"), "--batch: only with --forward-to"),
        (("--secret-env", "X"), "--secret-env: only with --forward-to"),
        (("--timeout", "5"), "--timeout: only with --forward-to"),
        (("--forward-to", "ftp://localhost/hook"), "--forward-to: expected an http or https URL"),
        (("--forward-to", "http://localhost/#hook"), "--forward-to: what is behind # would not be sent"),
        (("--forward-to", "localhost:3000", "--secret-env", "NOT_THERE"), "NOT_THERE: it is not set"),
        (("--forward-to", "localhost:3000", "--secret-env", "PLAIN"), "PLAIN: expected whsec_ and base64"),
        (("--forward-to", "localhost:3000", "--secret-env", "SHORT"), "SHORT: secret"),
        ((), "No hookbridge answers at http://127.0.0.1:9"),
    ],
)
async def test_what_is_wrong_is_two_lines_and_shows_no_secret(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / ".env").write_text("PLAIN=not-of-standard-webhooks\n")
    ran = await command(tmp_path, "listen", *words, "--url", "http://127.0.0.1:9", SHORT="whsec_c2hvcnQ=")
    error, hint = ran.err.splitlines()
    assert (ran.code, ran.out) == (2, "")
    assert error.startswith(f"error: {said}")
    assert hint.startswith("try: ")
    assert "not-of-standard" not in ran.err
    assert "c2hvcnQ" not in ran.err


async def test_a_secret_may_stand_in_dotenv_or_in_a_file(tmp_path: Path, bridge: Running, app: Receiver) -> None:
    (tmp_path / ".env").write_text("HOOK_SECRET_FILE=secret.txt\n")
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n")
    async with listening(tmp_path, bridge, *forwarding(app), HOOK_SECRET=""):
        await put(bridge, "1", {"a": 1})
        await wait_until(lambda: app.taken)


@pytest.mark.parametrize("is_forwarded", [False, True])
async def test_a_sigterm_ends_it_as_a_person_does(
    tmp_path: Path, bridge: Running, app: Receiver, *, is_forwarded: bool
) -> None:
    app.answers = [partial(Receiver.never, app)]
    async with listening(tmp_path, bridge, *(forwarding(app) if is_forwarded else ())) as one:
        await put(bridge, "7", {"name": "Ada"})
        await wait_until(lambda: app.bodies if is_forwarded else one.lines)
        one.send(signal.SIGTERM)
        assert await one.ended() == 143
        counted = "0 changes forwarded in 0 messages" if is_forwarded else "1 change"
        assert re.fullmatch(f"{counted} in .*; it goes on with --since .*", one.errors[-1])
        assert not any("Traceback" in line for line in one.errors)
    place = one.errors[-1].rpartition(" --since ")[2]
    async with listening(tmp_path, bridge, "--since", place) as one:
        await put(bridge, "8", None)
        await wait_until(lambda: any(":8" in line for line in one.lines))
        if is_forwarded:  # what was not taken comes again
            assert ":7" in one.lines[0]


async def test_a_token_that_is_wrong_or_missing_is_said(tmp_path: Path, bridge: Running) -> None:
    for token in ("", "token-of-another-service"):
        words = ("listen", "--url", bridge.url)
        ran = await command(tmp_path, *words, HOOKBRIDGE_ADMIN_TOKEN="", HOOKBRIDGE_READ_TOKEN=token)
        assert ran.code == 2
        assert ran.err.startswith("error: The read token is missing or wrong\ntry: set HOOKBRIDGE_READ_TOKEN")


async def test_it_ends_when_nobody_reads_it_though_nothing_comes(tmp_path: Path, bridge: Running) -> None:
    await put(bridge, "1", {"a": 1})
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hookbridge", "listen", "--since", "start", "--url", bridge.url),
        cwd=tmp_path,
        env=environment(ONLY_READS),
        stdout=write,
    )
    os.close(write)
    assert await asyncio.to_thread(os.read, read, 1)
    os.close(read)
    assert await process.wait() == 141


async def test_on_a_terminal_it_is_in_colour_and_no_title_drives_it(tmp_path: Path, bridge: Running) -> None:
    await put(bridge, "1", {"name": "\x1b[31mowned"})
    environ = {**ONLY_READS, "TERM": "xterm-256color"}
    pid, terminal = on_terminal(tmp_path, "listen", "--since", "start", "--url", bridge.url, environ=environ)
    shown = await asyncio.to_thread(read_until, terminal, lambda text: "snapshot end" in text)
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, pid, 0)
    os.close(terminal)
    assert "\x1b[32mupsert" in shown
    assert "\x1b[31m" not in shown


def read_until(terminal: int, is_enough: Callable[[str], bool]) -> str:
    text = ""
    while not is_enough(text):
        text += os.read(terminal, 4096).decode(errors="replace")
    return text
