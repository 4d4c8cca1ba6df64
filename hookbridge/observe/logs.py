"""Logs: one JSON object a line on stdout, or coloured lines on a terminal.

Invariant: no configured secret leaves this module, whatever a line holds: values and tracebacks are searched for them
last of all.  Our own lines and those of the libraries have the same form.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import Processor

from hookbridge.config import LoggingConfig, Secrets

REDACTED = "[secret]"

SHORTEST_SECRET = 4
"""What is shorter is not a secret but a word, and replacing it would make lines unreadable."""

QUIET = ("httpx", "httpcore", "notion_client", "hpack", "asyncio")
"""Libraries whose INFO is about every request."""


def configure(config: LoggingConfig, secrets: Secrets, *, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for the process.  ``stream`` is stdout unless given."""
    out = stream or sys.stdout
    as_console = config.format == "console" or (config.format == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if as_console
        else structlog.processors.JSONRenderer(serializer=_to_json)
    )
    last: list[Processor] = [structlog.processors.format_exc_info, Redaction(secrets), render]
    level = getattr(logging, config.level.upper())
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=True,
    )
    _route_libraries(out, level, [*shared, structlog.stdlib.ExtraAdder()], last)


def _route_libraries(out: TextIO, level: int, before: list[Processor], last: list[Processor]) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


class Redaction:
    """The last processor before a line is rendered: replaces every configured secret by ``[secret]``."""

    def __init__(self, secrets: Secrets) -> None:
        values = (
            secrets.supabase_key,
            secrets.notion_token,
            *secrets.webhook_secrets,
            *secrets.notion_webhook_secrets,
            secrets.admin_token,
            secrets.redis_url,
        )
        # The longest first: one may be part of another.
        self._secrets = sorted({v for v in values if len(v) >= SHORTEST_SECRET}, key=len, reverse=True)

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Clean a line in place."""
        if self._secrets:
            for key, value in line.items():
                line[key] = self.clean(value)
        return line

    def clean(self, value: object) -> object:
        """Give a value without secrets; what is not text is looked through or turned into text where it must be."""
        if isinstance(value, str):
            for secret in self._secrets:
                if secret in value:
                    value = value.replace(secret, REDACTED)
            return value
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, dict):
            return {key: self.clean(one) for key, one in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(one) for one in value]
        return self.clean(str(value))


def _to_json(line: Any, **_options: object) -> str:  # noqa: ANN401  any line
    return msgspec.json.encode(line, enc_hook=str).decode()
