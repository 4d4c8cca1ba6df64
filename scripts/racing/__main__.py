"""``scripts/race-test``: races and a line for each; exit code 1 when something did not hold."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import msgspec
import structlog

from hookbridge.demo.postgres import postgres
from hookbridge.store.postgres import PostgresStore
from scripts import supervised
from scripts.racing.trial import NODES, Result, Trial

DESCRIPTION = """Races the stores of three nodes over one Postgres: events, duplicates, claims with leases of 50 ms and
work that takes longer, settlements, dead letters that are opened again, reads that pages' moves overtake, retention,
and backends that are killed all the while.  An auditor looks at single moments; in the end everything must be settled,
each acknowledged event be there, and every copy what its source says."""


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/race-test", description=DESCRIPTION)
    parser.add_argument("--runs", type=int, default=5, help="how many races (default 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each races (default 3)")
    parser.add_argument("--seed", type=int, default=None, help="of the first one (default: a new one)")
    parser.add_argument("--url", default=None, help="of a Postgres server (default: one of its own)")
    parser.add_argument("--json", action="store_true", help="print an object a line instead of text")
    given = parser.parse_args()
    seed = secrets.randbits(32) if given.seed is None else given.seed
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    tell = as_json if given.json else as_text

    async def work(folder: Path) -> int:
        if given.url is not None:
            return await races(given.url, None, given.runs, given.seconds, seed, tell)
        async with postgres(folder, {"max_connections": "100", "log_min_messages": "warning"}) as server:
            await server.until_ready()
            return await races(server.url, server.log, given.runs, given.seconds, seed, tell)

    return supervised.run("race-test-", work)


async def races(url: str, log: Path | None, runs: int, seconds: float, seed: int, tell: Callable[[Result], str]) -> int:
    """Race one after the other, each in a database of its own."""
    failed = 0
    for number in range(runs):
        result = await race(url, seconds, seed + number)
        print(tell(result), flush=True)
        failed += bool(result.broken)
    deadlocks, said = 0, "deadlocks not looked for"  # the log of another server is not ours to read
    if log is not None:
        deadlocks = (await asyncio.to_thread(log.read_text, errors="replace")).count("deadlock detected")
        said = f"{deadlocks} deadlocks"
    print(f"{runs} races, {failed} in which something did not hold, {said}", file=sys.stderr)
    return 1 if failed or deadlocks else 0


def as_text(result: Result) -> str:
    """Tell of a race in a line."""
    said = "; ".join(sorted(set(result.broken))[:5]) or "everything held"
    figures = (
        f"{result.acknowledged} acknowledged, {result.unknown} unknown, {result.settled} settled,"
        f" {result.fenced} fenced, {result.removed} removed, {result.killed} killed, {result.audits} audits"
    )
    return f"seed {result.seed}: {figures}: {said}"


def as_json(result: Result) -> str:
    """Tell of a race as an object."""
    return msgspec.json.encode(result).decode()


async def race(url: str, seconds: float, seed: int, *, through: str | None = None) -> Result:
    """Race in a new database of a server; nodes come to it ``through`` a pooler where there is one."""
    admin = await asyncpg.connect(url)
    name = f"race_{uuid.uuid4().hex}"
    await admin.execute(f"CREATE DATABASE {name}")
    own, nodes = (urlunsplit(urlsplit(one)._replace(path=f"/{name}")) for one in (url, through or url))
    try:
        return await _race(own, nodes, seconds, seed)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def _race(url: str, nodes: str, seconds: float, seed: int) -> Result:
    stores = [await PostgresStore.open(nodes, node=f"node {number}") for number in range(NODES)]
    sql = await asyncpg.connect(url)
    try:
        return await Trial(stores, sql, seed).run(seconds)
    finally:
        await sql.close()
        await asyncio.gather(*[store.close() for store in stores])


if __name__ == "__main__":
    sys.exit(main())
