"""``serve``: the service in this process, until a signal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hookbridge.config import Settings
from hookbridge.errors import ConfigError, HookbridgeError

if TYPE_CHECKING:
    from hookbridge.service import Service

CRASHED = 1
CANNOT_START = 2


def serve(config: Path | None, host: str | None, port: int | None) -> int:
    """Serve; gives the exit code.  The options win over file and environment."""
    from hookbridge.observe.logs import configure
    from hookbridge.settings import load

    options = {"HOOKBRIDGE_SERVER__HOST": host, "HOOKBRIDGE_SERVER__PORT": port}
    given = {name: str(value) for name, value in options.items() if value is not None}
    try:
        settings = load(config, {**os.environ, **given}, Path.cwd())
    except ConfigError as error:
        return _explain(error)
    configure(settings.config.logging, settings.secrets)
    return _run(settings)


def _run(settings: Settings) -> int:
    import structlog

    from hookbridge.web.server import serve as serve_until_signal

    started: list[str] = []
    bars: Callable[[Service], Coroutine[Any, Any, None]] | None = None
    if sys.stderr.isatty():
        from hookbridge.cli.progress import show_backfills

        bars = show_backfills
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve_until_signal(settings, ready=started.append, beside=bars))
    except Exception as error:  # noqa: BLE001  the last line of the process
        # What ends a service that ran is a crash, whatever it is; before that, our own errors are for the caller.
        if isinstance(error, HookbridgeError) and not started:
            return _explain(error)
        structlog.get_logger("hookbridge").exception("Crashed; every acknowledged event is in the data file")
        return CRASHED
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give uvloop's loop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _explain(error: HookbridgeError) -> int:
    for line in error.problems if isinstance(error, ConfigError) else [error.message]:
        print(f"error: {line}", file=sys.stderr)
    if error.hint:
        print(f"try: {error.hint}", file=sys.stderr)
    return CANNOT_START
