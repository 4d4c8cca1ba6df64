"""A URL that is not the service's: every command says so in two lines, whatever answers there."""

import asyncio
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from typer.testing import CliRunner, Result

from hookbridge.books import Statistics
from hookbridge.cli import answers
from hookbridge.cli.main import app
from hookbridge.pipeline.status import LaneState
from hookbridge.readiness import Readiness
from hookbridge.reconcile.poll import PassResult
from hookbridge.reconcile.verdict import Progress, TableProof, Unproven, Verdict
from hookbridge.web import admin, events, health, live, reconcile, records, webhooks
from hookbridge.web.answers import EXAMPLES
from hookbridge.web.examples import SUPABASE_ACCEPTED, TRIAL_VALID
from tests.support.strangers import stranger

CALLS = (
    *("events list", "events show 1", "events replay 1", "events replay --all", "events replay --all --dry-run"),
    *("events rejected", "records show supabase users 1", "records diff supabase users 1"),
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


SAME: dict[type, Any] = {
    answers.EventPage: events.EventPageAnswer,
    answers.EventDetail: events.EventDetail,
    answers.Replayed: events.Replayed,
    answers.RejectedPage: live.RejectedPage,
    answers.Record: records.RecordAnswer,
    answers.Diff: records.DiffAnswer,
    answers.Asked: records.VerifyAnswer,
    answers.Lane: LaneState,
    answers.Readiness: Readiness,
    answers.Statistics: Statistics,
    answers.Following: reconcile.Following,
    answers.Pass: PassResult,
    answers.VerificationToken: admin.VerificationToken,
    answers.Health: health.Health,
    answers.Taken: webhooks.HandshakeStored,
    answers.Progress: Progress,
    answers.Proof: TableProof,
    answers.Unproven: Unproven,
    answers.Verdict: Verdict,
    answers.Failure: reconcile.Failure,
}


@pytest.mark.parametrize("read", SAME, ids=lambda one: one.__name__)
def test_what_is_read_of_an_answer_is_what_the_service_answers(read: type) -> None:
    wire = msgspec.json.decode(msgspec.json.encode(EXAMPLES[SAME[read]]))
    found: object = msgspec.convert(wire, read)
    assert found
    fields = {field.encode_name for field in msgspec.structs.fields(SAME[read])}  # some are not in every answer
    assert set(get_type_hints(read)) <= set(wire) | fields


def test_a_stranger_to_the_service_can_read_its_readiness() -> None:
    wire = msgspec.json.decode(msgspec.json.encode(EXAMPLES[health.ReadinessSummary]))
    assert msgspec.convert(wire, answers.Readiness)


def test_an_ack_and_a_trial_are_what_send_takes_for_one() -> None:
    for said in (TRIAL_VALID, SUPABASE_ACCEPTED):
        assert msgspec.convert(said, answers.Taken)
