"""`send` and `sign`: what the commands make is what the service takes, signed or not."""

import asyncio
import json
import re
import signal
import threading
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from hookbridge.cli import burst
from hookbridge.cli.api import Api
from hookbridge.cli.burst import Post
from hookbridge.cli.samples import FORMATS, TYPES
from hookbridge.model import SOURCES
from tests.support.commands import command, lasting
from tests.support.faults import Scene
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

SECRETS = {"plain": "a plain and long secret", "standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
NOTIONS = "secret_of_the_subscription"


@pytest.fixture(params=SECRETS)
async def signed(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Running, str]]:
    """A service that verifies, and the secret of its senders."""
    secret = SECRETS[request.param]
    secrets = {"webhook_secrets": (secret,), "notion_webhook_secrets": (NOTIONS,)}
    async with running(make_settings(tmp_path / "data", secrets=secrets, signatures={"verify": True})) as service:
        yield service, secret


async def received(service: Running) -> int:
    return (await service.service.store.totals()).books.received


@pytest.mark.parametrize(("source", "format_"), [(source, one) for source in SOURCES for one in FORMATS[source]])
@pytest.mark.parametrize("signed", ["standard"], indirect=True)
async def test_every_format_and_type_is_taken_signed_as_its_senders_sign(
    signed: tuple[Running, str], tmp_path: Path, source: str, format_: str
) -> None:
    service, secret = signed
    for type_ in TYPES:
        # An automation tells of a page, not of what was done to it.
        meant = "update" if (format_, type_) == ("automation", "insert") else type_
        words = ("send", source, "--format", format_, "--type", type_, "--wait", "--json", "--url", service.url)
        ran = await command(tmp_path, *words, WEBHOOK_SECRET=secret, NOTION_WEBHOOK_SECRET=NOTIONS)
        assert ran.code == 0, ran
        answered, ended = ran.lines
        assert answered["status"] == 202
        assert (ended["format"], ended["type"], ended["verification"]) == (format_, meant, "skipped")


async def test_an_edited_sample_is_what_the_copy_has(client: Running, tmp_path: Path) -> None:
    words = ("--table", "shop.things", "--id", "7", "--data", '{"name": "Gadget"}', "--wait")
    ran = await command(tmp_path, "send", "supabase", *words, "--url", client.url)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "applied, verification skipped")
    assert "202 Accepted event 1" in ran.out
    answer = await client.get("/api/v1/records/supabase/shop.things/7")
    assert (await answer.json())["data"] == {"id": 7, "name": "Gadget"}


@pytest.mark.parametrize("signed", ["plain"], indirect=True)
async def test_what_is_refused_is_shown_and_exits_1(signed: tuple[Running, str], tmp_path: Path) -> None:
    service, secret = signed
    ran = await command(tmp_path, "send", "supabase", "--unsigned", "--url", service.url, WEBHOOK_SECRET=secret)
    assert ran.code == 1
    assert ran.out.startswith("401 Unauthorized\n")
    assert ran.err.startswith("try: python -m hookbridge events rejected")
    (tmp_path / "mine.json").write_text('{"event_type": "insert"}')
    words = ("send", "supabase", "--body", "mine.json", "--url", service.url)
    ran = await command(tmp_path, *words, WEBHOOK_SECRET=secret)
    assert (ran.code, ran.out.splitlines()[0]) == (1, f"422 {HTTPStatus(422).phrase}")  # another one since Python 3.13
    assert "field required" in ran.out
    assert await received(service) == 0


async def test_the_test_endpoint_stores_nothing(client: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "send", "notion", "--format", "automation", "--test", "--json", "--url", client.url)
    assert ran.code == 0
    assert ran.lines[0]["answer"]["would_be_processed"] is True
    assert await received(client) == 0


async def test_many_are_many_records_and_their_answers_are_counted(client: Running, tmp_path: Path) -> None:
    for source, format_ in (("supabase", "guide"), ("notion", "integration")):
        unsigned = ("--unsigned",) if format_ == "integration" else ()
        words = ("--format", format_, "--count", "20", "--rate", "1000", *unsigned, "--json", "--url", client.url)
        ran = await command(tmp_path, "send", source, *words)
        assert ran.code == 0
        assert (ran.lines[0]["sent"], ran.lines[0]["statuses"]) == (20, {"202": 20})
    listed = await (await client.get("/api/v1/events?limit=500")).json()
    assert len({(event["source"], event["record_id"]) for event in listed["events"]}) == 40


async def test_many_of_one_record_are_as_many_events(client: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "send", "supabase", "--id", "9", "--count", "10", "--url", client.url)
    assert ran.code == 0
    assert "10 sent in" in ran.out
    assert "10 × 202" in ran.out
    assert await received(client) == 10


@pytest.mark.parametrize("mark", ["", "\ufeff"])
async def test_a_file_with_a_byte_order_mark_is_sent_as_it_is_and_taken(
    client: Running, tmp_path: Path, mark: str
) -> None:
    event = {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "3", "data": {"id": 3}}
    (tmp_path / "mine.json").write_text(mark + json.dumps(event))
    words = ("send", "supabase", "--body", "mine.json", "--wait", "--url", client.url)
    ran = await command(tmp_path, *words, WEBHOOK_SECRET=SECRETS["plain"])
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "applied, verification skipped")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
async def test_a_file_in_another_encoding_is_named_as_what_it_is(
    client: Running, tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "mine.json").write_text('{"event_type": "insert"}', encoding=encoding)
    ran = await command(tmp_path, "send", "supabase", "--body", "mine.json", "--url", client.url)
    assert ran.code == 1
    assert "UTF-16" in ran.out
    assert "send it as UTF-8" in ran.out


TYPED = ("1.10", "1e400", "12345678901234567890.5", "123456789012345678901234", "-0", "1E5", "[1.10, {}]")


@pytest.mark.parametrize("format_", FORMATS["supabase"])
async def test_numbers_arrive_as_they_were_typed(client: Running, tmp_path: Path, format_: str) -> None:
    data = ", ".join(f'"n{place}": {typed}' for place, typed in enumerate(TYPED))
    words = ("send", "supabase", "--format", format_, "--data", f"{{{data}}}", "--wait", "--url", client.url)
    ran = await command(tmp_path, *words)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "applied, verification skipped")
    text = await (await client.get("/api/v1/events/1")).text()
    assert ",".join(f'"n{place}":{typed}' for place, typed in enumerate(TYPED)) in text


PARTS = """
[[supabase.tables]]
name = "parts"
key = ["tenant", "number"]
[[supabase.tables]]
name = "people"
key = ["uid"]
"""


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[Running]:
    """A service with a table of two key columns and one of another name, and the file that says so."""
    (tmp_path / "config.toml").write_text(PARTS)
    tables = [{"name": "parts", "key": ["tenant", "number"]}, {"name": "people", "key": ["uid"]}]
    async with running(make_settings(tmp_path / "data", supabase={"tables": tables})) as service:
        yield service


@pytest.mark.parametrize("format_", FORMATS["supabase"])
@pytest.mark.parametrize(
    ("words", "id_", "key"),
    [
        (("--table", "parts", "--id", "acme,7"), "acme,7", {"tenant": "acme", "number": 7}),
        (("--table", "parts", "--id", "a%2Cb,007"), "a%2Cb,007", {"tenant": "a,b", "number": "007"}),
        (("--table", "public.parts"), "1,1", {"tenant": 1, "number": 1}),
        (("--table", "people", "--id", "u9"), "u9", {"uid": "u9"}),
        (("--table", "people"), "1", {"uid": 1}),
        (("--table", "others", "--id", "9"), "9", {"id": 9}),
    ],
)
async def test_a_sample_has_the_key_columns_that_its_table_has(
    keyed: Running, tmp_path: Path, format_: str, words: tuple[str, ...], id_: str, key: dict[str, object]
) -> None:
    sent = ("send", "supabase", "--format", format_, *words, "--data", "{}", "--wait", "--json", "--url", keyed.url)
    ran = await command(tmp_path, *sent)
    assert ran.code == 0, ran
    ended = ran.lines[-1]
    assert (ended["record_id"], ended["outcome"]) == (id_, "applied")
    body = ended["body"]
    assert body.get("record", body.get("data")) == key


async def test_many_of_a_table_with_several_key_columns_are_records_of_their_own(
    keyed: Running, tmp_path: Path
) -> None:
    words = ("--format", "database_webhook", "--table", "parts", "--count", "3", "--url", keyed.url)
    ran = await command(tmp_path, "send", "supabase", *words)
    assert (ran.code, "3 × 202" in ran.out) == (0, True)
    listed = await (await keyed.get("/api/v1/events")).json()
    assert {event["record_id"] for event in listed["events"]} == {"1,1", "1,2", "1,3"}


async def test_an_id_of_another_number_of_key_columns_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(PARTS)
    ran = await command(tmp_path, "send", "supabase", "--table", "parts", "--id", "7")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: --id: expected 2 values separated by commas, got 1")
    assert "one for each of tenant, number\ntry: --id 1,1" in ran.err


async def test_who_waits_for_a_paused_lane_is_told_so_until_it_goes_on(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path / "data"), process=False) as service:
        words = ("send", "supabase", "--wait", "--timeout", "600", "--url", service.url)
        async with lasting(tmp_path, *words) as waiting:
            why = "waiting: the lane of supabase is paused (paused by an operator)"
            await wait_until(lambda: why in waiting.errors)
            await service.service.holds.resume("supabase")
            assert await waiting.ended() == 0
    assert waiting.lines[-1] == "applied, verification skipped"
    assert waiting.errors.count(why) == 1


async def test_who_waits_for_a_source_that_is_down_is_told_what_it_answered(scene: Scene, tmp_path: Path) -> None:
    scene.set("signatures", verify=False)
    async with running(scene.settings) as service:
        fault = scene.supabase.faults.status(503)
        words = ("send", "supabase", "--id", "1", "--unsigned", "--wait", "--timeout", "600", "--url", service.url)
        async with lasting(tmp_path, *words) as waiting:
            await wait_until(lambda: any("the lane of supabase is down (" in line for line in waiting.errors))
            fault.clear()
            assert await waiting.ended() == 0
    assert "503" in "".join(waiting.errors)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
async def test_a_wait_ends_with_its_time_and_says_what_it_waited_for(tmp_path: Path, as_json: tuple[str, ...]) -> None:
    async with running(make_settings(tmp_path / "data"), process=False) as service:
        words = ("send", "supabase", "--wait", "--timeout", "0.2", "--url", service.url)
        ran = await command(tmp_path, *words, *as_json)
    assert ran.code == 1
    still = "still open after 0.2 s: the lane of supabase is paused (paused by an operator)"
    assert still in (ran.err if as_json else ran.out).splitlines()
    if as_json:
        assert ran.lines[-1]["state"] == "open"


async def test_a_timeout_of_nothing_looks_once(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path / "data"), process=False) as service:
        ran = await command(tmp_path, "send", "supabase", "--wait", "--timeout", "0", "--url", service.url)
    assert (ran.code, ran.out.splitlines()[-1]) == (
        1,
        "still open after 0 s: the lane of supabase is paused (paused by an operator)",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("supabase", "--timeout", "3"), "--timeout: only with --wait"),
        (("supabase", "--format", "integration"), "--format: supabase has no 'integration'"),
        (("supabase", "--data", "{"), "--data: "),
        (("supabase", "--body", "nowhere.json"), "nowhere.json: No such file or directory"),
        (("supabase", "--wait", "--count", "2"), "--wait: only for one event that is stored"),
        (("supabase", "--body", "x", "--data", "{}"), "--data: it stands in --body already"),
        (("supabase", "--url", "http://127.0.0.1:1"), "No hookbridge answers at http://127.0.0.1:1"),
    ],
)
async def test_what_cannot_be_sent_exits_2_with_a_reason(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ran = await command(tmp_path, "send", *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {said}")
    assert "\ntry: " in ran.err


async def test_signed_headers_are_accepted_with_the_file_they_were_made_for(
    signed: tuple[Running, str], tmp_path: Path
) -> None:
    service, secret = signed
    event = {"event_type": "insert", "source": "notion", "table_name": "t", "record_id": "r", "data": {"é": 1}}
    body = json.dumps(event, ensure_ascii=False, indent=1).encode()
    (tmp_path / "body.json").write_bytes(body)
    for words in (("sign", "body.json"), ("sign", "--notion", "body.json")):
        ran = await command(tmp_path, *words, WEBHOOK_SECRET=secret, NOTION_WEBHOOK_SECRET=NOTIONS)
        assert ran.code == 0
        headers = dict(line.split(": ", 1) for line in ran.out.splitlines())
        assert (await service.post("/api/v1/webhooks/notion", body, headers)).status == 202
        assert (await service.post("/api/v1/webhooks/notion", body + b" ", headers)).status == 401


async def test_sign_reads_standard_input_and_needs_a_secret(tmp_path: Path) -> None:
    ran = await command(tmp_path, "sign", "--json", stdin=b"abc", WEBHOOK_SECRET="a-key-of-some-length")
    # HMAC-SHA256 of "abc" under "a-key-of-some-length", as openssl gives it.
    expected = "sha256=1c75ae5f5d14e1253b859cff6e2c733bd763a1a4fb7f140527666c538e4b28df"
    assert ran.lines == [{"X-Webhook-Signature": expected}]
    ran = await command(tmp_path, "sign", stdin=b"abc")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: WEBHOOK_SECRET: not set, so nothing can be signed")


async def test_a_notion_webhook_that_nothing_can_sign_is_not_sent_unsigned_without_a_word(
    client: Running, tmp_path: Path
) -> None:
    words = ("send", "notion", "--format", "integration", "--url", client.url)
    ran = await command(tmp_path, *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: There is no verification token")
    assert "--unsigned" in ran.err
    assert await received(client) == 0
    assert (await command(tmp_path, *words, "--unsigned")).code == 0


async def test_what_was_sent_unsigned_for_want_of_a_secret_is_said(client: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "send", "supabase", "--json", "--wait", "--url", client.url)
    assert ran.code == 0
    assert [line["status"] if "status" in line else line["state"] for line in ran.lines] == [202, "settled"]
    assert "unsigned" in ran.err


async def test_the_rate_that_was_reached_is_said(client: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "send", "supabase", "--count", "40", "--rate", "20", "--url", client.url)
    assert ran.code == 0
    assert re.match(r"40 sent in \d+\.\d s, \d+ of 20 a second: 40 × 202\n", ran.out)
    ran = await command(tmp_path, "send", "supabase", "--count", "40", "--json", "--url", client.url)
    assert ran.lines[0]["per_second"] > 0


async def test_stopped_in_the_middle_it_says_what_was_sent(client: Running, tmp_path: Path) -> None:
    words = ("send", "supabase", "--count", "100000", "--rate", "100", "--json", "--url", client.url)
    async with lasting(tmp_path, *words) as sending:

        async def begun() -> bool:
            return await received(client) > 10

        await wait_until(begun)
        sending.send(signal.SIGINT)
        assert await sending.ended() == 130
    summary = json.loads(sending.lines[-1])
    assert summary["sent"] == await received(client)
    assert summary["statuses"] == {"202": summary["sent"]}


async def test_interrupted_while_its_threads_begin_it_waits_for_those_that_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Thread.start

    def interrupted(self: Thread) -> None:
        start(self)
        if self.name.startswith("sender"):
            raise KeyboardInterrupt

    monkeypatch.setattr(Thread, "start", interrupted)
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(burst, "print_json", told.append)  # the service in this process prints lines of its own
    body = (
        b'{"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "%d", "data": {"id": 1}}'
    )
    posts = (Post(body=body % number, headers={}) for number in range(100_000))
    async with running(make_settings(tmp_path / "data"), process=False) as service:
        api = Api(service.url, None)

        def send() -> None:
            with pytest.raises(KeyboardInterrupt):
                burst.send(api, "/api/v1/webhooks/supabase", posts, None, as_json=True)

        await asyncio.to_thread(send)
        assert not [one for one in threading.enumerate() if one.name.startswith("sender")]
        assert [one["sent"] for one in told] == [await received(service)]
        api.close()
