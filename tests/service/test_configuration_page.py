"""docs/configuration.md is what the settings say."""

import runpy
import subprocess
import sys

from tests.support.processes import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "config-reference"
PAGE = REPOSITORY / "docs" / "configuration.md"


def test_the_configuration_page_is_up_to_date() -> None:
    page = runpy.run_path(str(SCRIPT))["page"]
    assert PAGE.read_text() == page(), "run .venv/bin/python scripts/config-reference"


def test_every_key_has_a_meaning_and_says_what_it_takes() -> None:
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert rows
    assert [row for row in rows if len(row) != 4 or not all(cell.strip() for cell in row)] == []


def test_asking_for_help_writes_nothing() -> None:
    written = PAGE.stat().st_mtime_ns
    shown = subprocess.run([sys.executable, SCRIPT, "--help"], check=True, capture_output=True, text=True)
    assert "usage: scripts/config-reference" in shown.stdout
    assert PAGE.stat().st_mtime_ns == written
