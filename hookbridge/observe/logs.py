"""Logs: one JSON object a line on stdout, or coloured lines on a terminal.

Invariants: text is shown only under a key that is known to be safe, never with a configured secret in it, tracebacks
included; no event waits or fails for want of its log line.  Our own lines, those of the libraries, warnings and what
nobody caught have the same form.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, MutableMapping
from typing import Any, TextIO, cast
from urllib.parse import unquote, urlsplit

import msgspec
import structlog
from structlog.typing import Processor, WrappedLogger

from hookbridge.config import LoggingConfig, Secrets
from hookbridge.observe.output import queue_standard_streams
from hookbridge.observe.terminal import harmless

HIDDEN = "[hidden]"
"""Text under a key that is not in ``SHOWN``."""
SECRET = "[secret]"  # noqa: S105  what stands in place of one

SHOWN = frozenset(
    (
        # What every line has, and what a traceback becomes.
        *("timestamp", "level", "logger", "event", "exception"),
        # Changes and lanes.
        *(
            "record",
            "source",
            "table",
            "outcome",
            "verification",
            "steps",
            "state",
            "reason",
            "error",
            "hint",
            "remedy",
            "handler",
            "place",
        ),
        # The reconciler's counts.
        *("listed", "total", "found", "copies", "records", "announced", "missed"),
        # Requests.
        *("method", "path", "remote"),
        # The service as it is configured; secrets have no key here.
        *("url", "docs", "data", "file", "credentials", "without_credentials", "signatures"),
    )
)
"""The keys whose text is shown.  Numbers are shown under every key: counts, times and sizes are what logs are for."""

SHORTEST_SECRET = 4
"""What is shorter is not a secret but a word, and replacing it would make lines unreadable."""

_LIKE_A_SECRET = re.compile(r"secret_[!-~]{9,}|(?=.*[0-9A-Z])[!-~]{16,}")
"""What nobody takes for a word of a line: Notion's tokens are ``secret_`` and 43 letters and digits."""

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All control characters but the ends of lines and tabs, which tracebacks have."""

_NO_TEXT = (bool, int, float, type(None))
_MANY = (list, tuple, set, frozenset)

_FIXED = frozenset(("timestamp", "level"))
"""Made here for every line, of nothing that could be a secret."""

_NAMES = frozenset(("event", "logger", "method"))
"""Written by us or by a library: a stranger's word is no part of them."""

QUIET = ("httpx", "httpcore", "notion_client", "hpack", "asyncio")
"""Libraries whose INFO is about every request, and whose DEBUG shows headers."""


def configure(config: LoggingConfig, secrets: Secrets, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for the process.  ``stream`` is stdout unless given."""
    target = stream or sys.stdout
    coloured = target.isatty()
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Processor
    visible: list[Processor] = []
    if config.format == "console" or (config.format == "auto" and coloured):
        _encode(target, errors="backslashreplace")
        visible = [_visible]
        render = structlog.dev.ConsoleRenderer(
            colors=coloured, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    else:
        _encode(target, encoding="utf-8")  # JSON is, whatever the locale says
        render = structlog.processors.JSONRenderer(serializer=to_json)
    _redaction.begin(secrets)
    last: list[Processor] = [structlog.processors.format_exc_info, _redaction, *visible, render]
    level = logging.getLevelNamesMapping()[config.level.upper()]
    out = Output(target)
    structlog.configure(
        processors=[*first, _add_name, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: Line(out, *names),
        cache_logger_on_first_use=True,
    )
    _route_libraries(out, level, [*first, structlog.stdlib.add_logger_name], last)


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


def _route_libraries(out: Output, level: int, first: list[Processor], last: list[Processor]) -> None:
    handler = logging.StreamHandler(cast("TextIO", out))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=first,
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

    def write(self, text: str) -> None:
        """Write, or drop it."""
        try:
            self._stream.write(text)
        except (OSError, ValueError):  # ValueError: the stream is closed
            return

    def flush(self) -> None:
        """Pass on what is buffered."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


class Line(structlog.WriteLogger):
    """structlog's logger that writes a line, with the name that ``get_logger`` was given."""

    def __init__(self, out: Output, name: str = "") -> None:
        super().__init__(cast("TextIO", out))
        self.name = name


def _add_name(logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if logger.name:
        line["logger"] = logger.name
    return line


def _visible(_logger: WrappedLogger, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Write out what would move a terminal's cursor or colour its text: a record's name may have it."""
    for key, value in line.items():
        if isinstance(value, str) and not value.isprintable():
            line[key] = _UNSEEN.sub(lambda one: f"\\x{ord(one[0]):02x}", value)
    return line


class Redaction:
    """The last processor before a line is rendered: decides what of a line may be seen."""

    def __init__(self) -> None:
        self._secrets: list[str] = []
        self._learnt: list[str] = []

    def begin(self, secrets: Secrets) -> None:
        """Know the configured secrets, and no others."""
        password = urlsplit(secrets.redis_url).password or ""
        self._secrets, self._learnt = [], []
        self.know(
            secrets.supabase_key,
            secrets.notion_token,
            *secrets.webhook_secrets,
            *secrets.notion_webhook_secrets,
            secrets.admin_token,
            secrets.redis_url,
            password,
            unquote(password),
        )

    def know(self, *values: str) -> None:
        """Hide these values too."""
        known = {value for value in values if len(value) >= SHORTEST_SECRET}
        self._secrets = _with(self._secrets, known)

    def learn(self, value: str) -> None:
        """Hide what a sender brought and was kept, where it is like a secret, and never in a name of ours."""
        if _LIKE_A_SECRET.fullmatch(value):
            self._learnt = _with(self._learnt, {value})

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Clean a line in place.

        All texts are looked through at once: hardly a line has a secret, and one is written for every change.
        """
        texts: list[str] = []
        for key, value in line.items():
            if isinstance(value, _NO_TEXT) or key in _FIXED:
                continue
            if key not in SHOWN:
                line[key] = HIDDEN
            elif isinstance(value, str):
                texts.append(value)
            else:
                line[key] = _plain(value)
                texts += _flat(line[key])
        if self._shows_in("\0".join(texts)):
            for key in SHOWN & line.keys() - _FIXED:
                line[key] = self._clean(line[key], learnt=key not in _NAMES)
        return line

    def _shows_in(self, text: str) -> bool:
        return any(secret in text for secret in self._secrets) or any(secret in text for secret in self._learnt)

    def _clean(self, value: object, *, learnt: bool) -> object:
        if isinstance(value, list):
            return [self._clean(one, learnt=learnt) for one in value]
        return self.clean(value, learnt=learnt) if isinstance(value, str) else value

    def clean(self, text: str, *, learnt: bool = True) -> str:
        """Put something else in the place of each secret."""
        for secret in (*self._secrets, *self._learnt) if learnt else self._secrets:
            if secret in text:
                text = text.replace(secret, SECRET)
        return text


def _plain(value: object) -> str | list[Any]:
    """Make texts of what is neither text nor number."""
    if isinstance(value, _MANY):
        return [one if isinstance(one, str) else _plain(one) for one in value]
    return str(value)


def _flat(value: str | list[Any]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        for one in value:
            yield from _flat(one)


def _with(known: list[str], secrets: set[str]) -> list[str]:
    """Add secrets, also as Python's tracebacks quote them; the longest come first: one may be part of another."""
    return sorted({*known, *secrets, *(repr(secret)[1:-1] for secret in secrets)}, key=len, reverse=True)


_redaction = Redaction()
"""One for the process, as its logging is."""


def hide(secret: str) -> None:
    """Hide a secret of ours that came to be known after ``configure``, because it was generated."""
    _redaction.know(secret)


def hide_learnt(token: str) -> None:
    """Hide what a sender made known: only what is like a secret, because any word could be sent as one."""
    _redaction.learn(token)


def without_secrets(text: str) -> str:
    """Give a foreign text as a line would show it: with no secret in it that this process knows."""
    return _redaction.clean(text)


def to_json(line: dict[str, Any], **_options: object) -> str:
    """Render a line, what people look for first; also one with what UTF-8 or 64 bits cannot hold."""
    line = {"timestamp": line.pop("timestamp"), "level": line.pop("level"), "event": line.pop("event"), **line}
    try:
        return harmless(msgspec.json.encode(line).decode())
    except (UnicodeEncodeError, OverflowError):
        return harmless(json.dumps(line, ensure_ascii=False).encode(errors="replace").decode())
