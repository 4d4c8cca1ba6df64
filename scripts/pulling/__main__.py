"""``scripts/pull-test``: one run and a table of what it found; exit code 1 when a promise was broken."""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

import msgspec

from scripts import supervised
from scripts.pulling.trial import Options, run

DESCRIPTION = """Eight writers change tables of a real Postgres at every isolation level, each its own and all of them
one in common, while a service takes the changes from the outbox. The service is killed, the database stopped at once,
at random moments. No poll and no sweep helps: in the end the copies have to be the rows, each record's changes have to
be in the inbox in their order, and no transaction of a writer may have been refused. With --away nothing is struck: the
Data API takes no connection for so long, the changes are made in the meantime at an even pace, every one of them has to
wait in the outbox, operators have to be told, and in the end all holds what holds else."""


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/pull-test", description=DESCRIPTION)
    parser.add_argument("--changes", type=int, default=50_000, help="of all writers together (default 50000)")
    parser.add_argument("--writers", type=int, default=8, help="so many at once (default 8)")
    parser.add_argument("--kills", type=int, default=None, help="of the service, with SIGKILL (default 10)")
    parser.add_argument("--stops", type=int, default=None, help="of the database, at once (default 5)")
    parser.add_argument("--away", type=float, default=None, metavar="SECONDS", help="instead of blows, no Data API")
    parser.add_argument("--rows", type=int, default=200, help="of each writer's own table, at most (default 200)")
    parser.add_argument("--way", choices=("data_api", "database"), default="data_api", help="to the outbox")
    parser.add_argument("--seed", type=int, default=None, help="of moments and changes (default: a new one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    if given.away is not None and (given.way == "database" or given.kills is not None or given.stops is not None):
        parser.error("with --away nothing else happens, and changes are taken through the Data API")
    struck = given.away is None
    if (refused := supervised.unless_linux()) is not None:
        return refused
    options = Options(
        changes=given.changes,
        writers=given.writers,
        kills=(10 if given.kills is None else given.kills) if struck else 0,
        stops=(5 if given.stops is None else given.stops) if struck else 0,
        away_seconds=given.away or 0.0,
        rows=given.rows,
        way=given.way,
        seed=given.seed if given.seed is not None else secrets.randbits(32),
    )
    return supervised.run("hookbridge-pull-test-", lambda folder: tried(folder, options, as_json=given.json))


async def tried(folder: Path, options: Options, *, as_json: bool) -> int:
    """Run, and print what was found."""
    result = await run(folder, options, tell=lambda line: print(line, file=sys.stderr, flush=True))
    if as_json:
        print(msgspec.json.encode(result).decode())
    else:
        for name, value in msgspec.structs.asdict(result).items():
            print(f"{name.replace('_', ' '):<28} {value}")
    return 0 if result.kept else 1


if __name__ == "__main__":
    sys.exit(main())
