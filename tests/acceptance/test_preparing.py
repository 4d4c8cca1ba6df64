"""The preparation before the first start: it shows how far it is, and what prevents it ends in two lines."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import _prepare as preparing
from tests.support.processes import REPOSITORY

LOCK = "".join(f"package-{number}==1.0 \\\n    --hash=sha256:00\n" for number in range(40))
PIP = """#!/bin/sh
# Stands for the environment's Python: pip says what the test wrote, everything else says that it was started.
case "$*" in
    *"pip install"*) cat "$0.says"; exit "$(cat "$0.code")" ;;
    *) echo "started $*" ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with an environment whose pip does what the test says."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "_prepare.py", tmp_path / "scripts")
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    (tmp_path / "locks").mkdir()
    for level in ("build", "run", "test", "lint"):
        (tmp_path / "locks" / f"{level}.txt").write_text(LOCK)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    return tmp_path


def python(clone: Path, says: str, code: int) -> None:
    program = clone / ".venv" / "bin" / "python"
    program.write_text(PIP)
    program.chmod(0o755)
    program.with_name("python.says").write_text(says)
    program.with_name("python.code").write_text(str(code))


def prepare(clone: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-I", "-B", str(clone / "scripts" / "_prepare.py"), "run", "hookbridge", "--help"]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


def test_it_shows_how_far_it_is_and_leaves_the_output_to_the_program(clone: Path) -> None:
    says = "".join(
        f"Collecting package-{number}==1.0 (from -r locks/run.txt)\n  Downloading it\n" for number in range(40)
    )
    python(clone, says, 0)
    ran = prepare(clone)
    assert (ran.returncode, ran.stdout) == (0, "started -m hookbridge --help\n")
    said = ran.stderr.splitlines()
    assert said[0].startswith("preparing .venv (once")
    assert said[1:3] == ["  20 of 40 packages", "  40 of 40 packages"]
    assert said[-1] == "prepared"
    assert prepare(clone).stderr == ""


@pytest.mark.parametrize(
    ("says", "remedy"),
    [
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching distribution found",
            "connect this machine to the package index",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "free some space"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: 'x'",
            "see who owns .venv",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "something between here"),
        ("ERROR: something else", "read the lines above"),
    ],
)
def test_what_pip_fails_at_is_shown_with_what_to_do(clone: Path, says: str, remedy: str) -> None:
    python(clone, f"Collecting a==1\n{says}\n", 1)
    ran = prepare(clone)
    assert (ran.returncode, ran.stdout) == (2, "")
    *said, error, hint = ran.stderr.splitlines()
    assert said[1:] == says.splitlines()
    assert error == "error: packages could not be installed"
    assert hint.startswith(f"try: {remedy}")


PACKAGED = """#!/bin/sh
case "$*" in
    *"-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
    *ensurepip*) printf '%s\\n' {says}; exit 1 ;;
esac
"""
"""Stands for a Python that makes an environment, but cannot put pip into it."""
TRACEBACK = "'Traceback (most recent call last):' '  File \"ensurepip.py\", line 284'"


@pytest.mark.parametrize(
    ("says", "shown", "remedy"),
    [
        (
            f"'ERROR: [Errno 28] No space left on device' {TRACEBACK} 'CalledProcessError: status 1'",
            "ERROR: [Errno 28] No space left on device",
            "free some space",
        ),
        (f"{TRACEBACK} 'PermissionError: Permission denied'", "PermissionError: Permission denied", "see who owns"),
        (f"{TRACEBACK} 'Odd: something else'", "Odd: something else", "read the lines above"),
    ],
)
def test_why_pip_cannot_be_had_is_shown_without_a_traceback(clone: Path, says: str, shown: str, remedy: str) -> None:
    base = clone / "base-python"
    base.write_text(PACKAGED.format(says=says))
    base.chmod(0o755)
    script = str(clone / "scripts" / "_prepare.py")
    code = (
        f"import sys, runpy; sys._base_executable = {str(base)!r}; sys.argv[1:] = ['run', 'hookbridge'];"
        f"runpy.run_path({script!r}, None, '__main__')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2, ran.stderr
    said = ran.stderr.splitlines()
    assert said[1:3] == [shown, "error: the environment could not be made"]
    assert said[3].startswith(f"try: {remedy}")


@pytest.mark.parametrize("place", [".venv.lock", ".venv/unfinished", ".venv/bin/python"])
def test_what_stands_in_the_way_is_named_without_a_traceback(clone: Path, place: str) -> None:
    python(clone, "", 0)
    wrong = clone / place
    wrong.unlink(missing_ok=True)
    wrong.mkdir()
    ran = prepare(clone)
    assert (ran.returncode, ran.stdout) == (2, "")
    error, hint = ran.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert hint.startswith("try: ")
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_clone_that_may_not_be_written_is_named_as_such(clone: Path) -> None:
    clone.chmod(0o555)
    try:
        ran = prepare(clone)
    finally:
        clone.chmod(0o755)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: this user may not prepare the environment")


@pytest.mark.parametrize(
    ("number", "said", "remedy"),
    [
        (errno.EROFS, "this folder is read-only", "clone it to a folder that can be written"),
        (errno.EACCES, "this user may not prepare the environment", "start it as "),
        (errno.EPERM, "this user may not prepare the environment", "start it as "),
        (errno.ENOSPC, "the disk is full", "free some space"),
        (errno.EDQUOT, "the disk is full", "free some space"),
        (errno.EIO, "the environment cannot be prepared", "look at what is at that place"),
    ],
)
def test_each_failure_of_the_system_says_what_to_do(number: int, said: str, remedy: str) -> None:
    found = preparing.explained(OSError(number, os.strerror(number), "/a/clone/.venv.lock"))
    assert found[0] == f"{said} (/a/clone/.venv.lock: {os.strerror(number)})"
    assert found[1].startswith(remedy)
