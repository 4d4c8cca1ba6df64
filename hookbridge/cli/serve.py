"""``serve``: the service in this process, until a signal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from hookbridge.config import Settings
from hookbridge.errors import ConfigError, HookbridgeError

CRASHED = 1
CANNOT_START = 2


def serve(config: Path | None, host: str | None, port: int | None) -> int:
    """Serve; gives the exit code.  The options win over file and environment."""
    from hookbridge.observe.logs import configure
    from hookbridge.settings import load

    try:
        settings = _with_options(load(config, os.environ, Path.cwd()), host, port)
        configure(settings.config.logging, settings.secrets)
        return _run(settings)
    except HookbridgeError as error:
        _explain(error)
        return CANNOT_START


def _with_options(settings: Settings, host: str | None, port: int | None) -> Settings:
    given = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    server = msgspec.structs.replace(settings.config.server, **given)
    return msgspec.structs.replace(settings, config=msgspec.structs.replace(settings.config, server=server))


def _run(settings: Settings) -> int:
    import structlog

    from hookbridge.web.server import serve as serve_until_signal

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve_until_signal(settings))
    except HookbridgeError:
        raise
    except Exception:  # noqa: BLE001  the last line: a log line and an exit code
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


def _explain(error: HookbridgeError) -> None:
    for line in error.problems if isinstance(error, ConfigError) else [error.message]:
        print(f"error: {line}", file=sys.stderr)
    if error.hint:
        print(f"try: {error.hint}", file=sys.stderr)
