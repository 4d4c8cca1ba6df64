"""``scripts/crash-test``: one run and a table of what it found; exit code 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

import msgspec

from scripts.crashes.trial import Options, Result, run

DESCRIPTION = """Strikes a real service under signed load, and looks after each blow whether it kept its promises: every
acknowledged event is in the books, nothing is half-stored, copies and index become what the sources say."""

EPILOG = """blows, at random moments: kill -9 under load, while starting and while draining; SIGTERM; SIGSTOP for
longer than the service waits for a source; a full disk (no file can grow, until it can again)."""


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/crash-test", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--kills", type=int, default=60, help="end after so many kill -9 (default 60)")
    parser.add_argument("--seconds", type=float, default=180.0, help="end after so long in any case (default 180)")
    parser.add_argument("--load-seconds", type=float, default=2.0, help="longest load before a blow (default 2)")
    parser.add_argument("--seed", type=int, default=None, help="of moments and load (default: a new one)")
    parser.add_argument("--power-loss", action="store_true", help="each death also takes what was not synced")
    parser.add_argument("--never-sync", action="store_true", help="a service that does not sync: must be found out")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else secrets.randbits(32)
    options = Options(
        kills=given.kills,
        seed=seed,
        seconds=given.seconds,
        load_seconds=given.load_seconds,
        power_loss=given.power_loss,
        never_sync=given.never_sync,
    )
    with tempfile.TemporaryDirectory(prefix="hookbridge-crash-test-") as folder:
        result = asyncio.run(run(Path(folder), options))
    if given.json:
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
        "lost": result.lost,
        "writes forgotten": result.forgotten_writes,
        "changes with an outside effect": result.changes_with_effect,
        "  applied twice": result.applied_twice,
        "slowest recovery, s": round(result.slowest_recovery_seconds, 2),
        "refused and sent again": result.refused or 0,
        "duration, s": round(result.seconds, 1),
    }
    for name, value in rows.items():
        print(f"{name:<32}{value:>14}" if not isinstance(value, dict) else f"{name:<32}{value}")
    for line in result.broken:
        print(f"BROKEN: {line}", file=sys.stderr)
    if result.failure:
        print(f"FAILED: {result.failure}", file=sys.stderr)
    print("every promise was kept" if result.kept else "a promise was broken")


if __name__ == "__main__":
    sys.exit(main())
