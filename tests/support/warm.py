"""Commands without their start: a process that has imported everything forks for each one that is asked for.

A new interpreter that imports what a command needs takes 0.6 s of processor time, and a fork 0.15 to 0.2 s.  What a
command reads, does, prints and ends with is its own.  What is not as at a start: every module is there already, all
commands of a run share one seed of hashes, output goes to a file, and what a command leaves running is not waited for.
So `commands.command` starts each command once for real.
"""

import asyncio
import atexit
import gc
import importlib
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

import msgspec

REPOSITORY = Path(__file__).parents[2]
_MESSAGE_BYTES_MAX = 1 << 17
_STANDARD = (0, 1, 2)
"""Input, output and errors."""


class _Command(msgspec.Struct, frozen=True):
    words: Sequence[str]
    folder: str
    environ: Mapping[str, str]


async def forked(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], stdin: bytes
) -> tuple[int, bytes, bytes]:
    """Run `python -m hookbridge` with these words to its end; gives its exit code, its output and its errors."""
    address = await asyncio.to_thread(_address)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        given.write(stdin)
        given.seek(0)
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(address)
            message = msgspec.json.encode(_Command(words, str(folder), environ))
            socket.send_fds(asked, [message], [given.fileno(), out.fileno(), errors.fileno()])
            asked.settimeout(0)
            code = await asyncio.get_running_loop().sock_recv(asked, 16)
        return int(code), _all_of(out), _all_of(errors)


def _all_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


_starting = Lock()


def _address() -> str:
    with _starting:
        return _started()


@cache
def _started() -> str:
    """Start the process that forks, in an environment that says nothing; it ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    address = str(Path(folder.name) / "socket")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm", address],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,  # its end says that this process is no more
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return address


class _Forking:
    """The process that forks."""

    def __init__(self, address: str) -> None:
        self._running: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(address)
        self._listening.listen(64)
        # A byte comes for each child that has ended.
        self._ended, self._ends = socket.socketpair()
        self._ended.settimeout(0)
        self._ends.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._ends.fileno())
        for readable in (self._listening, self._ended, sys.stdin):
            self._selector.register(readable, selectors.EVENT_READ)

    def next(self) -> tuple[_Command, list[int]]:
        """Fork for each command that comes; gives one, with its files, in the child that is to run it alone."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    os.killpg(0, signal.SIGKILL)  # who asked is no more; the commands that run go with this process
                elif key.fileobj is self._ended:
                    self._ended.recv(4096)
                    self._tell()
                elif key.fileobj is self._listening:
                    connection, _ = self._listening.accept()
                    message, files, _, _ = socket.recv_fds(connection, _MESSAGE_BYTES_MAX, len(_STANDARD))
                    child = os.fork()
                    if child == 0:
                        self._leave(connection)
                        return msgspec.json.decode(message, type=_Command), files
                    for file in files:
                        os.close(file)
                    self._running[child] = connection
                    self._selector.register(connection, selectors.EVENT_READ, child)
                elif key.data in self._running:  # nobody waits for it any more
                    self._selector.unregister(key.fileobj)
                    os.kill(key.data, signal.SIGKILL)

    def _tell(self) -> None:
        """Say how those ended that have."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                with self._running.pop(ended[0]) as connection, suppress(BrokenPipeError):
                    with suppress(KeyError):
                        self._selector.unregister(connection)
                    connection.send(str(os.waitstatus_to_exitcode(ended[1])).encode())

    def _leave(self, connection: socket.socket) -> None:
        """Take what is the forking process's out of a child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for one in (connection, self._listening, self._ended, self._ends, *self._running.values()):
            one.close()


def _become(command: _Command, files: Sequence[int]) -> None:
    for standard, file in zip(_STANDARD, files, strict=True):
        os.dup2(file, standard)
        os.close(file)
    os.chdir(command.folder)
    os.environ.clear()
    os.environ.update(command.environ)
    sys.argv[1:] = command.words
    sys.path[0] = command.folder


class _End:
    """Ends a command's process behind all that it does at its exit: to take what was imported apart takes longer."""

    def __init__(self) -> None:
        self.code = 1  # of an exception that nobody caught
        atexit.register(self._now)

    def _now(self) -> None:
        gc.collect()  # what was left open or not awaited says so
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(self.code)


if __name__ == "__main__":
    end = _End()  # registered before anything of ours, so called after it
    import hookbridge

    for module in pkgutil.walk_packages(hookbridge.__path__, "hookbridge."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()
    forking = _Forking(sys.argv[1])
    print("ready", flush=True)
    _become(*forking.next())
    try:
        runpy.run_module("hookbridge", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        end.code = int(ended.code or 0)
