"""What a claim costs the server: with few and with many waiting, and when it knew of none as it made its plans."""

import statistics
import time

from hookbridge.model import Event, RecordKey
from hookbridge.store.contract import Store
from scripts.benchmarks.postgres.server import Server, opened, server
from scripts.benchmarks.row import Options, Row, at_most

FEW = 2_000
SURPRISE = 60_000
"""How many come in while the server believes that its tables are empty."""
GROUP, GROUPS_AT_ONCE = 200, 20
RECORDS = 50
CLAIMS = 20
BODY = b'{"event_type":"update","source":"supabase","table_name":"users","record_id":"1","data":{"name":"Ada"}}'
FLAT, SURPRISED = 2.5, 3.0


def measure(options: Options) -> list[Row]:
    """Fill, and claim."""
    # What the server knows of its tables is said here, not by when autovacuum comes by.
    with server(autovacuum="off") as database:
        few = [used for _ in range(options.rounds) for used in _claimed(database, FEW, 1)]
        many = _claimed(database, options.backlog, options.rounds)  # of one long line: there are always more
        old, new, after = _surprised(database, min(SURPRISE, options.backlog))
    return [
        at_most(
            f"claim of a record, {options.backlog:,} waiting, against {FEW:,}",
            statistics.median(many),
            statistics.median(few),
            FLAT,
            "µs",
        ),
        at_most("claim after an analysis of empty tables, against one of full", old, after, SURPRISED, "µs"),
        at_most("the same by a node that is new", new, after, SURPRISED, "µs"),
    ]


def _claimed(database: Server, waiting: int, times: int) -> list[float]:
    """Give the cost with so many waiting, as the server knows."""
    url = database.database()
    store = database.run(opened(url))
    database.run(append(store, 0, waiting))
    database.execute(url, "VACUUM ANALYZE")
    used = [_claim_us(database, url, store) for _ in range(times)]
    database.run(store.close())
    return used


def _surprised(database: Server, waiting: int) -> tuple[float, float, float]:
    """Give the cost to a node that was there before, to a new one, and when the server has looked again."""
    url = database.database()
    old = database.run(opened(url))
    database.execute(url, "VACUUM ANALYZE")
    _claim_us(database, url, old)  # plans are made, for tables in which nothing is
    database.run(append(old, 0, waiting))
    to_old = _claim_us(database, url, old)
    new = database.run(opened(url))
    to_new = _claim_us(database, url, new)
    database.run(new.close())
    database.execute(url, "VACUUM ANALYZE")
    to_either = _claim_us(database, url, old)
    database.run(old.close())
    return to_old, to_new, to_either


async def append(store: Store, first: int, count: int) -> None:
    """Append so many events, each of a record of its own."""
    pending = []
    for start in range(first, first + count, GROUP):
        events = [
            Event(record=RecordKey("supabase", "public.users", str(n)), type="update", format="guide", body=BODY)
            for n in range(start, min(start + GROUP, first + count))
        ]
        pending.append(store.append(events, time.time()))
        if len(pending) == GROUPS_AT_ONCE:
            for one in pending:
                await one
            pending.clear()
    for one in pending:
        await one


def _claim_us(database: Server, url: str, store: Store) -> float:
    """Claim along the line and give nothing back; gives the server's processor time for each record."""

    async def claim(times: int) -> int:
        return sum([len(await store.claim("supabase", RECORDS, lease_seconds=3600)) for _ in range(times)])

    database.run(claim(1))  # the first one finds every cache cold
    before = database.figures(url)
    claimed = database.run(claim(CLAIMS))
    return database.figures(url).since(before).processor_us / max(claimed, 1)
