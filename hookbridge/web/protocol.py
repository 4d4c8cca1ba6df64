"""What aiohttp does with one connection, with our form of an answer to what is not HTTP, and our ends of a connection.

aiohttp answers a malformed request before there is a request for any middleware to see, in plain text: here it is said
in JSON.  A sender that shuts down its side is answered, what only looks ends with its client, and what has begun is
read and answered while the service stops.  Of aiohttp's protocol only public names are used, and no name of its own is
touched: what is told about a connection is told by its requests.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import structlog
from aiohttp import web

from hookbridge.observe.metrics import Meters
from hookbridge.web.access_log import TOLD
from hookbridge.web.replies import INTERNAL, MALFORMED, internal_body, json_reply, malformed_body

log = structlog.get_logger("hookbridge.web")

HALF_CLOSED_SECONDS = 1.0
"""How long what only looks goes on for a client that has shut down its side: most have hung up, some still listen."""

TURNS = 10
"""Of the event loop, within which a request that has arrived is begun: aiohttp needs two or three."""


LARGE_BYTES = 32 * 1024
"""Of one read: behind what is no HTTP, aiohttp keeps such reads in a circle of errors that it tells nobody."""
COLLECTED_SECONDS = 0.1


class Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ("answering", "closes", "is_large", "is_malformed", "looking", "meters", "request", "sender_is_done")

    def __init__(
        self,
        manager: web.Server,
        meters: Meters,
        **options: Any,  # noqa: ANN401  aiohttp's
    ) -> None:
        super().__init__(manager, **options)
        self.meters = meters
        self.answering: asyncio.Task[Any] | None = None
        """What answers the request that has begun."""
        self.request: web.BaseRequest | None = None
        self.looking: asyncio.Task[Any] | None = None
        """The same one, while all it does is look."""
        self.closes = self.is_large = self.is_malformed = False
        self.sender_is_done = False

    @contextmanager
    def while_heard(self) -> Iterator[None]:
        """Cancel what is done meanwhile once the client hangs up: for what only looks, and may look long."""
        self.looking = asyncio.current_task()
        if self.transport is None:
            self.end_unheard(self.looking)
        elif self.sender_is_done:
            self.end_unheard_soon()
        try:
            yield
        finally:
            self.looking = None

    def end_unheard_soon(self) -> None:
        """End what only looks in a moment."""
        # Who has closed the connection and who has only shut down his side look the same until something is written.
        asyncio.get_running_loop().call_later(HALF_CLOSED_SECONDS, self.end_unheard, self.looking)

    def end_unheard(self, task: asyncio.Task[Any] | None) -> None:
        """End what only looks, if it still does."""
        if task is not None and task is self.looking:
            task.cancel()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is there any more."""
        super().connection_lost(exc)
        self.end_unheard(self.looking)
        if self.is_large and self.is_malformed:
            _collect_soon()

    def data_received(self, data: bytes) -> None:
        """Take what arrives."""
        self.is_large = self.is_large or len(data) > LARGE_BYTES
        super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio has it; aiohttp gives None
        """Keep the way back open for a sender that shut down its own behind its last request (``nc -N``, some proxies).

        Without it the transport would close before the answer to what is stored is written.
        """
        super().eof_received()
        self.sender_is_done = True
        if self.looking is not None:
            self.end_unheard_soon()
        self.break_off()
        self.end_behind_answers(TURNS)
        return True

    def begin(self, request: web.BaseRequest) -> None:
        """Take note that this task answers a request now."""
        self.answering, self.request = asyncio.current_task(), request
        if self.sender_is_done:
            self.break_off()

    def break_off(self) -> None:
        """Wait for no rest of a body from a sender that is done."""
        if self.request is not None and not self.request.content.is_eof():
            self.request.content.set_exception(web.RequestPayloadError("the sender has shut down its side"))

    def end_behind_answers(self, turns: int) -> None:
        """Close for a sender that is done, unless a request begins within so many turns; its answer asks again."""
        if self.answering is None and self.transport is not None:
            if turns == 0:
                self.force_close()
            else:
                asyncio.get_running_loop().call_soon(self.end_behind_answers, turns - 1)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; behind the last one to a sender that has shut down its side, the connection closes."""
        finished = await super().finish_response(request, resp, start_time)
        self.answering = self.request = None
        if self.closes:
            super().close()
        if self.sender_is_done:
            # Behind a body that broke off there is no further request.
            self.end_behind_answers(TURNS if request.content.is_eof() else 0)
        return finished

    def close(self) -> None:
        """Close behind the request that has begun.  Told so at once, aiohttp would drop the rest of its body."""
        if self.answering is None:
            super().close()
        else:
            self.closes = True

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  aiohttp's signature
        """Wait for the request that has begun, and its body; aiohttp itself would read no more of it."""
        if self.answering is not None:
            await asyncio.wait({self.answering}, timeout=timeout)
        await super().shutdown(timeout)

    def give_up(self) -> None:
        """End what is still going on here, and the connection."""
        if self.answering is not None:
            self.answering.cancel()
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what could not be parsed (400) or was not caught anywhere (500), and close the connection."""
        if request.writer.output_size > 0:
            # An answer has begun: a second one would be read as part of it.  aiohttp closes on this error.
            raise ConnectionError("the answer was sent in part")
        if status == INTERNAL.status:
            log.error("Request failed outside its handler", exc_info=exc)
            response = json_reply(internal_body(), status)
        else:
            # What follows the colon is the request's own bytes, and among them may be a credential.
            reason = (message or "").strip().partition(":")[0]
            log.info("Malformed request", remote=request.remote, reason=reason)
            self.meters.refused("other", MALFORMED.code)
            self.is_malformed = True
            if exc is not None:
                # The frames it came through hold what was received, in a circle with the connection.
                exc.__traceback__ = exc.__context__ = None
            response = json_reply(malformed_body(reason), status)
        response[TOLD] = True
        response.force_close()
        return response


def protocol_of(request: web.Request) -> Protocol:
    """Give the connection of a request: ``server`` makes none of another kind."""
    return cast("Protocol", request.protocol)


def while_heard(request: web.Request) -> AbstractContextManager[None]:
    """End what is done meanwhile for a request, by cancelling it, once its client hangs up."""
    return protocol_of(request).while_heard()


_collecting = False


def _collect_soon() -> None:
    """Free what is in circles, once for all connections that end within a moment; what the start made is left out."""
    global _collecting  # noqa: PLW0603  one for the process, as its collector is
    if not _collecting:
        _collecting = True
        asyncio.get_running_loop().call_later(COLLECTED_SECONDS, _collect)


def _collect() -> None:
    global _collecting  # noqa: PLW0603  as above
    _collecting = False
    gc.collect()
