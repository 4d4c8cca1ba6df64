"""A failing handler is debugged by what is shown of its event: which handler, which line, and how it came there."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from hookbridge.handlers import Bridge, Handler
from hookbridge.observe.places import TRACEBACK_BYTES_MAX, traceback_of
from hookbridge.testing import change, run
from tests.support.books import event, hint, send, settled
from tests.support.commands import command
from tests.support.processes import process
from tests.support.running import Running, make_settings, running


class Module:
    """A user's module on disk, and another one that it imports."""

    def __init__(self, folder: Path, name: str, text: str, helper: str = "") -> None:
        self.name = name
        self.table = f"t_{name}"
        self.text = textwrap.dedent(text).lstrip().replace("TABLE", self.table).replace("HELPER", f"{name}_helper")
        (folder / f"{name}.py").write_text(self.text)
        (folder / f"{name}_helper.py").write_text(textwrap.dedent(helper).lstrip())

    def line(self, part: str) -> int:
        """The number of the line with this text."""
        return next(number for number, line in enumerate(self.text.splitlines(), 1) if part in line)


async def died(service: Running, module: Module) -> dict[str, Any]:
    """Have it fail, and give what is shown of the event."""
    id_ = await send(service, hint(1, table=module.table, data={"id": 1, "name": "Ada"}))
    await settled(service)
    return await event(service, id_)


PLAIN = """
from hookbridge import bridge


@bridge.on("supabase", table="TABLE")
async def greet(change):
    password = "a value of a variable"
    print(change.columns["nope"])
"""
LIBRARY = """
import json
from hookbridge import bridge


@bridge.on("supabase", table="TABLE")
async def greet(change):
    json.loads("{")
"""
HELPED = """
from HELPER import shorten
from hookbridge import bridge


@bridge.on("supabase", table="TABLE")
async def greet(change):
    await shorten(change)
"""
HELPER = """
async def shorten(change):
    return change.columns["nope"]
"""
GROUPED = """
import asyncio
from hookbridge import bridge


async def inner(change):
    change.columns["nope"]


@bridge.on("supabase", table="TABLE")
async def greet(change):
    async with asyncio.TaskGroup() as group:
        group.create_task(inner(change))
"""
WRONG_SIGNATURE = """
from hookbridge import bridge


@bridge.on("supabase", table="TABLE")
async def greet():
    pass
"""


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("plain", PLAIN, "greet (plain.py:7): KeyError: 'nope'"),
        (
            "library",
            LIBRARY,
            "greet (library.py:7): JSONDecodeError: Expecting property name enclosed in",
        ),
        ("helped", HELPED, "greet (helped_helper.py:2): KeyError: 'nope'"),
        ("grouped", GROUPED, "greet (grouped.py:6): KeyError: 'nope'"),
        ("wrong_signature", WRONG_SIGNATURE, "greet (wrong_signature.py): TypeError: greet() takes 0 positional"),
    ],
)
async def test_the_reason_names_the_handler_and_the_innermost_line_of_the_users_own(
    tmp_path: Path, name: str, text: str, reason: str
) -> None:
    module = Module(tmp_path, name, text, HELPER)
    settings = make_settings(tmp_path, handlers={"module": name}, processing={"max_attempts": 2})
    async with running(settings) as service:
        told = await died(service, module)
    assert told["reason"].startswith(reason), told["reason"]
    assert [one["error"] for one in told["failures"]] == [told["reason"]] * 2
    for one in told["failures"]:
        kind = told["reason"].partition("): ")[2].partition(":")[0]
        assert f"{kind}:" in one["traceback"].rpartition("Traceback")[2]
        assert "a value of a variable" not in one["traceback"].replace('password = "a value of a variable"', "")
        assert "hookbridge/steps" not in one["traceback"]


FLAKY = """
from hookbridge import bridge


@bridge.on("supabase", table="TABLE")
async def greet(change):
    if change.attempt == 1:
        raise ValueError("only once")
"""


async def test_the_traceback_of_an_attempt_that_a_later_one_made_good_is_kept(tmp_path: Path) -> None:
    module = Module(tmp_path, "flaky", FLAKY)
    async with running(make_settings(tmp_path, handlers={"module": module.name})) as service:
        told = await died(service, module)
    assert (told["outcome"], told["reason"], told["attempts"]) == ("applied", None, 2)
    (failure,) = told["failures"]
    assert failure["error"] == f"greet (flaky.py:{module.line('raise')}): ValueError: only once"
    assert 'raise ValueError("only once")' in failure["traceback"]


def deep(levels: int) -> None:
    if levels == 0:
        raise ValueError("x" * 3_000 + "\N{GREEK SMALL LETTER ALPHA}" * 3_000 + "the end")
    try:
        deep(levels - 1)
    except Exception as error:
        raise RuntimeError(f"level {levels}") from error


@pytest.mark.parametrize("levels", [0, 1, 60])
def test_of_a_long_traceback_the_end_is_kept(levels: int) -> None:
    with pytest.raises((ValueError, RuntimeError)) as caught:
        deep(levels)
    told = traceback_of(caught.value)
    assert len(told.encode()) <= TRACEBACK_BYTES_MAX
    assert told.endswith(f"RuntimeError: level {levels}") or not levels
    assert ", in deep" in told


def test_a_chain_that_is_longer_than_the_stack_has_a_traceback() -> None:
    error = ValueError("first")
    for number in range(3_000):
        later = ValueError(f"number {number}")
        later.__context__ = error
        error = later
    assert traceback_of(error, without="x").endswith("ValueError: number 2999")


def test_a_recursion_without_end_has_a_short_traceback() -> None:
    def without_end() -> None:
        without_end()

    with pytest.raises(RecursionError) as caught:
        without_end()
    assert len(traceback_of(caught.value).encode()) <= TRACEBACK_BYTES_MAX


SECRET = "planted-webhook-secret"
TELLS = """
import os
from hookbridge import bridge


@bridge.on("supabase", table="TABLE")
async def greet(change):
    raise ValueError("signed with " + os.environ["WEBHOOK_SECRET"])
"""


async def test_no_configured_secret_is_in_a_reason_or_a_traceback_and_a_command_shows_both(tmp_path: Path) -> None:
    module = Module(tmp_path, "tells", TELLS)
    environ = {
        "HOOKBRIDGE_HANDLERS__MODULE": module.name,
        "HOOKBRIDGE_PROCESSING__RETRY_DELAY_SECONDS": "0",
        "WEBHOOK_SECRET": SECRET,
        "VERIFY_WEBHOOK_SIGNATURES": "false",
    }
    async with process(tmp_path, environ) as service:
        id_ = await send(service, hint(1, table=module.table))
        await settled(service)
        shown = await command(tmp_path, "events", "show", str(id_), HOOKBRIDGE_URL=service.url)
        told = await (await service.get(f"/api/v1/events/{id_}")).text()
        assert shown.code == 0, shown.err
        lines = [line.strip() for line in shown.out.splitlines()]
        reason = f"greet (tells.py:{module.line('raise')}): ValueError: signed with [secret]"
        assert f"reason  {reason}" in lines
        assert f'File "{tmp_path}/tells.py", line {module.line("raise")}, in greet' in lines
        assert lines.count("ValueError: signed with [secret]") == 1
        assert lines.count("(the same traceback)") == 2
        assert SECRET not in shown.out + told + json.dumps(service.log)


CUT = """
import os
from hookbridge import bridge

secret = os.environ["WEBHOOK_SECRET"]
texts = ["x" * 490 + secret, "first\\n" + "x" * 990 + secret, "\\n".join([secret + "yy"] * 1_000)]


@bridge.on("supabase", table="TABLE")
async def greet(change):
    raise ValueError(texts[int(change.record.id)])
"""


async def test_no_part_of_a_secret_stays_where_a_long_text_is_cut(tmp_path: Path) -> None:
    module = Module(tmp_path, "cut", CUT)
    environ = {"HOOKBRIDGE_HANDLERS__MODULE": module.name, "WEBHOOK_SECRET": SECRET}
    environ |= {"HOOKBRIDGE_PROCESSING__MAX_ATTEMPTS": "1", "VERIFY_WEBHOOK_SIGNATURES": "false"}
    async with process(tmp_path, environ) as service:
        ids = [await send(service, hint(number, table=module.table)) for number in range(3)]
        assert await settled(service) == {"received": 3, "dead": 3}
        told = [json.dumps(await event(service, id_)) for id_ in ids]
        assert ["xxxx[secret]" in told[0], "xxxx[sec" in told[1], "[secret]yy" in told[2]] == [True, True, True]
        shown = [*told, json.dumps(service.log)]
        assert [part for part in (SECRET[:8], SECRET[-8:]) for text in shown if part in text] == []


# hookbridge.testing


HOOKS = Bridge()


async def greets(_change: object) -> None:
    """A handler that nobody registered."""


@pytest.fixture
def registered() -> Handler:
    """A handler of one table's deletions."""

    async def only_deletions(given: object) -> None:
        seen.append(given)

    seen: list[object] = []
    HOOKS.on("supabase", table="of_this_test", event="delete")(only_deletions)
    return only_deletions


def test_a_handler_is_run_for_changes_that_it_is_registered_for_and_for_no_others(registered: Handler) -> None:
    run(registered, change("supabase", "of_this_test", 1, event="delete", previous={"id": 1}), bridge=HOOKS)
    with pytest.raises(
        AssertionError, match=r"not called for this change \(insert of supabase:public\.of_this_test:1\)"
    ):
        run(registered, change("supabase", "of_this_test", 1, event="insert", columns={"id": 1}), bridge=HOOKS)
    with pytest.raises(AssertionError, match=r"public\.another"):
        run(registered, change("supabase", "another", 1, event="delete"), bridge=HOOKS)
    run(greets, change("notion", "a" * 32, "b" * 32))


def test_what_there_cannot_be_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="no source 'mysql'; expected supabase or notion"):
        change("mysql")  # type: ignore[arg-type]  # what a type checker would have told
    with pytest.raises(ValueError, match="no event 'upsert'; expected insert, update, delete"):
        change(event="upsert")


def test_a_made_change_has_the_fields_of_a_real_one() -> None:
    made = change("supabase", "users", 42, event="update", columns={"n": 1}, previous={"n": 0}, attempt=2)
    assert (str(made.record), made.type, made.attempt) == ("supabase:public.users:42", "update", 2)
    assert made.verification is not None
    assert made.truth is not None
    assert made.copy is not None
    assert (made.verification.value, made.truth.data, made.copy.data) == ("verified", b'{"n":1}', b'{"n":0}')
    gone = change("notion", "E8D4B0A1C7F24A9E8F2D5C3B1A6E9F4D", "p", event="delete", previous={})
    assert gone.record.table == "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
    assert (gone.columns, gone.verification and gone.verification.value) == (None, "absent")
