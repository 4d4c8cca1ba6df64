"""The first load of a Notion database with its pages' bodies: how often each was asked for, over a ``kill -9``."""

import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

from hookbridge.sources.notion.cuts import OPEN_SECONDS
from scripts.benchmarks.machine import PYTHON, SERVER_CORE, CannotMeasure, running
from scripts.benchmarks.row import Options, Row
from scripts.benchmarks.servers import ADMIN
from scripts.benchmarks.sources import DATABASE, Sources, sources
from scripts.programs import free_port

LONGEST_SECONDS = 600.0
LOOK_SECONDS = 0.05
MINUTE_SECONDS = 60.0
POLL_SECONDS = 10.0
LISTED_AT_ONCE = 100
OTHERS_MAX = 30
"""Requests that are no listing of the load: where the database lies, one for each poll meanwhile."""
CONFIG = f"""
[notion]
requests_per_second = 1000.0
[[notion.databases]]
id = "{DATABASE}"
content = true
poll_seconds = {POLL_SECONDS}
[reconcile]
poll_seconds_max = {POLL_SECONDS}
sweep_seconds = 3600.0
"""
COPIED = "SELECT count(content) FROM copies"


def measure(options: Options) -> list[Row]:
    """Load it, with some pages whose minute is not over."""
    pages = options.bodies
    young = pages // 100
    with sources(pages=pages) as made, tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        folder = Path(name)
        (folder / "config.toml").write_text(CONFIG)
        time.sleep(MINUTE_SECONDS - time.time() % MINUTE_SECONDS)  # so that the load lies in their minute
        made.edit(young)
        until = time.monotonic() + OPEN_SECONDS + 2 * POLL_SECONDS
        again = _killed(made, folder, pages // 2)
        with _service(made, folder):
            seconds = _loaded(folder, pages)
            # What was read in its minute is read once more when that is over.
            time.sleep(max(2 * POLL_SECONDS, until - time.monotonic()))
        all_, bodies = made.asked()
    needed = pages + young + again
    listed = all_ - bodies
    allowed = 2 * pages // LISTED_AT_ONCE + OTHERS_MAX
    return [
        Row(
            name=f"Notion, bodies asked for, {pages:,} pages, killed once",
            value=f"{bodies:,} requests, {seconds:.0f} s",
            against=f"{young:,} in their minute, {again:,} not stored",
            target=f"≤ {needed:,}",
            met=bodies <= needed,
        ),
        Row(
            name="Notion, everything else asked for meanwhile",
            value=f"{listed:,} requests",
            target=f"≤ {allowed:,}",
            met=listed <= allowed,
        ),
    ]


def _killed(made: Sources, folder: Path, stored: int) -> int:
    """Run until so many bodies are stored, and kill it; gives how many had been asked for and were not stored."""
    with _service(made, folder) as process:
        _until(lambda: _stored(folder) >= stored)
        process.kill()
        process.wait()
    return made.asked()[1] - _stored(folder)


def _loaded(folder: Path, pages: int) -> float:
    """Run until all are stored; gives the seconds."""
    began = time.monotonic()
    _until(lambda: _stored(folder) >= pages)
    return time.monotonic() - began


def _service(made: Sources, folder: Path) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    port = free_port()
    environment = {
        **made.environment(),
        "SUPABASE_URL": "",
        "SUPABASE_KEY": "",
        "HOOKBRIDGE_ADMIN_TOKEN": ADMIN,
        "HOOKBRIDGE_STORE__PATH": str(_data(folder)),
    }
    return running(
        [PYTHON, "-m", "hookbridge", "--port", str(port)], core=SERVER_CORE, environment=environment, folder=folder
    )


def _data(folder: Path) -> Path:
    return folder / "hookbridge.db"


def _stored(folder: Path) -> int:
    """Give how many bodies are on disk."""
    if not _data(folder).exists():
        return 0
    with closing(sqlite3.connect(f"file:{_data(folder)}?mode=ro", uri=True, timeout=30.0)) as connection:
        try:
            (count,) = connection.execute(COPIED).fetchone()
        except sqlite3.OperationalError:
            return 0  # its tables are being made
    return int(count)


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise CannotMeasure("the bodies were not all read", "look at the service's log")
        time.sleep(LOOK_SECONDS)
