"""The machine: what it is, its cores, and processes that are pinned to one of them and end with the benchmark."""

import importlib.metadata
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("aiohttp", "uvloop", "msgspec", "supabase", "notion-client")


class CannotMeasure(Exception):
    """Something that the measurement needs is missing, or did not answer."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def describe() -> dict[str, str]:
    """Say where and with what it was measured."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "build": f"{platform.python_compiler()}, configured {_optimised()}",
        "versions": ", ".join([f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}", *versions]),
    }


def _optimised() -> str:
    """Say with which of the options that make Python faster it was built."""
    given = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return ", ".join(
        f"{'with' if option in given else 'without'} {option}" for option in ("--enable-optimizations", "--with-lto")
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def needed(program: str, hint: str) -> str:
    """Find a program.  Raises CannotMeasure."""
    found = shutil.which(program)
    if found is None:
        raise CannotMeasure(f"{program} is not installed", hint)
    return found


def pinned(core: int, command: list[str]) -> list[str]:
    """Give the command that runs on one core, where the system can do that."""
    taskset = shutil.which("taskset")
    return command if taskset is None or (os.cpu_count() or 1) <= core else [taskset, "-c", str(core), *command]


SERVER_CORE, LOAD_CORE = 0, 1


@contextmanager
def running(
    command: list[str], *, core: int, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server on one core, and end it."""
    process = subprocess.Popen(
        pinned(core, command),
        env={**os.environ, **(environment or {})},
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until_answers(url: str, process: "subprocess.Popen[bytes]", seconds: float = 30.0) -> None:
    """Wait until a server answers.  Raises CannotMeasure."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise CannotMeasure(f"a server ended with exit code {process.returncode}", "start it by hand to see why")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    raise CannotMeasure(f"{url} does not answer", "look whether the machine is busy")


def processor_seconds(pid: int) -> float:
    """Give the processor time of a process, all its threads, so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Give the resident memory of a process."""
    line = next(line for line in _lines(f"/proc/{pid}/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


PYTHON = sys.executable
