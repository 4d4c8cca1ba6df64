"""A long backlog: what it costs in memory, and whether claiming slows down with it."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from hookbridge.model import Event, RecordKey
from hookbridge.store.sqlite import SqliteStore
from scripts.benchmarks.machine import PYTHON, SERVER_CORE, resident_bytes, running, until_answers
from scripts.benchmarks.row import Options, Row, at_most
from scripts.programs import free_port

GROUP = 200
FEW = 1_000
CLAIMS = 20
RECORDS = 512
TARGET_MIB = 150
WATCHED_SECONDS = 5.0


def measure(options: Options) -> list[Row]:
    """Fill an inbox, claim from it, and serve with it."""
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        folder = Path(name)
        few, many = folder / "few.db", folder / "many.db"
        asyncio.run(_fill(few, FEW))
        asyncio.run(_fill(many, options.backlog))
        used: dict[Path, list[float]] = {few: [], many: []}
        for _ in range(max(options.rounds, 3)):
            for path, measured in used.items():
                measured.append(asyncio.run(_claim_us(path)))
        empty, full = _memory(folder / "empty.db"), _memory(many)
    more = (full - empty) / 2**20
    return [
        Row(
            name=f"memory, {options.backlog:,} open events",
            value=f"{full / 2**20:,.0f} MiB",
            against=f"{empty / 2**20:,.0f} MiB empty",
            ratio=f"+{more:,.0f} MiB",
            target=f"≤ +{TARGET_MIB} MiB",
            met=more <= TARGET_MIB,
        ),
        at_most(
            f"claim of a record, {options.backlog:,} waiting, against {FEW:,}",
            statistics.median(used[many]),
            statistics.median(used[few]),
            1.1,
            "µs",
        ),
    ]


async def _fill(path: Path, count: int) -> None:
    store = await SqliteStore.open(path)
    body = b'{"event_type":"update","source":"supabase","table_name":"users","record_id":"1","data":{"name":"Ada"}}'
    for start in range(0, count, GROUP * 50):
        appends = []
        for first in range(start, min(start + GROUP * 50, count), GROUP):
            events = [
                Event(record=RecordKey("supabase", "public.users", str(n)), type="update", format="guide", body=body)
                for n in range(first, min(first + GROUP, count))
            ]
            appends.append(store.append(events, time.time()))
        await asyncio.gather(*appends)
    await store.close()


async def _claim_us(path: Path) -> float:
    """Claim along the line: what is given back stands at its end again.  Gives processor time for each record."""
    store = await SqliteStore.open(path)
    await store.release_abandoned()
    claimed, seconds = 0, 0.0
    for number in range(CLAIMS):
        began = time.process_time()
        claims = await store.claim("supabase", RECORDS, lease_seconds=300)
        if number:  # the first one finds every cache cold
            seconds += time.process_time() - began
            claimed += len(claims)
        await store.release(claims, after_seconds=1e-6)
    await store.close()
    return seconds / claimed * 1e6


def _memory(path: Path) -> int:
    """Give the most memory that the service has while it works on this file, in some seconds."""
    port = free_port()
    environment = {
        "HOOKBRIDGE_STORE__PATH": str(path),
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
        "HOOKBRIDGE_LOGGING__LEVEL": "warning",
    }
    command = [PYTHON, "-m", "hookbridge", "--port", str(port)]
    with running(command, core=SERVER_CORE, environment=environment, folder=path.parent) as process:
        until_answers(f"http://127.0.0.1:{port}/healthz", process)
        most, until = 0, time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < until:
            most = max(most, resident_bytes(process.pid))
            time.sleep(0.05)
        return most
