"""What the demonstration needs of the system to run other processes beside itself."""

from __future__ import annotations

import ctypes
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

_PORTS = range(15_000, 32_000)
"""Below those that systems give away by themselves: who starts anew has its port again.  Linux: 32768, macOS: 49152."""

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
    """Give a port of the loopback address that nobody listens on, and that the system gives to nobody meanwhile."""
    while True:
        port = secrets.choice(_PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:  # somebody listens there
            continue
        return port
