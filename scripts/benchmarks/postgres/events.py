"""What the server does for an event, from its request to its settlement, and how fast a node comes to the end."""

import statistics
import tempfile
from pathlib import Path

from scripts.benchmarks import load, servers
from scripts.benchmarks.ends import RECORDS, fill
from scripts.benchmarks.postgres.server import Figures, Server, opened, server, settings
from scripts.benchmarks.row import Options, Row

STATEMENTS_MAX = 0.1


def measure(options: Options) -> list[Row]:
    """Send to a node whose copies are there: each event changes one, and its words."""
    measured: list[tuple[servers.Ended, Figures]] = []
    with tempfile.TemporaryDirectory(prefix="hookbridge-bench-") as name, server() as database:
        requests = load.prepare(Path(name) / "requests", options.requests, records=RECORDS)
        filled = database.database()
        database.run(_fill(filled))
        measured += [_ended(database, database.database(filled), requests, options) for _ in range(options.rounds)]

    def an_event(figure: str) -> float:
        return float(statistics.median(getattr(did, figure) / ended.events for ended, did in measured))

    rate = statistics.median(ended.per_second for ended, _ in measured)
    statements = an_event("statements")
    node = statistics.median(ended.processor_us for ended, _ in measured)
    return [
        Row(
            name="statements an event, to its settlement",
            value=f"{statements:.3f}",
            against=f"at {rate:,.0f} events/s",
            target=f"≤ {STATEMENTS_MAX:g}",
            met=statements <= STATEMENTS_MAX,
        ),
        Row(name="log of the server (WAL), an event", value=f"{an_event('wal_bytes'):,.0f} bytes"),
        Row(
            name="processor time of the backends, an event",
            value=f"{an_event('processor_us'):,.0f} µs",
            against=f"{node:,.0f} µs of the node",
        ),
    ]


async def _fill(url: str) -> None:
    store = await opened(url)
    await fill(store, RECORDS, 0)
    await store.close()


def _ended(database: Server, url: str, requests: Path, options: Options) -> tuple[servers.Ended, Figures]:
    with servers.hookbridge(settings(url)) as (port, process):
        before = database.figures(url)
        ended = servers.sent_and_ended(requests, options.seconds, port, process)
        return ended, database.figures(url).since(before)
