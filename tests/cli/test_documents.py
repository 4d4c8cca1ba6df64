"""docs/commands.md has every command and every option, and none that does not exist; each has help with examples."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from hookbridge.cli.main import app

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"


def commands() -> Iterator[tuple[str, typer.models.CommandInfo]]:
    for one in app.registered_commands:
        yield str(one.name), one
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for one in group.typer_instance.registered_commands:
            yield f"{group.name} {one.name}", one


COMMANDS = dict(commands())


def options(name: str) -> set[str]:
    """The long options that the parser of this command knows."""
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    found = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    return found - {"--help"}


def sections() -> dict[str, str]:
    _, *parts = re.split(r"^## ", DOCUMENT.read_text(), flags=re.MULTILINE)
    return dict(part.split("\n", 1) for part in parts)


def test_every_command_has_its_section() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_in_the_section_of_its_command_once(name: str) -> None:
    text = re.sub(r"```.*?```", "", sections()[name], flags=re.DOTALL)
    described = re.findall(r"^\| `(--[a-z-]+)", text, flags=re.MULTILINE)
    (shared,) = re.findall(r"^With (.*?)\.(?: |$)", text, flags=re.MULTILINE) or [""]
    described += re.findall(r"`(--[a-z-]+)`", shared)
    assert sorted(described) == sorted(options(name))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_of_the_command(name: str) -> None:
    epilog = str(COMMANDS[name].epilog)
    assert "Examples:" in epilog
    assert "./scripts/run" + (f" {name}" if name != "serve" else "") in epilog  # as the README names it
    assert "python -m hookbridge" not in epilog


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_is_one_line_of_80_columns(name: str) -> None:
    examples = [line for line in str(COMMANDS[name].epilog).splitlines() if line.startswith("  ")]
    assert examples
    shown = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": "80"}).stdout
    assert [line for line in examples if line.strip() not in map(str.strip, shown.splitlines())] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_example_calls_a_command_that_there_is_with_its_own_options(name: str) -> None:
    called = re.findall(r"\./scripts/run(.*?)(?: {3}|[|>\n])", str(COMMANDS[name].epilog))
    assert called
    for part in called:
        words = shlex.split(part)
        command: Any = typer.main.get_command(app)
        while words and not words[0].startswith("-") and hasattr(command, "commands"):
            assert words[0] in command.commands, part
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, part
