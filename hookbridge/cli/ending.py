"""How every command ends: what a failure means for the lines on stderr and for the exit code, in one place.

Invariant: what a user can cause ends in ``error:`` and ``try:`` lines and a code of this table; a traceback is a bug of
ours.  Also here, because it is the same for all commands: what arguments and output may be made of.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from hookbridge.errors import ConfigError, HookbridgeError

FINE = 0
NO = 1
"""The command ran, and its answer is no: a difference, a check that failed."""
CANNOT = 2
"""It could not be done: a wrong option, no service, no token."""
STOPPED = 130
"""By Ctrl-C, as shells say it."""
TERMINATED = 143
"""By SIGTERM, likewise."""
CUT = 141
"""Whoever read the output wanted no more of it (``| head``), as shells say it: 128 + SIGPIPE."""

PROGRAM = "python -m hookbridge"
PREPARING = Path("scripts") / "run"


def program() -> str:
    """Give how the commands are called from this folder: in a checkout by the script that prepares the environment."""
    return f"./{PREPARING}" if PREPARING.is_file() else PROGRAM


def as_called(text: str) -> str:
    """Give a text from below the commands with these named as they are called from this folder."""
    return text.replace(PROGRAM, program())


class OutputLost(OSError):
    """The standard output cannot be written.  A reader who is gone is a BrokenPipeError instead."""


class Output(io.FileIO):
    """The standard output, whose failures are known from those of any other file."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401  the base's
        """Write.  Raises OutputLost or BrokenPipeError."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from None


class Commands(TyperGroup):
    """All commands; ``main`` is the way in and out of each."""

    def main(
        self,
        args: Sequence[str] | None = None,
        *_: Any,  # noqa: ANN401  what typer has for its own ending
        **__: Any,  # noqa: ANN401  likewise
    ) -> NoReturn:
        """Run the command that the arguments name.  Does not return."""
        words = sys.argv[1:] if args is None else list(args)
        sys.exit(self._written(words))

    def _written(self, words: list[str]) -> int:
        """Run it, and see that its output arrives."""
        if not _streams():
            return tell(["the standard output is closed"], "> /dev/null, where nobody shall read it")
        try:
            code = self._explained(words)
            sys.stdout.flush()
        except BrokenPipeError:
            _give_up_output()
            return CUT
        except OutputLost as error:
            _give_up_output()
            return tell([f"the output cannot be written: {error.strerror}"], "another file, or free some space")
        return code

    def _explained(self, words: list[str]) -> int:
        """Run it; gives the exit code of whatever ends it."""
        try:
            _check_text(words)
            with self.make_context(PROGRAM, list(words)) as context:
                self.invoke(context)
        except typer.Exit as left:
            return left.exit_code
        except (KeyboardInterrupt, typer.Abort):
            return STOPPED
        except HookbridgeError as error:
            problems = error.problems if isinstance(error, ConfigError) else [error.message]
            return tell(problems, error.hint or self._help(words))
        except typer.TyperException as error:
            return tell([" ".join(error.format_message().split())], self._help(words))
        except SystemExit as left:
            # rich leaves so when its pipe is closed.
            if isinstance(left.__context__, BrokenPipeError):
                return CUT
            raise
        return FINE

    def _help(self, words: Sequence[str]) -> str:
        """Give the command that explains the one that was meant."""
        found: Any = self
        called = program()
        for word in words:
            if (member := getattr(found, "commands", {}).get(word)) is not None:
                found, called = member, f"{called} {word}"
        return f"{called} --help"


def tell(problems: Sequence[str], hint: str) -> int:
    """Say why it could not be done, and what to do; gives the exit code that says so."""
    with suppress(OSError):  # where nobody can be told, the code still tells
        for line in problems:
            print(f"error: {as_called(line)}", file=sys.stderr)
        if hint:
            print(f"try: {as_called(hint)}", file=sys.stderr)
    return CANNOT


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end what is done in here as Ctrl-C does: what it says at its end is said.  In the main thread."""

    def end(*_: object) -> NoReturn:
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def lose_output() -> None:
    """Give up what cannot be written: a log that nobody keeps is no reason for a service to end otherwise."""
    try:
        sys.stdout.flush()
    except OSError:
        _give_up_output()


def _check_text(words: Sequence[str]) -> None:
    """Refuse what is not UTF-8: Python has made surrogates of it, which nothing can send.  Raises ConfigError."""
    strange = [word for word in words if any("\ud800" <= one <= "\udfff" for one in word)]
    if strange:
        raise ConfigError([f"the argument {word!a} is not UTF-8" for word in strange])


def _streams() -> bool:
    """Make the streams fit for whatever is printed; gives whether there is a standard output at all."""
    # Python has None for what was closed before it began.  Its number is free, and the next file would get it.
    for number, name, mode in ((0, "stdin", "r"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode))
    given = sys.__stdout__
    if given is not None and sys.stdout is given:
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(Output(given.fileno(), "w", closefd=False)),
            encoding=given.encoding,
            line_buffering=given.line_buffering,
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What an encoding such as ASCII does not have is shown, and ends nothing.
            stream.reconfigure(errors="backslashreplace")
    return sys.stdout is not None


def _give_up_output() -> None:
    """Let what is still waiting go nowhere, so that the interpreter's own flush at the end finds nothing wrong."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
