"""SIGTERM at any moment of a start ends it, in a container's first process too, and the data is as good as before."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.commands import environment
from tests.support.processes import process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: a process

MOMENTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
"""Seconds; a start takes about one."""
UNSHARE = ("unshare", "--pid", "--fork", "--kill-child")
IN_TIME = 30.0
"""Seconds; what does not end by itself would be there for good."""


def can_unshare() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*UNSHARE, "true"], check=False).returncode == 0


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for this signal."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@asynccontextmanager
async def starting(folder: Path, *before: str) -> AsyncIterator[asyncio.subprocess.Process]:
    started = await asyncio.create_subprocess_exec(
        *(*before, sys.executable, "-m", "hookbridge", "--port", "0"),
        cwd=folder,
        env=environment({}),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def expect_a_service(folder: Path) -> None:
    async with process(folder) as service, service.http.get("/readyz") as answer:
        assert answer.status == 200


async def test_it_ends_with_the_start_or_after_it_but_never_later(tmp_path: Path) -> None:
    for moment in MOMENTS:
        async with starting(tmp_path) as started:
            await asyncio.sleep(moment)
            os.kill(started.pid, signal.SIGTERM)
            async with asyncio.timeout(IN_TIME):
                assert await started.wait() in {0, -signal.SIGTERM}
    await expect_a_service(tmp_path)


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def first_of(started: asyncio.subprocess.Process) -> int:
    """The process that is the first one among its own."""
    await wait_until(lambda: children_of(started.pid))
    return children_of(started.pid)[0]


needs_unshare = pytest.mark.skipif(not can_unshare(), reason="processes cannot be numbered anew here")


@needs_unshare
async def test_so_does_the_first_process_of_a_container(tmp_path: Path) -> None:
    for moment in MOMENTS:
        async with starting(tmp_path, *UNSHARE) as started:
            first = await first_of(started)
            await wait_until(lambda first=first: handles(first, signal.SIGTERM))
            await asyncio.sleep(moment)
            os.kill(first, signal.SIGTERM)
            async with asyncio.timeout(IN_TIME):
                assert await started.wait() in {0, 128 + signal.SIGTERM}
    await expect_a_service(tmp_path)


@pytest.mark.parametrize("before", [(), pytest.param(UNSHARE, marks=needs_unshare)])
async def test_a_start_that_would_take_for_ever_ends_too(tmp_path: Path, before: tuple[str, ...]) -> None:
    (tmp_path / "slow.py").write_text("import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(600)\n")
    (tmp_path / "config.toml").write_text('[handlers]\nmodule = "slow"\n')
    async with starting(tmp_path, *before) as started:
        await wait_until((tmp_path / "begun").exists)
        os.kill(await first_of(started) if before else started.pid, signal.SIGTERM)
        async with asyncio.timeout(IN_TIME):
            assert await started.wait() in {-signal.SIGTERM, 128 + signal.SIGTERM}
