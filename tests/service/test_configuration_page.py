"""docs/configuration.md is what the settings say."""

import subprocess

import pytest

from scripts.configuration_page import page
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: a page

SCRIPT = REPOSITORY / "scripts" / "config-reference"
PAGE = REPOSITORY / "docs" / "configuration.md"


def test_the_configuration_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run ./scripts/config-reference"


def test_every_key_has_a_meaning_and_says_what_it_takes() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if len(row) != 4 or not all(cell.strip() for cell in row)] == []


def test_asking_for_help_writes_nothing() -> None:
    written = PAGE.stat().st_mtime_ns
    shown = subprocess.run([SCRIPT, "--help"], check=True, capture_output=True, text=True)
    assert "usage: scripts/config-reference" in shown.stdout
    assert PAGE.stat().st_mtime_ns == written
