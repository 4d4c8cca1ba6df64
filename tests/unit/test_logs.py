"""What a log line looks like, what it must not show, and that it never gets in the way."""

import ast
import io
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import structlog

from hookbridge.config import LoggingConfig, Secrets
from hookbridge.observe.logs import QUIET, configure
from hookbridge.observe.redaction import HIDDEN, SHOWN, hide, hide_learnt

ROOT = Path(__file__).parents[2]

PLANTED = Secrets(
    supabase_key="sb_secret_planted",
    notion_token="ntn_planted",
    webhook_secrets=("whsec_planted", "it's \\planted\\"),
    notion_webhook_secrets=("notion_planted",),
    admin_token="admin_planted",
    redis_url="redis://:p%40ss_planted@localhost:6379/0",
    store_url="postgresql://us:st%40re_planted@localhost/postgres?password=qu%40ry_planted",
)
EVERY_SECRET = (
    PLANTED.supabase_key,
    PLANTED.notion_token,
    *PLANTED.webhook_secrets,
    *PLANTED.notion_webhook_secrets,
    PLANTED.admin_token,
    PLANTED.redis_url,
    "p@ss_planted",
    "st@re_planted",
    "st%40re_planted",
    "qu@ry_planted",
)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    structlog.reset_defaults()
    root.handlers, root.level = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def written(
    write: Callable[[], object], config: LoggingConfig | None = None, secrets: Secrets = PLANTED
) -> list[dict[str, Any]]:
    """The lines that `write` leads to, decoded."""
    stream = io.StringIO()
    configure(config or LoggingConfig(), secrets, stream=stream)
    write()
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


def say(event: str = "said", /, **fields: object) -> Callable[[], object]:
    return lambda: structlog.get_logger("hookbridge.test").info(event, **fields)


def test_a_line_is_one_json_object_with_time_level_and_name() -> None:
    (line,) = written(say("Webhook processed\nsuccessfully", record="supabase:public.users:1", duration=0.25))
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "hookbridge.test",
        "event": "Webhook processed\nsuccessfully",
        "record": "supabase:public.users:1",
        "duration": 0.25,
    }


def test_lines_of_libraries_have_the_same_form() -> None:
    (line,) = written(lambda: logging.getLogger("aiohttp.server").warning("Error handling %s", "request"))
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "warning", "logger": "aiohttp.server", "event": "Error handling request"}


def test_levels_below_the_configured_one_are_left_out() -> None:
    def speak() -> None:
        log = structlog.get_logger()
        log.info("ours, low")
        log.warning("ours")
        logging.getLogger("aiohttp").info("theirs, low")
        logging.getLogger("aiohttp").error("theirs")

    lines = written(speak, LoggingConfig(level="warning"))
    assert [line["event"] for line in lines] == ["ours", "theirs"]


@pytest.mark.parametrize("name", QUIET)
def test_libraries_that_tell_of_every_request_are_quiet_also_at_debug(name: str) -> None:
    def speak() -> None:
        logging.getLogger(name).info("HTTP Request: GET https://x")
        logging.getLogger(name).warning("something is wrong")

    lines = written(speak, LoggingConfig(level="debug"))
    assert [line["event"] for line in lines] == ["something is wrong"]


def test_an_exception_is_in_the_line_with_its_traceback() -> None:
    def fail() -> None:
        try:
            message = "broken"
            raise ValueError(message)
        except ValueError:
            structlog.get_logger().exception("Request failed")
            logging.getLogger("aiohttp").exception("Theirs failed")

    for line in written(fail):
        assert line["exception"].startswith("Traceback")
        assert line["exception"].endswith("ValueError: broken")


# Secrets


@pytest.mark.parametrize("secret", EVERY_SECRET)
@pytest.mark.parametrize("format_", ["json", "console"])
def test_no_line_shows_a_configured_secret(secret: str, format_: Literal["json", "console"]) -> None:
    stream = io.StringIO()
    configure(LoggingConfig(format=format_), PLANTED, stream=stream)
    log = structlog.get_logger(f"name-{secret}")
    said = f"text with {secret}"
    log.info(said, reason=secret, error={"nested": [secret]}, credentials=[(secret, 1)])
    log.info("under a key of any name", anything=secret, numbers=[1, 2])
    log.info("an object", error=ValueError(secret))
    try:
        raise KeyError(secret)
    except KeyError as error:
        log.exception("failed")
        log.warning("failed", exc_info=error)
        logging.getLogger("aiohttp").exception("theirs: %s", secret)
    text = stream.getvalue()
    assert text.count("[secret]") >= 10
    for form in (secret, repr(secret)[1:-1], msgspec.json.encode(secret).decode()[1:-1]):
        assert form not in text
    assert HIDDEN in text


@pytest.mark.parametrize(
    "secret", ['quo"ted-secret', "geheimnis-schlüssel", "tab\tand\nline", "back\\slash", "\x7fdel\x85"]
)
def test_a_secret_that_json_writes_otherwise_is_hidden_too(secret: str) -> None:
    (line,) = written(say(reason=f"a {secret} b", steps=[secret]), secrets=Secrets(admin_token=secret))
    assert (line["reason"], line["steps"]) == ("a [secret] b", ["[secret]"])


@pytest.mark.parametrize("beside", ["\ud800", 2**70])
def test_a_secret_beside_what_json_cannot_hold_is_hidden_too(beside: object) -> None:
    (line,) = written(say(path=beside, reason=PLANTED.admin_token))
    assert line["reason"] == "[secret]"


def test_text_under_an_unknown_key_is_hidden_and_numbers_are_shown() -> None:
    fields: dict[str, object] = {
        "authorization": "Bearer x",
        "body": b"{}",
        "payload": {"a": 1},
        "queued": 3,
        "late": True,
        "none": None,
    }
    (line,) = written(say(**fields))
    assert {key: line[key] for key in fields} == {
        "authorization": HIDDEN,
        "body": HIDDEN,
        "payload": HIDDEN,
        "queued": 3,
        "late": True,
        "none": None,
    }


def keys_of_log_calls() -> Iterator[tuple[str, str]]:
    """Every key that a log call of ours names, with its file."""
    for file in (ROOT / "hookbridge").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[0] in ("log", "_log"):
                yield from ((one.arg, file.name) for one in node.keywords if one.arg not in (None, "exc_info"))


NUMBERS = {
    "attempt",
    "bytes",
    "changes",
    "connections",
    "deletions",
    "done",
    "duration",
    "epoch",
    "events",
    "kept",
    "open_events",
    "requests",
    "rows",
    "status",
}


def test_the_address_of_a_store_is_shown_with_everything_but_its_password() -> None:
    (line,) = written(say(data="postgresql://us@db.example.com/postgres", error=f"cannot reach {PLANTED.store_url}"))
    assert line["data"] == "postgresql://us@db.example.com/postgres"
    assert "planted" not in line["error"]
    bare = Secrets(store_url="postgresql://us@db.example.com/postgres")
    (line,) = written(say(data=bare.store_url), secrets=bare)
    assert line["data"] == bare.store_url


def test_every_key_that_our_code_logs_is_shown() -> None:
    found = set(keys_of_log_calls())
    assert ("remote", "access_log.py") in found
    unknown = {
        (key, file) for key, file in found if key not in SHOWN | NUMBERS and not key.endswith(("_seconds", "_bytes"))
    }
    assert not unknown, "add these to SHOWN in observe/redaction.py if their text can never be a secret"


def test_the_keys_of_the_last_line_of_a_change_are_shown() -> None:
    fields: dict[str, object] = {
        "record": "r",
        "outcome": "applied",
        "verification": "verified",
        "steps": ("a", "b"),
        "reason": "none",
    }
    (line,) = written(say(**fields))
    assert {key: line[key] for key in fields} == {**fields, "steps": ["a", "b"]}


# What must not get in the way


class Broken(io.StringIO):
    """A pipe that nobody reads any more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


class Closing(io.StringIO):
    """A stream that is closed after the set-up."""


@pytest.mark.parametrize("stream", [Broken(), Closing()])
def test_a_line_that_cannot_be_written_does_no_harm(stream: io.StringIO) -> None:
    configure(LoggingConfig(), PLANTED, stream=stream)
    if isinstance(stream, Closing):
        stream.close()
    say()()
    logging.getLogger("aiohttp").warning("theirs")


@pytest.mark.parametrize(("format_", "shown"), [("json", "é".encode()), ("console", rb"\xe9")])
def test_every_character_is_written_whatever_the_locale(format_: Literal["json", "console"], shown: bytes) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    configure(LoggingConfig(format=format_), PLANTED, stream=stream)
    say("é")()
    assert shown in raw.getvalue()


@pytest.mark.parametrize("odd", ["\x1b[2J", "a\x9bB", "\x07", "gone\rnothing", "\x7f\x85", "a\u202egnp.exe"])
@pytest.mark.parametrize("format_", ["json", "console"])
def test_no_text_moves_a_terminals_cursor(odd: str, format_: Literal["json", "console"]) -> None:
    stream = io.StringIO()
    configure(LoggingConfig(format=format_), PLANTED, stream=stream)
    structlog.get_logger().info("Record", record=odd, hint=odd)
    line = stream.getvalue().rstrip("\n")
    assert line.isprintable()
    assert msgspec.json.decode(line)["record"] == odd if format_ == "json" else re.search(r"\\[xu]", line)


@pytest.mark.parametrize("value", ["\ud800", 2**70])
def test_what_json_cannot_hold_is_still_a_line(value: object) -> None:
    (line,) = written(say("said", path=value))
    assert line["event"] == "said"


def test_the_console_form_is_for_people() -> None:
    stream = io.StringIO()
    configure(LoggingConfig(format="console"), PLANTED, stream=stream)
    say("Listening", url="http://127.0.0.1:8080")()
    assert "Listening" in stream.getvalue()
    assert "url=http://127.0.0.1:8080" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "is_json"), [(io.StringIO(), True), (Terminal(), False)])
def test_auto_is_console_on_a_terminal_and_json_elsewhere(stream: io.StringIO, is_json: object) -> None:
    configure(LoggingConfig(format="auto"), PLANTED, stream=stream)
    say()()
    assert stream.getvalue().startswith("{") is is_json


def test_a_secret_that_is_learnt_later_is_hidden_from_then_on() -> None:
    def speak() -> None:
        hide("learnt-token")
        hide("learnt-token-that-is-longer")
        say("has learnt-token-that-is-longer and learnt-token", reason=PLANTED.supabase_key)()

    (line,) = written(speak)
    assert line["event"] == "has [secret] and [secret]"
    assert line["reason"] == "[secret]"


TOKEN = "secret_Zq7vKx0r2mYwT5uLhN8bGdPcJ4fXa1e9sQoViMtRnBk"


def test_a_token_that_a_sender_brought_is_hidden_like_ours() -> None:
    def speak() -> None:
        hide_learnt(TOKEN)
        say("Failed", error=f"cannot use {TOKEN}", path=f"/?token={TOKEN}", hint=[TOKEN])()

    (line,) = written(speak)
    assert (line["error"], line["path"], line["hint"]) == ("cannot use [secret]", "/?token=[secret]", ["[secret]"])


@pytest.mark.parametrize(
    "word", ["warning", "2026", "hookbridge.web", "POST", "supabase", "signature verification failed"]
)
def test_a_word_that_a_sender_called_a_token_hides_nothing_of_ours(word: str) -> None:
    def speak() -> None:
        hide_learnt(word)
        say(f"about {word}", reason=f"because of {word}", method="POST", source="supabase")()

    (line,) = written(speak)
    assert "[secret]" not in str(line)


@pytest.mark.parametrize("secret", ["warning", "info", "tests", "2026"])
def test_level_and_time_are_never_hidden_whatever_the_secrets_are(secret: str) -> None:
    def speak() -> None:
        hide(secret)
        say("Started", reason=f"by {secret}")()

    (line,) = written(speak)
    assert line["reason"] == "by [secret]"
    assert "[secret]" not in line["timestamp"] + line["level"]
