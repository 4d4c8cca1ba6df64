"""What the demonstration needs of the system to run other processes beside itself."""

from __future__ import annotations

import ctypes
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

_PR_SET_PDEATHSIG = 1
"""https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html."""
_libc = ctypes.CDLL(None)


def end_with_parent(number: signal.Signals = signal.SIGKILL) -> Callable[[], object] | None:
    """Give what a child calls before its program, so that it gets this signal when this process dies.

    None where the system cannot.
    """
    # Between fork and exec only prctl is called, by a function that was looked up before: no lock can be met there.
    return partial(_libc.prctl, _PR_SET_PDEATHSIG, number) if sys.platform == "linux" else None


def free_port() -> int:
    """Give a port of the loopback address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
