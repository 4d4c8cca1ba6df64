"""Acks of one node on each engine, from few senders and from many: the same requests, in turns."""

import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from scripts.benchmarks import load, servers
from scripts.benchmarks.postgres.server import server, settings
from scripts.benchmarks.row import Options, Row, at_least

RECORDS = 10_000
SENDERS = (16, 64, 256)
TARGET = 0.6


def measure(options: Options) -> list[Row]:
    """Let the engines take turns."""
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name, server() as database:
        requests = load.prepare(Path(name) / "requests", options.requests, records=RECORDS)
        for _ in range(options.rounds):
            for senders in SENDERS:
                alone = servers.ack(requests, options.seconds, senders=senders)
                node = servers.ack(requests, options.seconds, settings=settings(database.database()), senders=senders)
                rates["sqlite", senders].append(alone.per_second)
                rates["postgres", senders].append(node.per_second)
    return [
        at_least(
            f"acks of a node, {senders} senders, against SQLite",
            statistics.median(rates["postgres", senders]),
            statistics.median(rates["sqlite", senders]),
            TARGET,
            "acks/s",
        )
        for senders in SENDERS
    ]
