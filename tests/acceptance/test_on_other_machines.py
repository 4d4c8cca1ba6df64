"""The tests pass wherever they are started: in the background of a script, below a folder that is root's alone."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.support import postgres
from tests.support.commands import REPOSITORY

IGNORING = "trap '' INT HUP; exec \"$@\""
"""What the background of a script and nohup do to a process."""


async def pytest_of(folder: Path, test: str, *options: str, ignoring: bool = False) -> tuple[int, str]:
    """Run a test of this text in a process of its own, under the settings of this project; gives code and output."""
    file = folder / "test_it.py"
    file.write_text(test)
    words = (sys.executable, "-m", "pytest", "-c", str(REPOSITORY / "pyproject.toml"), "--rootdir", str(REPOSITORY))
    started = await asyncio.create_subprocess_exec(
        *(("sh", "-c", IGNORING, "sh") if ignoring else ()),
        *(*words, "-q", "-p", "no:cacheprovider", "-p", "tests.conftest", *options, str(file)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await started.communicate()
    return started.returncode or 0, out.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_what_is_ignored_here_is_not_ignored_by_what_a_test_starts(tmp_path: Path, number: int) -> None:
    text = f"""
import os, signal, subprocess

def test_it():
    child = subprocess.Popen(["sleep", "60"])
    os.kill(child.pid, {number})
    assert child.wait(20) == -{number}

def test_nor_does_it_end_this_process():
    os.kill(os.getpid(), {number})
"""
    code, out = await pytest_of(tmp_path, text, ignoring=True)
    assert (code, "2 passed" in out) == (0, True), out


async def test_a_test_that_hangs_fails_and_the_next_one_runs(tmp_path: Path) -> None:
    text = "import asyncio\n\nasync def test_it():\n    await asyncio.Event().wait()\n\ndef test_next():\n    pass\n"
    code, out = await pytest_of(tmp_path, text, "-o", "timeout=1")
    assert (code, "1 failed, 1 passed" in out) == (1, True), out


async def test_one_that_hangs_where_no_python_runs_ends_the_run_and_says_where(tmp_path: Path) -> None:
    text = """
import ctypes

def test_it():
    ctypes.PyDLL(None).pause()  # keeps the interpreter's lock
"""
    code, out = await pytest_of(tmp_path, text, "-o", "timeout=0", "-o", "faulthandler_timeout=1")
    assert code != 0
    assert "Timeout" in out, out
    assert "test_it.py" in out, out


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root runs Postgres where it is")
async def test_postgres_starts_below_a_folder_that_is_roots_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOKBRIDGE_TEST_DATABASE_URL", raising=False)
    package = postgres.programs().parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, tmp_path / part.name)
    monkeypatch.setattr(postgres, "programs", lambda: tmp_path / package.name / "pginstall" / "bin")
    with postgres.server() as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("select 1") == 1
        await connection.close()
