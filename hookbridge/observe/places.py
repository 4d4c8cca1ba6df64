"""Where in the user's own code something happened, in words and as the traceback that is kept of it.  Pure.

The user's own is what is neither hookbridge's nor installed (the standard library, packages).  Frames are shown by
their source lines: no value of a variable is ever looked at.
"""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import CoroutineType, FrameType, TracebackType
from typing import Any

Line = tuple[str, int | None]
"""A file's name and a number in it."""

TRACEBACK_BYTES_MAX = 8 * 1024
"""So much of a traceback is kept; its end is what counts."""

_FRAMES_MAX = 100
_LINE_MAX = 1_000
_CUT = "...\n"

_INSTALLED = tuple(
    {
        str(Path(__file__).parents[1]),
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    }
)
_PACKAGES = frozenset(("site-packages", "dist-packages"))


def place(lines: Iterable[Line], home: str) -> str | None:
    """Give the innermost of these lines (the outermost come first) that is the user's, as ``file.py:7``.

    ``home`` is a file that is the user's wherever it lies.  None when no line is.
    """
    found = None
    for file, number in lines:
        if file == home or _is_users(file):
            found = f"{Path(file).name}:{number}"
    return found


def _is_users(file: str) -> bool:
    if file.startswith("<"):  # code of no file
        return False
    return not file.startswith(_INSTALLED) and _PACKAGES.isdisjoint(Path(file).parts)


def of_traceback(trace: TracebackType | None) -> Iterator[Line]:
    """Give the lines of a traceback, the outermost first."""
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def of_waiting(awaited: Any) -> Iterator[Line]:  # noqa: ANN401  coroutines await whatever can be awaited
    """Give the lines at which a coroutine waits, and those that it awaits, the outermost first."""
    # Python's own type alone: what else can be awaited is a stranger's, and may answer anything to any question.
    while isinstance(awaited, CoroutineType) and awaited.cr_frame is not None:
        yield awaited.cr_frame.f_code.co_filename, awaited.cr_frame.f_lineno
        awaited = awaited.cr_await


def of_running(frame: FrameType | None) -> list[Line]:
    """Give the lines that a thread is at, the outermost first."""
    found = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return found[::-1]


def running() -> Mapping[int, FrameType]:
    """Give the frame that each thread is in, by the thread's number."""
    return sys._current_frames()  # noqa: SLF001  documented, and there is no other way to ask


def traceback_of(error: BaseException, *, without: str = "", clean: Callable[[str], str] = str) -> str:
    """Write what an error and its causes raised and where, as Python does, in ``TRACEBACK_BYTES_MAX`` at most.

    ``without`` is a file whose frames say nothing to the reader; ``clean`` takes out what must not be shown, before
    anything is cut: half of a secret is not known as one.
    """
    told = traceback.TracebackException.from_exception(error, limit=-_FRAMES_MAX)
    _leave_out(told, without)
    lines = (
        line[:_LINE_MAX] for line in clean("".join(told.format())).rstrip().split("\n")
    )  # a long text hides no frame
    written = "\n".join(lines).encode(errors="backslashreplace")
    if len(written) > TRACEBACK_BYTES_MAX:
        written = _CUT.encode() + written[len(_CUT) - TRACEBACK_BYTES_MAX :]
    return written.decode(errors="ignore")


def _leave_out(told: traceback.TracebackException, file: str) -> None:
    left = [told]
    while left:  # a chain may be longer than the interpreter's stack
        one = left.pop()
        one.stack[:] = [frame for frame in one.stack if frame.filename != file]
        left += [more for more in (one.__cause__, one.__context__, *(one.exceptions or ())) if more is not None]
