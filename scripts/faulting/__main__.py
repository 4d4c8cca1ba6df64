"""``scripts/fault-test``: each fault at each source while destinations fail; exit code 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

import msgspec

from scripts import supervised
from scripts.crashes.processes import Failed
from scripts.faulting.destinations import RANDOM, Told
from scripts.faulting.faults import FAULTS
from scripts.faulting.trial import Row, finish, ground, strike

DESCRIPTION = """Puts a proxy before both sources of a real service, under a steady load of signed webhooks, and lets
one of them fail in every way. Looks each time whether the other source's changes and all acknowledgements are as fast
as just before, whether anything is dead that should wait, whether all recovers without a restart, and what an operator
sees. Four destinations are told of all that meanwhile: one is well, one fails at random in every way, one answers 500
to one record, one leads nowhere. The one that is well has everything soon behind each fault; at the end the others that
have state are mended, and have to have what the copies are. Memory is looked at as well."""

HEAD = f"{'source':<9} {'fault':<28} {'lane':<8} {'other p99, ms':>15} {'ack p99, ms':>13} {'dead':>5} {'recovery':>9}"


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/fault-test", description=DESCRIPTION)
    parser.add_argument("--seconds", type=float, default=3.0, help="of load before and during each fault (default 3)")
    parser.add_argument("--source", choices=["supabase", "notion"], help="only this one fails (default: both in turn)")
    parser.add_argument("--fault", choices=list(FAULTS), metavar="NAME", help="only this one: " + ", ".join(FAULTS))
    parser.add_argument("--seed", type=int, default=None, help="of how destinations fail (default: a new one)")
    parser.add_argument("--json", action="store_true", help="print JSON, one row a line, instead of a table")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbits(32)
    sources = [given.source] if given.source else ["supabase", "notion"]
    faults = [given.fault] if given.fault else list(FAULTS)
    return supervised.run(
        "hookbridge-fault-test-",
        lambda folder: tried(folder, sources, faults, seconds=given.seconds, seed=seed, as_json=given.json),
    )


async def tried(
    folder: Path, sources: list[str], faults: list[str], *, seconds: float, seed: int, as_json: bool
) -> int:
    """Run, and say whether everything was kept; the rows so far are printed also when it is cut short."""
    try:
        rows, told = await run(folder, sources, faults, seconds=seconds, seed=seed, as_json=as_json)
    except Failed as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print("FAILED: interrupted; above is what was found until then", file=sys.stderr)
        raise
    kept = told.kept and all(row.kept for row in rows)
    if not as_json:
        print("every promise was kept" if kept else "a promise was broken")
    return 0 if kept else 1


async def run(
    folder: Path, sources: list[str], faults: list[str], *, seconds: float, seed: int, as_json: bool
) -> tuple[list[Row], Told]:
    """Strike with each fault and print its row at once, and in the end what became of the destinations."""
    rows: list[Row] = []
    if not as_json:
        print(HEAD, flush=True)
    async with ground(folder, seed) as here:
        for source in sources:
            for fault in faults:
                rows.append(await strike(here, source, fault, seconds))
                print(msgspec.json.encode(rows[-1]).decode() if as_json else line(rows[-1]), flush=True)
                for wrong in (*rows[-1].wrong, *rows[-1].harmed):
                    print(f"BROKEN: {source}, {fault}: {wrong}", file=sys.stderr)
        told = await finish(here)
    print(msgspec.json.encode(told).decode() if as_json else lines(told), flush=True)
    for wrong in told.wrong:
        print(f"BROKEN: destinations, seed {seed}: {wrong}", file=sys.stderr)
    return rows, told


def lines(told: Told) -> str:
    """Give what became of the destinations."""
    messages = ", ".join(f"{number} to {name}" for name, number in told.messages.items())
    fates = ", ".join(f"{number} {fate}" for fate, number in told.fates.items())
    before, most = told.memory_mb
    return f"""destinations, --seed {told.seed}: messages {messages}
of those to {RANDOM}: {fates}; of an answer of 100 MB {told.longest_answer_mb:g} MB were read
all had what the copies are {told.catch_up_seconds:g} s after they were mended
memory: {before:g} MB before the first fault, {most:g} MB at most behind one"""


def line(row: Row) -> str:
    """Give the row of the table, and under it the reason that an operator reads."""
    other = f"{row.other_before_seconds * 1000:.0f} → {row.other_seconds * 1000:.0f}"
    ack = f"{row.ack_before_seconds * 1000:.0f} → {row.ack_seconds * 1000:.0f}"
    figures = f"{other:>15} {ack:>13} {row.dead:>5} {row.recovery_seconds:>7.1f} s"
    said = [row.reason, *(f"measured again, because {harm}" for harm in row.earlier)]
    return "\n".join([f"{row.source:<9} {row.fault:<28} {row.state:<8} {figures}", *(f"{'':<10}{one}" for one in said)])


if __name__ == "__main__":
    sys.exit(main())
