"""``scripts/bench``: the rows that were asked for, one after the other, and a table of what they showed."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from scripts.benchmarks import acks, backfill, backlog, bodies, changes, ends, notion, search, start, verification
from scripts.benchmarks.machine import CannotMeasure, describe
from scripts.benchmarks.row import Options, Row

Measure = Callable[[Options], list[Row]]
STORES = ("sqlite", "postgres")


def groups(store: str) -> Mapping[str, Measure]:
    """Give what is measured of a store by its name."""
    if store == "postgres":
        from scripts.benchmarks import postgres  # asyncpg and the server come with the tests' packages alone

        return postgres.groups()
    return {
        "acks": acks.measure,
        "ends": ends.measure,
        "verification": verification.measure,
        "backlog": backlog.measure,
        "start": start.measure,
        "backfill": backfill.measure,
        "notion": notion.measure,
        "search": search.measure,
        "bodies": bodies.measure,
        "changes": changes.measure,
        "pull": _pull,
    }


def _pull(options: Options) -> list[Row]:
    try:
        from scripts.benchmarks import pull  # what it needs comes with the tests' packages alone
    except ImportError as error:
        raise CannotMeasure(f"{error.name} is not installed", "./scripts/bench, which installs it") from error
    return pull.measure(options)


EPILOG = """groups:
  acks          hookbridge's ack, a bare aiohttp handler on the same loop, FastAPI: the same requests to each
  ends          from the request to the settlement: short records, long ones, many copies; beside the bare handler
  verification  rows read in batches, against one request for each row with the same client
  backlog       memory and claim rate with a million open events, against an empty inbox
  start         from exec to the first accepted request
  backfill      the first load of a Supabase table
  notion        requests for a thousand changed pages, and for none
  search        file, memory and processor time of pages with their bodies; searches through them
  bodies        requests of the first load of a database with its pages' bodies, whose service is killed half-way
  changes       the feed: its share of a settlement, a snapshot, listeners, a destination, from a change to the POST
  pull          from a commit to the copy where changes are taken from an outbox; what each way costs the writer

groups with --store postgres, on a server of the benchmark's own:
  acks          acks of one node from 16, 64 and 256 senders, against the SQLite engine
  events        statements, log and processor time of the server for an event, from its request to its settlement
  claims        a claim with 2,000 and a million waiting, and after an analysis of empty tables
  nodes         statements of a node that idles; what a second node adds while reads are waited for
  changes       from a change to the POST at a destination, from idle

Servers have one core, their load the other. Rows of one group take turns, and the median counts. Figures in µs are the
processor time of the server's process for each request: others on the machine change it little. The exit code is 1 when
something could not be measured; a target that is missed is only said."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures hookbridge beside what it is compared with, in one run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--store", choices=STORES, default="sqlite", help="the engine that is measured (default sqlite)"
    )
    parser.add_argument("--only", metavar="GROUP", action="append", help="this group of rows; may be repeated")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one load (default 5)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each row (default 3)")
    parser.add_argument("--copies", type=int, default=100_000, help="copies that are many (default 100,000)")
    parser.add_argument("--quick", action="store_true", help="small and short: shows that everything runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    options = Options(seconds=given.seconds, rounds=given.rounds, copies=given.copies)
    options = options.smaller() if given.quick else options
    known = groups(given.store)
    for name in given.only or ():
        if name not in known:
            parser.error(f"argument --only: {name!r} is no group of {given.store}: choose from {', '.join(known)}")
    rows: list[Row] = []
    failed = False
    for name in given.only or known:
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        try:
            made = known[name](options)
        except CannotMeasure as error:
            failed = True
            print(f"error: {name}: {error}\ntry: {error.hint}", file=sys.stderr)
        else:
            rows += made
            for row in made:  # what was measured is not lost with a later group
                print(f"  {row.name}: {row.value} {row.against} {row.ratio}".rstrip(), file=sys.stderr, flush=True)
    if given.json:
        print(json.dumps({"machine": describe(), "rows": [row.as_dict() for row in rows]}, indent=2))
    else:
        show(rows)
    return 1 if failed else 0


def show(rows: list[Row]) -> None:
    """Print what docs/benchmarks.md has under "Measured"."""
    command = " ".join(("./scripts/bench", *sys.argv[1:]))
    print(f"{datetime.now(UTC).date()}, `{command}`:\n")
    for name, value in describe().items():
        print(f"- {name}: {value}")
    print()
    table = [("row", "measured", "against", "ratio", "target", "")]
    words = {True: "ok", False: "missed", None: ""}
    table += [(row.name, row.value, row.against, row.ratio, row.target, words[row.met]) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(6)]
    for number, line in enumerate(table):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
