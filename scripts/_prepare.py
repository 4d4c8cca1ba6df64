"""Prepares .venv once, then becomes the program that was asked for.

usage: _prepare.py LEVEL MODULE [ARGUMENT...]

LEVEL is run, test or lint; each holds everything of the one before it, at the same versions (scripts/lock sees to it).
`.venv/prepared.json` says what a finished preparation installed. It is removed before the first change and written
after the last one, and a file named `unfinished` stands in its place in between: an environment that was interrupted
half-way is made anew, and one that somebody else made is completed but never deleted.

It uses the standard library only, because it runs before anything is installed.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "prepared.json"
UNFINISHED = VENV / "unfinished"
LEVELS = ("run", "test", "lint")


def main(level: str, module: str, arguments: list[str]) -> NoReturn:
    """Make sure of `level`, then exec: signals go straight to the program, its exit code straight back."""
    wanted = fingerprint()
    if not is_ready(level, wanted):
        with one_at_a_time():
            # Another start may have done it while this one waited.
            if not is_ready(level, wanted):
                prepare(level, wanted)
    os.execv(PYTHON, [str(PYTHON), "-m", module, *arguments])  # noqa: S606  no shell is wanted here


def fingerprint() -> str:
    """Of all that an environment is made from: locks, [project], and this folder, to which the installation points."""
    digest = hashlib.sha256(os.fsencode(ROOT))
    for lock in sorted(ROOT.glob("locks/*.txt")):
        digest.update(lock.read_bytes())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    digest.update(json.dumps(project, sort_keys=True).encode())
    return digest.hexdigest()


def is_ready(level: str, wanted: str) -> bool:
    """Say whether a finished preparation covers `level`."""
    return (
        stamped("fingerprint") == wanted and level in LEVELS[: LEVELS.index(installed_level()) + 1] and PYTHON.exists()
    )


def installed_level() -> str:
    """Tell the highest level that was ever installed: a newer lock must not leave older linters behind."""
    level = stamped("level")
    return level if level in LEVELS else LEVELS[0]


def stamped(name: str) -> str | None:
    """Read one value of the stamp; a missing or damaged stamp has none."""
    try:
        value = json.loads(STAMP.read_bytes())[name]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, str) else None


@contextmanager
def one_at_a_time() -> "Iterator[None]":
    """Let only one preparation work in this folder; the system drops the lock with the process, however that ends."""
    # Beside .venv and not in it, because an unfinished .venv is deleted.
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Handed down to pip: a pip that outlives a killed parent still keeps the next preparation waiting.
        os.set_inheritable(lock.fileno(), True)
        yield


def prepare(level: str, wanted: str) -> None:
    """Install the locks of `level`, and this folder itself in a way that edits take effect at once."""
    level = max(level, installed_level(), key=LEVELS.index)
    print("preparing .venv (once)…", file=sys.stderr, flush=True)
    if UNFINISHED.exists() or not PYTHON.exists():
        make_environment()
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    pip("--require-hashes", "-r", "locks/build.txt", "-r", f"locks/{level}.txt")
    pip("--no-deps", "--no-build-isolation", "--editable", ".")
    STAMP.write_text(json.dumps({"fingerprint": wanted, "level": level}) + "\n")
    UNFINISHED.unlink()


def make_environment() -> None:
    """Make .venv empty and new, unfinished until told otherwise."""
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        fail(
            f"{sys.executable} comes without the venv module",
            "install it (Debian, Ubuntu: apt install python3-venv) and start again",
        )
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    # Not the interpreter inside .venv: it would delete the ground it stands on.
    base: str = getattr(sys, "_base_executable", sys.executable)
    call([base, "-m", "venv", "--clear", str(VENV)], "the environment could not be made")


def pip(*arguments: str) -> None:
    """Install with pip, which says by itself what went wrong; twice quiet, it says nothing else."""
    options = ["--quiet", "--quiet", "--no-input", "--disable-pip-version-check"]
    call([str(PYTHON), "-m", "pip", "install", *options, *arguments], "packages could not be installed")


def call(command: list[str], complaint: str) -> None:
    """Run one command of the preparation, or end with one line that says what could not be done."""
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, close_fds=False, check=False).returncode:
        fail(complaint, "read the lines above; the next start begins anew")


def fail(complaint: str, advice: str) -> NoReturn:
    """End with a line for the reader and the exit code of a start that cannot be."""
    print(f"error: {complaint}", f"try: {advice}", sep="\n", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except KeyboardInterrupt:
        sys.exit(130)
