"""What Notion is asked: requests for a thousand changed pages, and for none."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from hookbridge.api.reconcile import Following, TableStatus
from scripts.benchmarks.machine import PYTHON, SERVER_CORE, CannotMeasure, running, until_answers
from scripts.benchmarks.row import Options, Row
from scripts.benchmarks.servers import ADMIN, ask
from scripts.benchmarks.sources import DATABASE, sources
from scripts.programs import free_port

PAGES = 1_000
TARGET = 0.03
IDLE_POLLS = 5
LONGEST_SECONDS = 120.0
POLL_SECONDS = 1.0
CONFIG = f"""
[notion]
requests_per_second = 1000.0
[[notion.databases]]
id = "{DATABASE}"
poll_seconds = {POLL_SECONDS}
[reconcile]
poll_seconds_max = {POLL_SECONDS}
overlap_seconds = 0.0
"""


def measure(options: Options) -> list[Row]:  # noqa: ARG001  every group is called alike
    """Count requests while nothing changes, then while everything does."""
    with sources(pages=PAGES) as made, tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        folder = Path(name)
        (folder / "config.toml").write_text(CONFIG)
        port = free_port()
        environment = {**made.environment(), "SUPABASE_URL": "", "SUPABASE_KEY": "", "HOOKBRIDGE_ADMIN_TOKEN": ADMIN}
        command = [PYTHON, "-m", "hookbridge", "--port", str(port)]
        with running(command, core=SERVER_CORE, environment=environment, folder=folder) as process:
            until_answers(f"http://127.0.0.1:{port}/healthz", process)
            _until(lambda: _table(port).state == "following" and _table(port).last_poll_at is not None)
            return [_idle(made.edit, port), _changed(made.edit, port)]


def _idle(edit: Callable[[int], int], port: int) -> Row:
    """Count what polls of an unchanged database ask."""
    before, at = edit(0), _polled(port)
    _until(lambda: _polled(port) >= at + IDLE_POLLS * POLL_SECONDS)
    polls = round((_polled(port) - at) / POLL_SECONDS)
    each = (edit(0) - before) / polls
    return Row(
        name="Notion, requests a poll of an unchanged database",
        value=f"{each:.2f}",
        target="1",
        met=each <= 1.5,  # noqa: PLR2004  one, and at most one that began meanwhile
    )


def _changed(edit: Callable[[int], int], port: int) -> Row:
    """Count what a thousand edits ask that no webhook announces, until they are applied."""
    before = edit(0)
    edit(PAGES)
    _until(lambda: ask(port, "GET", "/api/v1/webhooks/stats")["books"]["applied"] >= PAGES)
    each = (edit(0) - before) / PAGES
    return Row(
        name=f"Notion, requests a changed page, {PAGES:,} changed",
        value=f"{each:.3f}",
        target=f"≤ {TARGET:g}",
        met=each <= TARGET,
    )


def _table(port: int) -> TableStatus:
    (table,) = msgspec.convert(ask(port, "GET", "/api/v1/reconcile"), Following).tables
    return table


def _polled(port: int) -> float:
    """When the last complete poll began, in epoch seconds; 0 before the first one."""
    at = _table(port).last_poll_at
    return 0.0 if at is None else at.timestamp()


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise CannotMeasure("the service did not get there", "look at its log")
        time.sleep(0.02)
