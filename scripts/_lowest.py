"""Runs tests with the lowest versions that pyproject.toml allows: what its ranges say is true at their lower end, too.

usage: _lowest.py [ARGUMENT of pytest...]

What is named there comes in its lowest version, what that needs itself in the newest one that fits.  The environment
lies in `.venv-lowest`, and is made anew when a range has changed.  It uses the standard library only.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-lowest"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "prepared.json"

RANGE = re.compile(r"(?P<name>[\w.-]+(?:\[[\w,-]+\])?)>=(?P<lowest>[\w.]+),<[\w.]+(?P<marker>\s*;.*)?")
NOT_NEEDED = ("atheris", "playwright")
"""Large, and for other tests: the fuzzer and the one who drives a browser."""


def main(arguments: list[str]) -> NoReturn:
    """Prepare the environment unless it is as it should be, then become pytest."""
    wanted = lowest(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")))
    if stamped() != wanted:
        prepare(wanted)
    os.execv(PYTHON, [str(PYTHON), "-m", "pytest", *arguments])  # noqa: S606  no shell is wanted here


def lowest(pyproject: dict) -> list[str]:  # type: ignore[type-arg] # TOML, of any shape
    """Give each requirement as the lowest version of its range.  Raises ValueError for one that is no range."""
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    named = [*project["dependencies"], *groups["build"], *groups["test"]]
    named += [one for extra in project["optional-dependencies"].values() for one in extra]
    pinned = []
    for requirement in named:
        found = RANGE.fullmatch(requirement)
        if found is None:
            raise ValueError(f"pyproject.toml: {requirement!r} is no range from a lowest version to below another")
        if found["name"] not in NOT_NEEDED:
            pinned.append(f"{found['name']}=={found['lowest']}{found['marker'] or ''}")
    return pinned


def stamped() -> object:
    """Tell what the environment was made of; None where it was not made completely."""
    try:
        return json.loads(STAMP.read_bytes())
    except (OSError, ValueError):
        return None


def prepare(wanted: list[str]) -> None:
    """Make the environment anew."""
    venv.create(VENV, clear=True, with_pip=True)
    install = [str(PYTHON), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    subprocess.run([*install, *wanted], cwd=ROOT, check=True)
    subprocess.run([*install, "--no-deps", "--no-build-isolation", "--editable", "."], cwd=ROOT, check=True)
    STAMP.write_text(json.dumps(wanted) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
