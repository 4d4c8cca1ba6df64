"""The lives of a service on one data folder: how each begins and ends, and how long that took.

Whoever ends one says how it has to end; any other end is a finding.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from scripts.crashes import forgetting
from scripts.crashes.processes import Service
from scripts.crashes.result import Result

DRAIN_SECONDS = 0.3
"""How long a drain is taken to last before one was measured."""


class Lives:
    """One life after the other, and what was seen of them."""

    def __init__(
        self,
        folder: Path,
        port: int,
        environment: dict[str, str],
        command: list[str],
        layer: Path | None,
        result: Result,
    ) -> None:
        """``layer``: what makes each death a loss of power."""
        self.folder = folder
        self.data = folder / "data" / "hookbridge.db"
        self.start_seconds = 0.0
        """Of the last start, from exec to the first answer."""
        self.drain_seconds = DRAIN_SECONDS
        """Of the last drain, from SIGTERM to the end."""
        self._port = port
        self._environment = environment | (forgetting.environment(folder, layer) if layer else {})
        self._command = command
        self._forgets = layer is not None
        self._result = result
        self._service: Service | None = None

    @property
    def service(self) -> Service:
        """The one that lives now, or died last."""
        assert self._service is not None
        return self._service

    async def begin(self) -> None:
        """Execute the service; it does not answer yet."""
        self._service = await Service.start(self.folder, self._port, self._environment, self._command)

    async def start(self) -> None:
        """Execute the service and wait for its first answer.  Raises Failed."""
        began = time.monotonic()
        await self.begin()
        await self.service.ready()
        self.start_seconds = time.monotonic() - began
        self._result.slowest_start_seconds = max(self._result.slowest_start_seconds, self.start_seconds)

    async def kill(self) -> None:
        """End it with ``kill -9``; one that was draining may have been faster."""
        self.service.send(signal.SIGKILL)
        code = await self.service.ended()
        if code == -signal.SIGKILL:
            self._result.kills += 1
        elif code != 0:
            self._result.broken.append(f"it ended with {code} before it was killed: {self.service.last_words}")
        self._bury()

    async def kill_draining(self, after_seconds: float) -> None:
        """End it with ``kill -9`` so long after SIGTERM, if it drains as long as that."""
        began = time.monotonic()
        self.service.send(signal.SIGTERM)
        if await self.service.over_within(after_seconds):  # the moments of the next ones lie within this
            self._drained(time.monotonic() - began)
        await self.kill()

    async def terminate(self) -> None:
        """End it with SIGTERM, and wait for that."""
        began = time.monotonic()
        self.service.send(signal.SIGTERM)
        if (code := await self.service.ended()) != 0:
            self._result.broken.append(f"SIGTERM ended with {code}: {self.service.last_words}")
        self._drained(time.monotonic() - began)
        self._bury()

    def _drained(self, seconds: float) -> None:
        self.drain_seconds = seconds
        self._result.slowest_drain_seconds = max(self._result.slowest_drain_seconds, seconds)

    def _bury(self) -> None:
        self._result.fenced += self.service.fenced
        if self._forgets:
            self._result.forgotten_writes += forgetting.lose_power(self.folder)

    async def end(self) -> None:
        """End it, however it stands, without a word about it."""
        if self._service is not None and not self._service.is_over:
            self._service.kill()
            await self._service.ended()
            self._result.fenced += self._service.fenced
