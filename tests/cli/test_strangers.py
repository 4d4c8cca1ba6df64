"""A URL that is not the service's: every command says so in two lines, whatever answers there."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from hookbridge.api.examples import SUPABASE_ACCEPTED, TRIAL_VALID
from hookbridge.api.webhooks import Taken
from hookbridge.cli.main import app
from hookbridge.web.routes import ROUTES
from tests.support.strangers import stranger

CALLS = (
    *("events list", "events show 1", "events replay 1", "events replay --all", "events replay --all --dry-run"),
    *("events dead", "events dismiss 1", "events dismiss --all", "events dismiss --all --dry-run"),
    *("events rejected", "records list", "records search ada"),
    *("records show supabase users 1", "records diff supabase users 1"),
    *("records verify supabase users 1", "reconcile", "reconcile --source supabase --table users", "verify"),
    *("pause supabase", "resume notion", "stats", "stats --json", "stats --watch", "tail", "send supabase"),
    *("send supabase --json --test", "send supabase --count 3", "send notion --format integration"),
)
ANSWERS = {
    "FastAPI's 404": (404, b'{"detail":"Not Found"}', "application/json"),
    "an empty object": (200, b"{}", "application/json"),
    "a list": (200, b"[]", "application/json"),
    "null": (200, b"null", "application/json"),
    "nothing": (200, b"", "application/json"),
    "a web page": (200, b"<html>", "text/html"),
    "no UTF-8": (200, b"\xff", "application/json"),
    "half of an answer": (200, b'{"events": [1], "books": 1, "tables": 2, "status": "ok"}', "application/json"),
    "an error of another form": (422, b'{"detail": [{"loc": "x"}]}', "application/json"),
    "a login": (401, b"who are you?", "text/plain"),
    "a broken proxy": (502, b"<html>", "text/html"),
}


def typed(words: str, url: str) -> Result:
    environ = {"HOOKBRIDGE_URL": url, "HOOKBRIDGE_ADMIN_TOKEN": "some-admin-token"}
    return CliRunner().invoke(app, words.split(), env=environ)


def explained(ran: Result) -> bool:
    """Whether it ended as what cannot be done ends: two lines and 2, and no traceback."""
    *_, error, hint = ["", "", *ran.stderr.splitlines()]
    return error.startswith("error: ") and hint.startswith("try: ") and ran.exit_code == 2


FEW = ("events list", "stats", "verify", "send supabase")
"""One of each way of reading an answer."""


@pytest.mark.parametrize("kind", ANSWERS)
async def test_every_command_says_that_what_answers_is_no_hookbridge(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with stranger(*ANSWERS[kind]) as url:
        calls = CALLS if kind in {"FastAPI's 404", "an empty object"} else FEW
        ran = {words: await asyncio.to_thread(typed, words, url) for words in calls}
    assert {words: (one.stderr, one.exception) for words, one in ran.items() if not explained(one)} == {}
    said = "No hookbridge answers" if kind == "a broken proxy" else "is no hookbridge"
    ended = {"nothing": "without a result"}.get(kind, said)  # a proof of no line is one that was cut
    assert [words for words, one in ran.items() if said not in one.stderr and ended not in one.stderr] == []


async def test_a_redirect_is_named_with_the_url_to_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    to = "https://hooks.example.com/api/v1/events?limit=20"
    async with stranger(302, b"", "text/plain", Location=to) as url:
        ran = await asyncio.to_thread(typed, "events list", url)
        assert ran.stderr == f"error: {url} redirects to {to}\ntry: --url https://hooks.example.com\n"
        every = {words: await asyncio.to_thread(typed, words, url) for words in CALLS}
    assert [words for words, one in every.items() if not explained(one)] == []


@pytest.mark.parametrize(
    "said", [TRIAL_VALID, SUPABASE_ACCEPTED, {"status": "verification_token_stored", "message": "kept"}]
)
def test_what_a_sender_is_answered_is_what_send_takes_for_one(said: object) -> None:
    assert msgspec.convert(said, Taken).message


PAGE: dict[str, Any] = {"events": [], "next_cursor": None, "horizon": 0}


async def test_fields_of_a_newer_service_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    newer = msgspec.json.encode({**PAGE, "of_tomorrow": {"a": 1}})
    async with stranger(200, newer, "application/json") as url:
        ran = await asyncio.to_thread(typed, "events list", url)
    assert (ran.exit_code, ran.stderr) == (0, "There is no event yet\n")


def test_whoever_reads_an_answer_passes_over_what_it_does_not_know() -> None:
    answered = {body for route in ROUTES for answer in route.answers.values() for body in answer.bodies}
    structs = {kind for kind in answered if issubclass(kind, msgspec.Struct)}
    assert {kind.__name__ for kind in structs if kind.__struct_config__.forbid_unknown_fields} == set()


async def test_a_row_has_all_its_digits_on_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record = b'{"source": "supabase", "table": "public.users", "id": "1", "changed_at": null, "verified": true, '
    record += b'"title": "1", "table_label": "users", "content": null, "content_state": "off", '
    record += b'"read_at": "2026-01-01T15:00:00Z", "data": {\n "price": 12345678901234567890.12345678901234567890}}'
    async with stranger(200, record, "application/json") as url:
        ran = await asyncio.to_thread(typed, "records show supabase users 1 --json", url)
    assert ran.exit_code == 0, ran.stderr
    (line,) = ran.stdout.splitlines()
    assert '"data":{"price":12345678901234567890.12345678901234567890}' in line


OF_ANOTHER_VERSION = {
    "events list": b'{"events": [{"origin": "a carrier pigeon"}], "next_cursor": null}',
    "stats": b'{"ready": true, "inbox_writable": true, "store_fault": "it is on fire", "lanes": [], "warnings": []}',
    "send supabase": b'{"status": 1}',
}


@pytest.mark.parametrize("words", OF_ANOTHER_VERSION)
async def test_a_hookbridge_of_another_version_is_no_stranger(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with stranger(200, OF_ANOTHER_VERSION[words], "application/json", Server="hookbridge") as url:
        ran = await asyncio.to_thread(typed, words, url)
    assert explained(ran)
    assert f"error: The hookbridge at {url} answers what this command does not know: " in ran.stderr
    assert "\ntry: the two are of different versions" in ran.stderr
