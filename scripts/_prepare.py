"""Prepares .venv once, then becomes the program that was asked for.

usage: _prepare.py LEVEL MODULE [ARGUMENT...]

LEVEL is run, test or lint; each holds everything of the one before it, at the same versions (scripts/lock sees to it).
`.venv/prepared.json` says what a finished preparation installed. It is removed before the first change and written
after the last one, and a file named `unfinished` stands in its place in between: an environment that was interrupted
half-way is made anew, and one that somebody else made is completed but never deleted.

What prevents it (a folder or an environment of another user, no network, a full disk) ends in two lines: what, and what
to do about it.

It uses the standard library only, because it runs before anything is installed.
"""

import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import re
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
    tell("preparing .venv (once, a minute or two)")
    if UNFINISHED.exists() or not PYTHON.exists():
        make_environment()
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    locks = ("locks/build.txt", f"locks/{level}.txt")
    pip(*(f"-r{lock}" for lock in locks), "--require-hashes", packages=number_of_packages(locks))
    pip("--no-deps", "--no-build-isolation", "--editable", ".", packages=1)
    STAMP.write_text(json.dumps({"fingerprint": wanted, "level": level}) + "\n")
    UNFINISHED.unlink()
    tell("prepared")


def number_of_packages(locks: "tuple[str, ...]") -> int:
    """Count what these locks name; what stands in several counts once."""
    lines = (line for lock in locks for line in (ROOT / lock).read_text("utf-8").splitlines())
    return len({line.partition("==")[0] for line in lines if "==" in line and line[:1].isalnum()})


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
    # pip in a step of its own: venv keeps for itself what prevents that one.
    pip_of_python = [str(PYTHON), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"]
    for command in ([base, "-m", "venv", "--clear", "--without-pip", str(VENV)], pip_of_python):
        call(command, "the environment could not be made")


def pip(*arguments: str, packages: int) -> None:
    """Install with pip: what it does is counted, what it complains of is shown as it comes."""
    options = ["--no-input", "--disable-pip-version-check", "--progress-bar=off"]
    command = [str(PYTHON), "-m", "pip", "install", *options, *arguments]
    complaints, done = [], 0
    # close_fds: see one_at_a_time. stdout belongs to the program that comes after the preparation.
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, close_fds=False
    ) as process:
        assert process.stdout is not None
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if begun := re.match(r"(?:Collecting|Obtaining) ([^\s;=<>!~\[]+)", line):
                done += 1
                count(done, packages, begun[1])
            elif not USUAL.match(line):
                complaints.append(line)
                # Of warnings only why it takes so long: the others are about this machine's settings of pip.
                if not line.startswith("WARNING") or "Retrying" in line:
                    tell(line)
    if process.returncode:
        fail("packages could not be installed", remedy("\n".join(complaints)))
    finish_count()


USUAL = re.compile(
    r"\s*$|\s*(?:Using cached|Downloading|Requirement already|Installing|Successfully|Preparing|Checking|Getting"
    r"|Building|Created|Stored|Looking in|Attempting|Found existing|Uninstalling|Ignoring|Saved|File was|Processing)\b"
)
"""What pip says when all is well."""

UNREACHED = (
    r"ConnectionError|ConnectTimeout|ReadTimeout|Name or service|name resolution|Max retries|ProxyError|SSLError"
    r"|No matching distribution|Network is unreachable|nodename nor servname"
)
REACH = (
    "connect this machine to the package index (a proxy: HTTPS_PROXY; a mirror: PIP_INDEX_URL; a private CA: PIP_CERT)"
)
REMEDIES = (
    (r"No space left|Disk quota", "free some space on the disk of this folder and in TMPDIR, and start again"),
    (UNREACHED, REACH),
    (r"Permission denied|Read-only file system", "see who owns .venv: start it as that user, or clone anew"),
    (r"DO NOT MATCH THE HASHES", "something between here and the package index changes files; ask whoever runs it"),
)
"""What pip's words mean for the one who reads them."""


def remedy(complaints: str) -> str:
    """Say what to do about what pip complained of."""
    known = (advice for pattern, advice in REMEDIES if re.search(pattern, complaints))
    return next(known, "read the lines above; the next start begins anew")


def explained(error: OSError) -> "tuple[str, str]":
    """Say what a failure of the system means for whoever wants to start."""
    what = f"{error.filename or ROOT}: {error.strerror or error}"
    if error.errno == errno.EROFS:
        return f"this folder is read-only ({what})", "clone it to a folder that can be written, and start it there"
    if error.errno in {errno.EACCES, errno.EPERM}:
        owner = owner_of(VENV if VENV.is_symlink() or os.path.lexists(VENV) else ROOT)
        return (
            f"this user may not prepare the environment ({what})",
            f"start it as {owner}, who owns it, or clone it to a folder of your own",
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk is full ({what})", "free some space, and start again"
    return (
        f"the environment cannot be prepared ({what})",
        "look at what is at that place; without .venv it is made anew",
    )


def owner_of(place: Path) -> str:
    """Name the owner of a place."""
    number = place.lstat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def call(command: list[str], complaint: str) -> None:
    """Run one command of the preparation, or end with one line that says what could not be done."""
    ran = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, close_fds=False, check=False)
    if ran.returncode:
        said = (ran.stdout + ran.stderr).decode(errors="replace").strip()
        # Neither a traceback: it is about the program that was called, and what went wrong stands before or behind it.
        words, _, trace = said.partition("Traceback (most recent call last)")
        tell(words.strip() or trace.rpartition("\n")[2])
        fail(complaint, remedy(said))


def count(done: int, of: int, name: str) -> None:
    """Show how far it is: on a terminal in one line, elsewhere now and then."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K  {done} of {of}: {name}", end="", file=sys.stderr, flush=True)
    elif done % 20 == 0:
        tell(f"  {done} of {of} packages")


def finish_count() -> None:
    """End the line of the count: what is left is to unpack them."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def tell(line: str) -> None:
    """Say something to whoever waits."""
    finish_count()
    print(line, file=sys.stderr, flush=True)


def fail(complaint: str, advice: str) -> NoReturn:
    """End with a line for the reader and the exit code of a start that cannot be."""
    tell(f"error: {complaint}\ntry: {advice}")
    sys.exit(2)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], sys.argv[3:])
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as system:
        fail(*explained(system))
