"""The feed of changes: what it adds to a settlement, how fast it is read and told, and what those who wait cost."""

import asyncio
import http.client
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from scripts.benchmarks import ends, load, servers
from scripts.benchmarks.machine import CannotMeasure, processor_seconds, resident_bytes
from scripts.benchmarks.receiver import Receiver
from scripts.benchmarks.row import Options, Row, at_most

LISTENERS = 1_000
LISTENER_KIB_MAX = 30
IDLE_SECONDS = 5.0
SNAPSHOT_TARGET = 20_000
DESTINATION_TARGET = 2_000
BATCH = 100
CHANGES = 100
"""So many are made one by one, each after the one before has been told."""
PAUSE_SECONDS = 0.05
LONGEST_SECONDS = 600.0

_WITHOUT = "DROP TRIGGER copy_appears; DROP TRIGGER copy_changes; DROP TRIGGER copy_goes;"


def measure(options: Options) -> list[Row]:
    """Measure on SQLite."""
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        folder = Path(name)
        many = folder / "many.db"
        asyncio.run(ends.filled(many, options.copies, 0))
        at = {"HOOKBRIDGE_STORE__PATH": str(many)}
        return [
            _in_a_settlement(folder, options),
            _snapshot(at, options.copies),
            _listeners({"HOOKBRIDGE_STORE__PATH": str(folder / "empty.db")}),
            _destination(at, options.copies),
            until_told({"HOOKBRIDGE_STORE__PATH": str(folder / "told.db")}, 20.0, "ms"),
        ]


def _in_a_settlement(folder: Path, options: Options) -> Row:
    """Let a data file take turns with the same one whose triggers give no change a place in the feed."""
    requests = load.prepare(folder / "requests", options.requests, records=ends.RECORDS)
    with_feed, without = folder / "with.db", folder / "without.db"
    asyncio.run(ends.filled(with_feed, ends.RECORDS, 0))
    shutil.copy(with_feed, without)
    with sqlite3.connect(without) as connection:
        connection.executescript(_WITHOUT)
    connection.close()
    used: dict[Path, list[float]] = {with_feed: [], without: []}
    for _ in range(options.rounds):
        for path, measured in used.items():
            measured.append(ends.end_to_end(requests, options.seconds, path).processor_us)
    return at_most(
        "end to end, against no feed",
        statistics.median(used[with_feed]),
        statistics.median(used[without]),
        1.05,
        "µs",
    )


def _snapshot(settings: dict[str, str], copies: int) -> Row:
    """Read everything as a stream."""
    with servers.hookbridge(settings) as (port, process):
        before, memory = processor_seconds(process.pid), resident_bytes(process.pid)
        most = _read_snapshot(port, process, copies)
        rate = copies / (processor_seconds(process.pid) - before)
    return Row(
        name=f"snapshot of {copies:,} records as a stream",
        value=f"{rate:,.0f} records/s of processor time",
        against=f"+{(most - memory) / 2**20:,.0f} MiB at most",
        target=f"≥ {SNAPSHOT_TARGET:,}",
        met=rate >= SNAPSHOT_TARGET,
    )


def _read_snapshot(port: int, process: "subprocess.Popen[bytes]", copies: int) -> int:
    """Read until the snapshot ends; gives the most memory that the service had meanwhile."""
    connection, answer = _stream(port, "0")
    records, most, left = 0, 0, b""
    while b"event: snapshot_end\n" not in left:
        more = answer.read1(1 << 16)
        if not more:
            raise CannotMeasure("the stream ended before the snapshot", "look at the service's log")
        text = left[-len(b"event: snapshot_end\n") :] + more
        records += text.count(b"event: upsert\n") - left[-len(b"event: snapshot_end\n") :].count(b"event: upsert\n")
        most, left = max(most, resident_bytes(process.pid)), text
    connection.close()
    if records != copies:
        raise CannotMeasure(f"{records} of {copies} records were told", "look at the service's log")
    return most


def _stream(port: int, since: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {servers.ADMIN}", "Accept": "text/event-stream"}
    connection.request("GET", f"/api/v1/changes?since={since}", headers=headers)
    answer = connection.getresponse()
    if answer.status != http.client.OK:
        raise CannotMeasure(f"the feed answered {answer.status}", "start the service by hand")
    return connection, answer


def _listeners(settings: dict[str, str]) -> Row:
    """Let many wait for changes where nothing changes."""
    with servers.hookbridge(settings) as (port, process):
        _stream(port, "now")[0].close()  # what the first one loads is not another one's
        before = resident_bytes(process.pid)
        waiting = [_stream(port, "now") for _ in range(LISTENERS)]
        each = (resident_bytes(process.pid) - before) / LISTENERS / 1024
        used = processor_seconds(process.pid)
        time.sleep(IDLE_SECONDS)
        busy = (processor_seconds(process.pid) - used) / IDLE_SECONDS
        for connection, _ in waiting:
            connection.close()
    return Row(
        name=f"{LISTENERS:,} idle listeners, each",
        value=f"{each:,.1f} KiB",
        against=f"all of them {busy:.1%} of a core",
        target=f"≤ {LISTENER_KIB_MAX} KiB",
        met=each <= LISTENER_KIB_MAX,
    )


def _destination(settings: dict[str, str], copies: int) -> Row:
    """Let one destination take everything."""
    with Receiver() as receiver:
        more = {**settings, "HOOKBRIDGE_DESTINATIONS": receiver.as_destination(start="snapshot", batch=BATCH)}
        with servers.hookbridge(more) as (port, process):
            before, began = processor_seconds(process.pid), time.monotonic()
            _until(lambda: servers.ask(port, "GET", "/api/v1/destinations/bench")["delivered"] >= copies)
            took, used = time.monotonic() - began, processor_seconds(process.pid) - before
    return Row(
        name=f"a destination takes {copies:,} records, {BATCH} a message",
        value=f"{copies / used:,.0f} records/s of processor time",
        against=f"{copies / took:,.0f} records/s on one core",
        target=f"≥ {DESTINATION_TARGET:,}",
        met=copies / used >= DESTINATION_TARGET,
    )


def until_told(
    settings: dict[str, str], target: float, unit: str, *, count: int = CHANGES, pause: float = PAUSE_SECONDS
) -> Row:
    """Make changes one by one, and see when a destination beside the service is told of each."""
    taken: list[float] = []
    with Receiver() as receiver, tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name:
        requests = load.prepare(Path(name) / "requests", count, records=count).read_bytes().split(b"\0")[:-1]
        more = {**settings, "HOOKBRIDGE_DESTINATIONS": receiver.as_destination(start="now", batch=BATCH)}
        with servers.hookbridge(more) as (port, _):
            _until(lambda: servers.ask(port, "GET", "/api/v1/destinations/bench")["seq"] is not None)
            for number, request in enumerate(requests, start=1):
                time.sleep(pause)
                began = time.monotonic()
                load.send_one(port, request)
                taken.append(receiver.changes_at(number, LONGEST_SECONDS) - began)
    p50 = statistics.median(taken) * {"ms": 1000.0, "s": 1.0}[unit]
    return Row(
        name="from a change to the POST at a destination, p50",
        value=f"{p50:,.2f} {unit}",
        target=f"≤ {target:g} {unit}",
        met=p50 <= target,
    )


def _until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while not happened():
        if time.monotonic() > until:
            raise CannotMeasure("it did not come to its end", "look at the service's log")
        time.sleep(0.1)
