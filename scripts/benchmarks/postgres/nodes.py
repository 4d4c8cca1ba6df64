"""What a node asks of the server while there is nothing to do, and what a second one adds while reads are slow."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from scripts.benchmarks import servers
from scripts.benchmarks.postgres.claims import append
from scripts.benchmarks.postgres.server import Server, opened, server, settings
from scripts.benchmarks.row import Options, Row, at_least
from scripts.benchmarks.sources import sources

IDLE_MAX = 2.0
WATCHED_SECONDS = 15.0
SETTLING_SECONDS = 8.0
"""After its start a node looks more often for a while."""
READ_SECONDS = 0.1
WORKERS = 20
TWO = 1.6


def measure(options: Options) -> list[Row]:
    """Watch one node that idles, then let one and two work."""
    with server() as database:
        idle = _idle(database)
        one, two = _rate(database, 1, options), _rate(database, 2, options)
    return [
        Row(
            name="statements a second of an idle node",
            value=f"{idle:.2f}",
            target=f"≤ {IDLE_MAX:g}",
            met=idle <= IDLE_MAX,
        ),
        at_least(f"two nodes, reads of {READ_SECONDS * 1000:g} ms, against one", two, one, TWO, "changes/s"),
    ]


def _idle(database: Server) -> float:
    url = database.database()
    with servers.hookbridge(settings(url)):
        time.sleep(SETTLING_SECONDS)
        before, began = database.figures(url), time.monotonic()
        time.sleep(WATCHED_SECONDS)
        return database.figures(url).since(before).statements / (time.monotonic() - began)


def _rate(database: Server, nodes: int, options: Options) -> float:
    """Give the changes a second of so many nodes that have more to do than they can."""
    url = database.database()
    rows = int(nodes * WORKERS / READ_SECONDS * (options.seconds + 5))
    database.run(_backlog(url, rows))
    with _working(url, nodes, rows) as ports:
        before, began = _settled(ports[0]), time.monotonic()
        time.sleep(options.seconds)
        return (_settled(ports[0]) - before) / (time.monotonic() - began)


async def _backlog(url: str, count: int) -> None:
    store = await opened(url)
    await append(store, 0, count)
    await store.close()


@contextmanager
def _working(url: str, nodes: int, rows: int) -> Iterator[list[int]]:
    """Run nodes until all of them work; gives their ports."""
    with sources(rows=rows, slow_seconds=READ_SECONDS) as made, ExitStack() as stack:
        more = {"HOOKBRIDGE_PROCESSING__WORKERS": str(WORKERS), "HOOKBRIDGE_PROCESSING__QUEUE_SIZE": str(2 * WORKERS)}
        environment = {**made.environment(), "NOTION_TOKEN": "", **more, **settings(url)}
        ports = [stack.enter_context(servers.hookbridge(environment))[0] for _ in range(nodes)]
        while not all(_busy(port) for port in ports):
            time.sleep(0.05)
        yield ports


def _busy(port: int) -> bool:
    lanes = servers.ask(port, "GET", "/readyz")["lanes"]
    return any(one["busy"] for one in lanes)


def _settled(port: int) -> int:
    books = servers.ask(port, "GET", "/api/v1/webhooks/stats")["books"]
    return int(books["applied"] + books["coalesced"])
