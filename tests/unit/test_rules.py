"""Every rule of docs/architecture.md has its test file, which names it, and no test file names another one."""

import re
from pathlib import Path

from tests.support.commands import REPOSITORY

PROMISES = REPOSITORY / "tests" / "promises"


def rules() -> list[int]:
    """The numbers of the rules, as the page has them."""
    page = (REPOSITORY / "docs" / "architecture.md").read_text()
    section = page.partition("\n## The eleven rules\n")[2].partition("\n## ")[0]
    return [int(number) for number in re.findall(r"^(\d+)\. \*\*", section, re.MULTILINE)]


def named(file: Path) -> tuple[int, int]:
    """The rule of a test file, by its name and by its first line."""
    said = re.match(r'"""Rule (\d+)[:,]', file.read_text())
    return int(file.name.split("_")[1]), int(said.group(1)) if said else 0


def test_every_rule_has_its_tests_and_they_say_which_it_is() -> None:
    files = [named(file) for file in sorted(PROMISES.glob("test_*.py"))]
    assert rules() == list(range(1, 12))
    assert all(of == said for of, said in files)
    assert sorted({of for of, _ in files}) == rules()
