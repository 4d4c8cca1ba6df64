"""The first load of a Supabase table: rows for each second of the service's own processor time."""

import tempfile
import time
from pathlib import Path

from scripts.benchmarks.machine import (
    PYTHON,
    SERVER_CORE,
    CannotMeasure,
    processor_seconds,
    resident_bytes,
    running,
    until_answers,
)
from scripts.benchmarks.row import Options, Row
from scripts.benchmarks.servers import ADMIN, ask
from scripts.benchmarks.sources import Sources, sources
from scripts.programs import free_port

TARGET = 10_000
LONGEST_SECONDS = 300.0
CONFIG = '[[supabase.tables]]\nname = "users"\nchanged_at = "updated_at"\n'


def measure(options: Options) -> list[Row]:
    """Load one table."""
    with sources(rows=options.backfill_rows) as made, tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        seconds, memory = _load(made, Path(name), options.backfill_rows)
    rate = options.backfill_rows / seconds
    return [
        Row(
            name=f"backfill, {options.backfill_rows:,} rows",
            value=f"{rate:,.0f} rows/s of processor time",
            against=f"{memory / 2**20:,.0f} MiB at most",
            target=f"≥ {TARGET:,}",
            met=rate >= TARGET,
        )
    ]


def _load(made: Sources, folder: Path, rows: int) -> tuple[float, int]:
    (folder / "config.toml").write_text(CONFIG)
    port = free_port()
    environment = {**made.environment(), "NOTION_TOKEN": "", "HOOKBRIDGE_ADMIN_TOKEN": ADMIN}
    command = [PYTHON, "-m", "hookbridge", "--port", str(port)]
    with running(command, core=SERVER_CORE, environment=environment, folder=folder) as process:
        until_answers(f"http://127.0.0.1:{port}/healthz", process)
        before, memory = processor_seconds(process.pid), 0
        until = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < until:
            memory = max(memory, resident_bytes(process.pid))
            (table,) = ask(port, "GET", "/api/v1/reconcile")["tables"]
            if table["state"] == "following":
                if table["listed"] < rows:
                    raise CannotMeasure(f"{table['listed']} of {rows} rows were loaded", "look at the log")
                return processor_seconds(process.pid) - before, memory
            time.sleep(0.02)
    raise CannotMeasure("the backfill did not end", "look at the service's log")
