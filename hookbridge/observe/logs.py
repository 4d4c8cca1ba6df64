"""Logs: one JSON object a line on stdout, or coloured lines on a terminal.

Invariants: what is shown is what ``redaction`` lets through, tracebacks included; no event waits or fails for want of
its log line.  Our own lines, those of the libraries, warnings and what nobody caught have the same form.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO, cast

import msgspec
import structlog
from structlog.typing import Processor, WrappedLogger

from hookbridge.config import LoggingConfig, Secrets
from hookbridge.observe.output import Queued, queue_standard_streams
from hookbridge.observe.redaction import known_texts, redaction
from hookbridge.observe.terminal import TURNS, harmless

_UNSEEN = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{TURNS}]")
"""All control characters but the ends of lines and tabs, which tracebacks have."""

QUIET = ("httpx", "httpcore", "notion_client", "hpack", "asyncio")
"""Libraries whose INFO is about every request, and whose DEBUG shows headers."""


def configure(config: LoggingConfig, secrets: Secrets, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for the process.  ``stream`` is stdout unless given."""
    target = stream or sys.stdout
    coloured = target.isatty()
    last: list[Processor] = [structlog.processors.format_exc_info, known_texts]
    text: list[Processor] = []
    if config.format == "console" or (config.format == "auto" and coloured):
        _encode(target, errors="backslashreplace")
        last += [redaction, _visible, _console(colours=coloured)]
    else:
        _encode(target, encoding="utf-8")  # JSON is, whatever the locale says
        last.append(to_json)
        text.append(_as_text)
    redaction.begin(secrets)
    level = logging.getLevelNamesMapping()[config.level.upper()]
    out = Output(target)
    structlog.configure(
        processors=[_begin, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: Line(out, *names),
        cache_logger_on_first_use=True,
    )
    _route_libraries(out, level, [*last, *text])


def _console(*, colours: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
    )


def take_over() -> None:
    """Make the log the only voice of a process that serves.

    Whoever writes to its standard streams does not wait for their readers; warnings, and exceptions that nobody caught,
    are lines like all others.
    """
    queue_standard_streams(_tell_dropped)
    logging.captureWarnings(capture=True)
    threading.excepthook = _of_a_thread
    sys.unraisablehook = _unraisable


def _tell_dropped(lines: int) -> None:
    structlog.get_logger(__name__).warning("Lines were dropped: nobody took them in time", lines=lines)


def _of_a_thread(given: threading.ExceptHookArgs) -> None:
    about = given.exc_value or given.exc_type()
    structlog.get_logger(__name__).error("A thread ended by an exception", exc_info=about)


def _unraisable(given: sys.UnraisableHookArgs) -> None:
    about = given.exc_value or given.exc_type()
    structlog.get_logger(__name__).error("An exception could not be raised", exc_info=about)


def _encode(stream: TextIO, *, encoding: str | None = None, errors: str | None = None) -> None:
    """Make a stream take every character; one that is not over bytes does already."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=encoding, errors=errors)


def _route_libraries(out: Output, level: int, last: list[Processor]) -> None:
    handler = logging.StreamHandler(cast("TextIO", out))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_begin],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


class Output:
    """A stream that cannot fail its writer: what cannot be written is dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        # A thread gathers what is written there, so that many lines are one write, and it takes bytes.
        raw = getattr(getattr(stream, "buffer", None), "raw", None)
        self._queued = raw if isinstance(raw, Queued) else None

    def line(self, text: str | bytes) -> None:
        """Write a line, or drop it."""
        if isinstance(text, str):
            self.write(text + "\n")
        elif self._queued is not None:
            self._queued.write(text + b"\n")
        else:
            self.write(text.decode() + "\n")

    def write(self, text: str) -> None:
        """Write, or drop it."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            return

    def flush(self) -> None:
        """Nothing waits here."""


class Line:
    """What structlog's loggers write to: a rendered line, whatever its level."""

    def __init__(self, out: Output, name: str = "") -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = out.line


def _begin(logger: WrappedLogger | None, method: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Begin a line with what people look for first; one of the standard library's logging has its record instead."""
    at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    begun = {"timestamp": at, "level": method, "event": line.pop("event"), **line}
    if name := line["_record"].name if logger is None else logger.name:
        begun["logger"] = name
    return begun


def _visible(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write out what would move a terminal's cursor or colour its text: a record's name may have it."""
    for key, value in line.items():
        if isinstance(value, str) and not value.isprintable():
            line[key] = _UNSEEN.sub(_escape, value)
    return line


def _escape(one: re.Match[str]) -> str:
    code = ord(one[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004  as Python writes them


def to_json(_logger: object, _method: str, line: MutableMapping[str, Any]) -> bytes:
    """Render a line of ``known_texts`` without secrets; also one with what UTF-8 or 64 bits cannot hold."""
    try:
        data = msgspec.json.encode(line)
        if redaction.may_be_in(data):
            data = msgspec.json.encode(redaction(_logger, _method, line))
    except (UnicodeEncodeError, OverflowError):
        line = dict(redaction(_logger, _method, line))
        data = json.dumps(line, ensure_ascii=False).encode(errors="replace")
    return data if data.isascii() and b"\x7f" not in data else harmless(data.decode()).encode()


def _as_text(_logger: object, _method: str, line: Any) -> str:  # noqa: ANN401  what ``to_json`` gave
    """Give it as the standard library's logging takes it."""
    return str(line, "utf-8")
