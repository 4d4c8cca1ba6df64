"""Registering, matching and loading a user's functions."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookbridge.errors import StartupError
from hookbridge.handlers import Bridge, load_handlers
from hookbridge.handlers import bridge as the_bridge
from hookbridge.model import Change, RecordKey
from tests.support.events import event, stored

PAGE = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"


async def one(change: Change) -> None:
    """A handler."""


async def two(change: Change) -> None:
    """Another one."""


def change(table: str = "public.users", *types: str) -> Change:
    """A change of a Supabase row whose events are of these types."""
    events = tuple(stored(number, event(table=table, type=type_)) for number, type_ in enumerate(types or ("update",)))
    return Change(record=RecordKey("supabase", table, "1"), events=events)


def page(database: str = DATABASE) -> Change:
    """A change of a Notion page."""
    return Change(
        record=RecordKey("notion", database, PAGE), events=(stored(1, event(PAGE, table=database, source="notion")),)
    )


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


def test_a_handler_without_filters_gets_every_change_of_its_source(bridge: Bridge) -> None:
    bridge.on("supabase")(one)
    assert bridge.matching(change("public.users", "insert")) == [one]
    assert bridge.matching(change("private.other", "delete")) == [one]
    assert bridge.matching(page()) == []


def test_the_decorator_gives_the_function_back(bridge: Bridge) -> None:
    assert bridge.on("supabase")(one) is one


@pytest.mark.parametrize(("written", "table"), [("users", "public.users"), ("app.users", "app.users")])
def test_a_table_without_schema_is_in_public(bridge: Bridge, written: str, table: str) -> None:
    bridge.on("supabase", table=written)(one)
    assert bridge.matching(change(table)) == [one]
    assert bridge.matching(change("other.users")) == []


@pytest.mark.parametrize("written", [DATABASE, DATABASE.replace("-", ""), DATABASE.upper()])
def test_a_notion_database_is_found_by_its_id_however_it_is_written(bridge: Bridge, written: str) -> None:
    bridge.on("notion", table=written)(one)
    assert bridge.matching(page()) == [one]
    assert bridge.matching(page(PAGE)) == []


def test_a_handler_for_an_event_gets_the_changes_that_have_it_among_their_events(bridge: Bridge) -> None:
    bridge.on("supabase", event="INSERT")(one)
    assert bridge.matching(change("public.users", "insert", "update")) == [one]
    assert bridge.matching(change("public.users", "update", "delete")) == []


def test_handlers_are_given_in_the_order_of_their_registration(bridge: Bridge) -> None:
    bridge.on("supabase", table="users")(two)
    bridge.on("supabase")(one)
    assert bridge.matching(change()) == [two, one]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "mysql"}, "there is no source 'mysql'; expected supabase or notion"),
        ({"source": "notion", "event": "upsert"}, "there is no event 'upsert'; expected insert, update, delete"),
        ({"source": "supabase", "table": ""}, "'' is no table's name: expected 1 to 255 characters"),
        ({"source": "supabase", "table": "public:users"}, "'public:users' is no table's name"),
        ({"source": "notion", "table": "tasks\n"}, "is no table's name: .* without a colon or control characters"),
    ],
)
def test_what_there_cannot_be_is_refused(bridge: Bridge, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bridge.on(**arguments)


def test_a_function_that_is_not_async_is_refused_by_name(bridge: Bridge) -> None:
    def plain(change: Change) -> None: ...

    with pytest.raises(TypeError, match=r"plain must be an async function"):
        bridge.on("supabase")(plain)  # type: ignore[type-var]  # what a type checker would have told
    assert not bridge


# Loading a module


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the import system as it was."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


SHARED = "from hookbridge import bridge\n@bridge.on('supabase', table='of_this_test')\nasync def mine(change): ..."
OWN = "from hookbridge import Bridge\nhooks = Bridge()\n@hooks.on('supabase')\nasync def mine(change): ..."


def names(bridge: Bridge) -> list[str]:
    return list(bridge.names())


def written(folder: Path, code: str) -> None:
    (folder / "mine.py").write_text(code)


def test_a_module_is_found_beside_the_configuration_and_may_import_later(tmp_path: Path) -> None:
    written(tmp_path, OWN)
    (tmp_path / "beside.py").write_text("")
    assert names(load_handlers("mine", tmp_path)) == ["mine (mine.py)"]
    __import__("beside")


def test_without_a_bridge_of_its_own_a_module_has_the_one_that_all_share(tmp_path: Path) -> None:
    written(tmp_path, SHARED)
    assert load_handlers("mine", tmp_path) is the_bridge
    assert the_bridge.listens("supabase", "public.of_this_test")


def test_a_module_may_leave_the_registering_to_others(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(SHARED)
    written(tmp_path, "import theirs")
    assert load_handlers("mine", tmp_path) is the_bridge


def test_a_bridge_of_its_own_may_lie_in_another_module(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(OWN)
    written(tmp_path, "from hookbridge import bridge\nfrom theirs import hooks as ours\nimport theirs")
    assert names(load_handlers("mine", tmp_path)) == ["mine (theirs.py)"]


@pytest.mark.parametrize("other", [SHARED, OWN.replace("hooks", "more")])
def test_handlers_at_two_bridges_are_refused_because_one_is_called(tmp_path: Path, other: str) -> None:
    written(tmp_path, f"{OWN}\n{other}")
    with pytest.raises(StartupError, match="The handlers' module mine has handlers at 2 bridges") as caught:
        load_handlers("mine", tmp_path)
    assert "all at one" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1\nx.nope", r"AttributeError: 'int' object has no attribute 'nope' \(mine\.py, line 2\)"),
        ("def f(:", r"SyntaxError: .* \(mine\.py, line 1\)"),
        ("import sys\nsys.exit('no')", r"SystemExit: no \(mine\.py, line 2\)"),
        ("import not_there", r"ModuleNotFoundError: No module named 'not_there' \(mine\.py, line 1\)"),
        ("raise ValueError('first\\nsecond')", r"ValueError: first \(mine\.py, line 1\)"),
        ("raise ValueError", r"ValueError \(mine\.py, line 1\)"),
        (OWN.replace("async ", ""), r"TypeError: .* must be an async function \(mine\.py, line 3\)"),
        (f"\n{OWN.replace('supabase', 'superbase')}", r"ValueError: .* no source 'superbase'.* \(mine\.py, line 4\)"),
        ("import json\n\njson.loads('{')", r"JSONDecodeError: .* \(mine\.py, line 3\)"),
        (
            "class E(Exception):\n  def __str__(self): 1/0\nraise E",
            r"E: \(its text cannot be shown\) \(mine\.py, line 3\)",
        ),
    ],
)
def test_what_a_module_raises_is_told_in_one_line_with_its_place(tmp_path: Path, code: str, message: str) -> None:
    written(tmp_path, code)
    with pytest.raises(StartupError, match=rf"The handlers' module mine could not be imported: {message}$") as caught:
        load_handlers("mine", tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["absent", "absent.inner"])
def test_a_module_that_is_not_there_says_where_it_belongs(tmp_path: Path, name: str) -> None:
    with pytest.raises(StartupError, match=rf"The handlers' module {name} was not found") as caught:
        load_handlers(name, tmp_path)
    assert str(tmp_path) in caught.value.hint


@pytest.mark.parametrize("code", ["async def forgot(change): ...", "from hookbridge import Bridge\nhooks = Bridge()"])
def test_a_module_that_registers_nothing_is_refused(tmp_path: Path, code: str) -> None:
    written(tmp_path, code)
    load = "import pathlib; from hookbridge.handlers import load_handlers; load_handlers('mine', pathlib.Path.cwd())"
    done = subprocess.run([sys.executable, "-c", load], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.endswith("The handlers' module mine registers no handler\n")


def test_the_names_for_handlers_import_neither_the_server_nor_the_sdks() -> None:
    code = (
        "import sys; from hookbridge import Change, Copy, PermanentFailure, RecordKey, Verification, Bridge, bridge;"
        "print([m for m in ('aiohttp', 'supabase', 'notion_client', 'httpx', 'structlog') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
