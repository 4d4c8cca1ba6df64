"""``scripts/crash-test``: one run and a table of what it found; exit code 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from pathlib import Path

import msgspec

from scripts import supervised
from scripts.crashes import cluster
from scripts.crashes.blows import NAMES
from scripts.crashes.layers import compiler
from scripts.crashes.result import Options, Result
from scripts.crashes.trial import run

DESCRIPTION = """Strikes a real service under signed load, and looks after each blow whether it kept its promises: every
acknowledged event is in the books, nothing is half-stored, copies and index become what the sources say."""

EPILOG = """With --nodes 3: three nodes over one embedded Postgres, of which one only receives and one only processes,
and two with clocks that are five minutes off.  Blows: kill -9 and SIGSTOP of any and of the elected, rolling restarts,
Postgres stopped at once, its backends ended or killed; between node and Postgres cut, refused and silent connections.

Blows to one node, at random moments: kill -9 under load, while starting, while making its folder, while draining, while
retention removes rows and on a full disk; SIGTERM; SIGSTOP for longer than a lease and than the service waits for a
source; a full disk (no file can grow, until it can again)."""


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="scripts/crash-test", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--nodes", type=int, default=1, help="so many, over one Postgres (default 1, on SQLite)")
    parser.add_argument("--kills", type=int, default=60, help="end after so many kill -9 (default 60)")
    parser.add_argument("--blows", type=int, default=None, metavar="N", help="end after so many blows of any kind")
    parser.add_argument(
        "--seconds", type=float, default=180.0, help="begin no blow after so long: one more may end later (default 180)"
    )
    parser.add_argument("--load-seconds", type=float, default=2.0, help="longest load before a blow (default 2)")
    parser.add_argument("--seed", type=int, default=None, help="of moments and load (default: a new one)")
    names = (*NAMES, *(name for name in cluster.NAMES if name not in NAMES))
    parser.add_argument("--blow", choices=names, action="append", metavar="NAME", help="only this: " + ", ".join(names))
    parser.add_argument("--power-loss", action="store_true", help="each death also takes what was not synced")
    parser.add_argument(
        "--never-sync", action="store_true", help="--power-loss and a service that does not sync: must be found out"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    given = parser.parse_args()
    options = Options(
        kills=given.kills,
        nodes=given.nodes,
        rounds=given.blows,
        seed=given.seed if given.seed is not None else secrets.randbits(32),
        blows=tuple(given.blow or ()),
        seconds=given.seconds,
        load_seconds=given.load_seconds,
        power_loss=given.power_loss or given.never_sync,
        never_sync=given.never_sync,
    )
    refused = supervised.unless_linux() or unfit(options)
    if refused is None and options.power_loss and compiler() is None:
        refused = supervised.refuse(
            "there is no C compiler for the layer that forgets",
            "install one (Debian, Ubuntu: apt install gcc libc6-dev)",
        )
    if refused is not None:
        return refused
    return supervised.run("hookbridge-crash-test-", lambda folder: tried(folder, options, as_json=given.json))


def unfit(options: Options) -> int | None:
    """Refuse what does not go together."""
    names = NAMES if options.nodes == 1 else cluster.NAMES
    strange = [name for name in options.blows if name not in names]
    if options.nodes < 1:
        return supervised.refuse(f"--nodes {options.nodes} leaves nothing to strike", "--nodes 3")
    if strange:
        how_many = "one node" if options.nodes == 1 else "several nodes"
        return supervised.refuse(f"no blow to {how_many}: {strange[0]}", f"one of: {', '.join(names)}")
    if options.nodes > 1 and options.power_loss:
        return supervised.refuse("--power-loss is about the data file of one node", "leave --nodes or --power-loss out")
    return None


async def tried(folder: Path, options: Options, *, as_json: bool) -> int:
    """Run, and print what was found, also when the run is cut short."""
    result = Result(seed=options.seed)
    try:
        if options.nodes == 1:
            await run(folder, options, result)
        else:
            await cluster.run(folder, options, result, tell=lambda line: print(line, file=sys.stderr, flush=True))
    except asyncio.CancelledError:
        result.failure = "interrupted; above is what was found until then"
        raise
    except Exception as error:
        result.failure = f"the test itself failed: {error!r}"
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
        "taken from an outbox": result.taken,
        "lost": result.lost,
        "rows removed by retention": result.removed,
        "writes forgotten": result.forgotten_writes,
        "audits in single snapshots": result.audits,
        "connections of Postgres ended": result.backends_ended,
        "deadlocks": result.deadlocks,
        "settlements fenced": result.fenced,
        "events with an outside effect": result.events_with_effect,
        "  called for again": result.applied_twice,
        "changes told to followers": result.told,
        "messages to a destination": result.messages,
        "  of them not taken": result.messages_not_taken,
        "slowest catching up, s": round(result.slowest_catch_up_seconds, 2),
        "slowest start, s": round(result.slowest_start_seconds, 2),
        "slowest drain, s": round(result.slowest_drain_seconds, 2),
        "slowest takeover, s": round(result.slowest_takeover_seconds, 2),
        "slowest recovery, s": round(result.slowest_recovery_seconds, 2),
        "refused and sent again": ", ".join(f"{count} × {status}" for status, count in result.refused.items()) or 0,
        "duration, s": round(result.seconds, 1),
    }
    for name, value in rows.items():
        print(f"{name:<32}{value:>14}")
    for text, count in sorted(result.errors.items(), key=lambda one: -one[1]):
        print(f"  Postgres said {count} × {text}")
    for line in result.broken:
        print(f"BROKEN: {line}", file=sys.stderr)
    if result.failure:
        print(f"FAILED: {result.failure}", file=sys.stderr)
    print("every promise was kept" if result.kept else "a promise was broken, or nothing was tested", flush=True)


if __name__ == "__main__":
    sys.exit(main())
