"""``python -m hookbridge``."""

import os
import signal
import sys

PACKAGE = "hookbridge"
FIRST = 1
"""The number of a container's first process."""


def end_at_signals() -> None:
    """Have a start end at SIGTERM or SIGHUP where the kernel has no default for that: in a container's first process.

    Before anything else is imported, because a signal that comes earlier is lost.  Nothing is lost with the process:
    what was acknowledged is on disk.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if os.getpid() == FIRST and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda came, _: os._exit(128 + came))


if __name__ == "__main__":
    end_at_signals()
    try:
        from hookbridge.cli.main import app

        app()
    except KeyboardInterrupt:  # before the command had begun
        sys.exit(130)
    except ModuleNotFoundError as missing:
        # A package of ours is missing by a mistake of ours, any other one because this is another Python.
        if missing.name is None or missing.name.partition(".")[0] == PACKAGE:
            raise
        again = " ".join(["./scripts/run", *sys.argv[1:]])
        sys.stderr.write(f"error: {missing.name} is not installed for {sys.executable}\ntry: {again}\n")
        sys.exit(2)
