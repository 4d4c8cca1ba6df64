"""``scripts/fault-test``: each fault at each source, and what it did; exit code 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

import msgspec

from scripts import supervised
from scripts.crashes.processes import Failed
from scripts.faulting.faults import FAULTS
from scripts.faulting.trial import Row, ground, strike

DESCRIPTION = """Puts a proxy before both sources of a real service, under a steady load of signed webhooks, and lets
one of them fail in every way. Looks each time whether the other source's changes and all acknowledgements are as fast
as just before, whether anything is dead that should wait, whether all recovers without a restart, and what an operator
sees."""

HEAD = f"{'source':<9} {'fault':<28} {'lane':<8} {'other p99, ms':>15} {'ack p99, ms':>13} {'dead':>5} {'recovery':>9}"


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/fault-test", description=DESCRIPTION)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load before and during each fault (default 3)")
    parser.add_argument("--source", choices=["supabase", "notion"], help="only this one fails (default: both in turn)")
    parser.add_argument("--fault", choices=list(FAULTS), metavar="NAME", help="only this one: " + ", ".join(FAULTS))
    parser.add_argument("--json", action="store_true", help="print JSON, one row a line, instead of a table")
    given = parser.parse_args()
    sources = [given.source] if given.source else ["supabase", "notion"]
    faults = [given.fault] if given.fault else list(FAULTS)
    return supervised.run(
        "hookbridge-fault-test-",
        lambda folder: tried(folder, sources, faults, seconds=given.seconds, as_json=given.json),
    )


async def tried(folder: Path, sources: list[str], faults: list[str], *, seconds: float, as_json: bool) -> int:
    """Run, and say whether everything was kept; the rows so far are printed also when it is cut short."""
    try:
        rows = await run(folder, sources, faults, seconds=seconds, as_json=as_json)
    except Failed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print("FAILED: interrupted; above is what was found until then", file=sys.stderr)
        raise
    kept = all(row.kept for row in rows)
    if not as_json:
        print("every promise was kept" if kept else "a promise was broken")
    return 0 if kept else 1


async def run(folder: Path, sources: list[str], faults: list[str], *, seconds: float, as_json: bool) -> list[Row]:
    """Strike with each fault and print its row at once."""
    rows: list[Row] = []
    if not as_json:
        print(HEAD, flush=True)
    async with ground(folder) as here:
        for source in sources:
            for fault in faults:
                rows.append(await strike(here, source, fault, seconds))
                print(msgspec.json.encode(rows[-1]).decode() if as_json else line(rows[-1]), flush=True)
                for wrong in (*rows[-1].wrong, *rows[-1].harmed):
                    print(f"BROKEN: {source}, {fault}: {wrong}", file=sys.stderr)
    return rows


def line(row: Row) -> str:
    """Give the row of the table, and under it the reason that an operator reads."""
    other = f"{row.other_before_seconds * 1000:.0f} → {row.other_seconds * 1000:.0f}"
    ack = f"{row.ack_before_seconds * 1000:.0f} → {row.ack_seconds * 1000:.0f}"
    figures = f"{other:>15} {ack:>13} {row.dead:>5} {row.recovery_seconds:>7.1f} s"
    said = [row.reason, *(f"measured again, because {harm}" for harm in row.earlier)]
    return "\n".join([f"{row.source:<9} {row.fault:<28} {row.state:<8} {figures}", *(f"{'':<10}{one}" for one in said)])


if __name__ == "__main__":
    sys.exit(main())
