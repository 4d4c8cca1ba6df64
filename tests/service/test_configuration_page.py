"""docs/configuration.md is what the settings say."""

import runpy

from tests.support.processes import REPOSITORY


def test_the_configuration_page_is_up_to_date() -> None:
    page = runpy.run_path(str(REPOSITORY / "scripts" / "config-reference"))["page"]
    written = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert written == page(), "run .venv/bin/python scripts/config-reference"
