"""``serve``: the service in this process, until a signal."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hookbridge.cli import garbage
from hookbridge.cli.ending import CANNOT, FINE, NO, lose_output, program
from hookbridge.config import Settings
from hookbridge.errors import HookbridgeError

if TYPE_CHECKING:
    from hookbridge.service import Service

CRASHED = NO
CANNOT_START = CANNOT

MARGIN_SECONDS = 2.0
"""So long after the deadline a process that has not ended is ended: ``docker stop`` kills at 10 s."""

LAST_WORDS_SECONDS = 0.5


def serve(
    config: Path | None = None, host: str | None = None, port: int | None = None, *, as_json: bool = False
) -> int:
    """Serve; gives the exit code.  The options win over file and environment.  Raises what prevents the start."""
    from hookbridge.observe.logs import configure, take_over
    from hookbridge.settings import load

    options = {
        "HOOKBRIDGE_SERVER__HOST": host,
        "HOOKBRIDGE_SERVER__PORT": port,
        "HOOKBRIDGE_LOGGING__FORMAT": "json" if as_json else None,
    }
    given = {name: str(value) for name, value in options.items() if value is not None}
    settings = load(config, {**os.environ, **given}, Path.cwd())
    take_over()
    configure(settings.config.logging, settings.secrets)
    return _run(settings, _greeting if sys.stdout.isatty() and not as_json else None)


def _greeting(url: str) -> None:
    """Say where the dashboard is: a reader of the log would have to guess it.  Its token is for those who ask."""
    print(f"The dashboard: {url}/    (`{program()} token` gives a link that lets you in)", flush=True)


def _run(settings: Settings, greet: Callable[[str], None] | None) -> int:
    import structlog

    from hookbridge.stopping import LastResort
    from hookbridge.web.server import serve as serve_until_signal

    started: list[str] = []

    def ready(url: str) -> None:
        started.append(url)
        garbage.tune()
        if greet is not None:
            greet(url)

    bars: Callable[[Service], Coroutine[Any, Any, None]] | None = None
    if sys.stderr.isatty():
        from hookbridge.cli.progress import show_backfills

        bars = show_backfills
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            last_resort = LastResort(settings.config.server.shutdown_deadline_seconds + MARGIN_SECONDS, _end_by_force)
            runner.run(serve_until_signal(settings, ready=ready, beside=bars, ending=last_resort.begin))
    except Exception as error:
        # What ends a service that ran is a crash, whatever it is; before that, our own errors are for the caller.
        if isinstance(error, HookbridgeError) and not started:
            raise
        structlog.get_logger("hookbridge").exception("Crashed; every acknowledged event is in the data file")
        return CRASHED
    finally:
        lose_output()
    return FINE


def _end_by_force() -> None:
    """End the process although something in it does not end: a handler, or a thread that one started."""
    # Whoever has to be left behind may also keep the log.
    words = threading.Thread(target=_last_words, daemon=True)
    words.start()
    words.join(LAST_WORDS_SECONDS)
    os._exit(CRASHED)


def _last_words() -> None:
    import structlog

    from hookbridge.observe.output import drain
    from hookbridge.observe.places import of_running, place, running

    at = [place(of_running(frame), "") for frame in running().values()]
    structlog.get_logger("hookbridge").error(
        "Ended by force: something did not end in time; every acknowledged event is in the data file",
        place=[one for one in at if one is not None],
    )
    drain()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give uvloop's loop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
