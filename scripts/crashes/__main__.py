"""``scripts/crash-test``: one run and a table of what it found; exit code 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

import msgspec

from scripts import supervised
from scripts.crashes import forgetting
from scripts.crashes.blows import NAMES
from scripts.crashes.result import Options, Result
from scripts.crashes.trial import run

DESCRIPTION = """Strikes a real service under signed load, and looks after each blow whether it kept its promises: every
acknowledged event is in the books, nothing is half-stored, copies and index become what the sources say."""

EPILOG = """blows, at random moments: kill -9 under load, while starting, while making its folder, while draining, while
retention removes rows and on a full disk; SIGTERM; SIGSTOP for longer than a lease and than the service waits for a
source; a full disk (no file can grow, until it can again)."""


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/crash-test", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--kills", type=int, default=60, help="end after so many kill -9 (default 60)")
    parser.add_argument(
        "--seconds", type=float, default=180.0, help="begin no blow after so long: one more may end later (default 180)"
    )
    parser.add_argument("--load-seconds", type=float, default=2.0, help="longest load before a blow (default 2)")
    parser.add_argument("--seed", type=int, default=None, help="of moments and load (default: a new one)")
    parser.add_argument("--blow", choices=NAMES, action="append", metavar="NAME", help="only this: " + ", ".join(NAMES))
    parser.add_argument("--power-loss", action="store_true", help="each death also takes what was not synced")
    parser.add_argument(
        "--never-sync", action="store_true", help="--power-loss and a service that does not sync: must be found out"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    options = Options(
        kills=given.kills,
        seed=given.seed if given.seed is not None else secrets.randbits(32),
        blows=tuple(given.blow or ()),
        seconds=given.seconds,
        load_seconds=given.load_seconds,
        power_loss=given.power_loss or given.never_sync,
        never_sync=given.never_sync,
    )
    refused = supervised.unless_linux()
    if refused is None and options.power_loss and forgetting.compiler() is None:
        refused = supervised.refuse(
            "there is no C compiler for the layer that forgets",
            "install one (Debian, Ubuntu: apt install gcc libc6-dev)",
        )
    if refused is not None:
        return refused
    return supervised.run("hookbridge-crash-test-", lambda folder: tried(folder, options, as_json=given.json))


async def tried(folder: Path, options: Options, *, as_json: bool) -> int:
    """Run, and print what was found, also when the run is cut short."""
    result = Result(seed=options.seed)
    try:
        await run(folder, options, result)
    except asyncio.CancelledError:
        result.failure = "interrupted; above is what was found until then"
        raise
    finally:
        if as_json:
            print(msgspec.json.encode(result).decode())
        else:
            show(result)
    return 0 if result.kept else 1


def show(result: Result) -> None:
    """Print the table."""
    rows = {
        "seed": result.seed,
        "kills": result.kills,
        **{f"  {name}": count for name, count in sorted(result.blows.items())},
        "acknowledged": result.acknowledged,
        "  of them duplicates": result.duplicates,
        "  of them only counted": result.only_counted,
        "lost": result.lost,
        "rows removed by retention": result.removed,
        "writes forgotten": result.forgotten_writes,
        "settlements fenced": result.fenced,
        "events with an outside effect": result.events_with_effect,
        "  called for again": result.applied_twice,
        "slowest start, s": round(result.slowest_start_seconds, 2),
        "slowest drain, s": round(result.slowest_drain_seconds, 2),
        "slowest recovery, s": round(result.slowest_recovery_seconds, 2),
        "refused and sent again": ", ".join(f"{count} × {status}" for status, count in result.refused.items()) or 0,
        "duration, s": round(result.seconds, 1),
    }
    for name, value in rows.items():
        print(f"{name:<32}{value:>14}")
    for line in result.broken:
        print(f"BROKEN: {line}", file=sys.stderr)
    if result.failure:
        print(f"FAILED: {result.failure}", file=sys.stderr)
    print("every promise was kept" if result.kept else "a promise was broken, or nothing was tested", flush=True)


if __name__ == "__main__":
    sys.exit(main())
