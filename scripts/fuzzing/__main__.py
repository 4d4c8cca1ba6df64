"""``scripts/fuzz``: all targets, guided by coverage, each for some time; exit code 1 when something was found."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import re
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import msgspec

from scripts import programs, supervised
from scripts.crashes.setup import ROOT, module

NAMES = (
    "supabase",
    "notion",
    "signature",
    "right-signature",
    "handshake",
    "identity",
    "record-id",
    "record-name",
    "question",
    "retry-after",
    "supabase-answer",
    "notion-answer",
    "cursor",
)
"""What ``targets`` has, held together by a test: to ask it would import what has to be watched while it is imported."""

_PROGRESS = re.compile(rb"#(\d+)\s.* cov: (\d+) .*corp: (\d+)/")
_DONE = re.compile(rb"Done (\d+) runs")
GRACE_SECONDS = 60.0
"""For the imports of a child, and its last case."""
LINES_SHOWN = 40
HEAD = f"{'target':<18} {'runs':>10} {'coverage':>9} {'corpus':>7}  found"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one target."""

    target: str
    runs: int
    coverage: int
    """Edges of the code that were met."""
    corpus: int
    """Inputs of which each met something new."""
    found: str
    """The file with what broke it; empty when nothing did."""


def main() -> int:
    """Fuzz until the time is over."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Throws random bytes, guided by coverage, at everything that reads what others write: bodies, "
        "signatures and headers of senders, questions of operators, answers of the sources.",
        epilog="What is found is printed and written to ./crash-…: add it to tests/fixtures/corpus, where the tests "
        "replay it. Exit code 1 when something was found.",
    )
    parser.add_argument("--target", choices=NAMES, action="append", metavar="NAME", help="only: " + ", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="how long each (default 60)")
    parser.add_argument("--json", action="store_true", help="print JSON, one row a line, instead of a table")
    given = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        return supervised.refuse(
            "there is no atheris here: it exists for Linux on x86-64, for Python 3.11 to 3.14",
            "run it there; ./scripts/test tests/chaos replays what was found everywhere",
        )
    return supervised.run(
        "hookbridge-fuzz-",
        lambda folder: fuzz(folder, given.target or NAMES, seconds=given.seconds, as_json=given.json),
    )


async def fuzz(folder: Path, targets: tuple[str, ...], *, seconds: int, as_json: bool) -> int:
    """Give each target its time, and print its row at once."""
    if not as_json:
        print(HEAD, flush=True)
    found = 0
    for target in targets:
        row, said = await _one(folder, target, seconds)
        if as_json:
            print(msgspec.json.encode(row).decode(), flush=True)
        else:
            print(f"{row.target:<18} {row.runs:>10} {row.coverage:>9} {row.corpus:>7}  {row.found or '-'}", flush=True)
        if row.found:
            found += 1
            print("\n".join(said), file=sys.stderr, flush=True)
    if not as_json:
        print(f"{found} targets were broken" if found else "nothing was found")
    return 1 if found else 0


async def _one(folder: Path, target: str, seconds: int) -> tuple[Row, list[str]]:
    """Run a target in a process of its own: what breaks it, or fills its memory, ends that one alone."""
    place = folder / target
    for name in ("corpus", "found"):
        (place / name).mkdir(parents=True)
    child = await programs.start(
        module("scripts.fuzzing.child", target, str(seconds), str(place)), cwd=ROOT, stdout=PIPE, stderr=STDOUT
    )
    said = b""
    try:
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            said, _ = await child.communicate()
    except TimeoutError:
        said = b"it did not end"
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    progress = _PROGRESS.findall(said)
    runs, coverage, corpus = map(int, progress[-1]) if progress else (0, 0, 0)
    if done := _DONE.search(said):
        runs = int(done[1])
    found = ""
    for case in sorted((place / "found").iterdir()):
        found = f"crash-{target}-{case.name.rpartition('-')[2]}"
        shutil.copy(case, ROOT / found)
    if not found and (child.returncode != 0 or not runs):
        found = f"ended with {child.returncode} after {runs} runs"
    row = Row(target=target, runs=runs, coverage=coverage, corpus=corpus, found=found)
    return row, said.decode(errors="replace").splitlines()[-LINES_SHOWN:]


if __name__ == "__main__":
    sys.exit(main())
