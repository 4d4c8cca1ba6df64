"""What aiohttp does with one connection, but with our form of an answer to what is not HTTP.

And the door of the express way: the only place that touches what aiohttp keeps for itself (held by its tests).
aiohttp answers a malformed request before there is a request for any middleware to see, in plain text.  This is the one
place to say it in JSON.  Everything else of the protocol is aiohttp's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_parser import RawRequestMessage

from hookbridge.observe.metrics import Meters
from hookbridge.web.access_log import TOLD
from hookbridge.web.express import Express, whole_body
from hookbridge.web.replies import INTERNAL, MALFORMED, internal_body, json_reply, malformed_body

log = structlog.get_logger("hookbridge.web")

HALF_CLOSED_SECONDS = 1.0
"""How long what only looks goes on for a client that has shut down its side: most have hung up, some still listen."""


class Protocol(web.RequestHandler):
    """One connection.

    A webhook that can go express is taken out of aiohttp's queue before its handler task is woken.  Meanwhile the
    connection counts as busy: what else arrives on it waits, so that answers keep the order of their requests.
    """

    __slots__ = ("_express", "_heard", "_meters", "_sender_is_done")

    def __init__(
        self,
        manager: web.Server,
        express: Express | None,
        meters: Meters,
        **options: Any,  # noqa: ANN401  aiohttp's
    ) -> None:
        super().__init__(manager, **options)
        self._express = express
        self._meters = meters
        self._sender_is_done = False
        self._heard: asyncio.Task[Any] | None = None

    @contextmanager
    def while_heard(self) -> Iterator[None]:
        """Cancel what is done meanwhile once the client hangs up: for what only looks, and may look long."""
        self._heard = asyncio.current_task()
        if self.transport is None:
            self._end_unheard(self._heard)
        elif self._sender_is_done:
            self._end_unheard_soon()
        try:
            yield
        finally:
            self._heard = None

    def _end_unheard_soon(self) -> None:
        # Who has closed the connection and who has only shut down his side look the same until something is written.
        self._loop.call_later(HALF_CLOSED_SECONDS, self._end_unheard, self._heard)

    def _end_unheard(self, task: asyncio.Task[Any] | None) -> None:
        if task is not None and task is self._heard:
            task.cancel()

    def eof_received(self) -> bool:  # type: ignore[override] # as asyncio has it; aiohttp gives None
        """Keep the way back open for a sender that shut down its own behind its last request (``nc -N``, some proxies).

        Without it the transport would close before the answer to what is stored is written.
        """
        super().eof_received()
        self._sender_is_done = True
        if self._heard is not None:
            self._end_unheard_soon()
        # Only in the next turn aiohttp's handler, which may not have begun yet, shows whether it waits for a request.
        self._loop.call_soon(self._end_behind_answers)
        return True

    def _end_behind_answers(self) -> None:
        """Close what is idle now; behind an answer that is still to come, that answer does."""
        if self._messages or self.transport is None:
            return
        if self._waiter is None:
            self.close()  # aiohttp closes the connection behind the request that it has
        elif not self._request_in_progress:
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write an answer; behind the last one to a sender that has shut down its side, the connection closes."""
        finished = await super().finish_response(request, resp, start_time)
        if self._sender_is_done and not self._messages:
            self.close()
        return finished

    def data_received(self, data: bytes) -> None:
        """Take what arrives; a webhook goes express if the connection has nothing else to do."""
        if self._request_in_progress and (self._close or self._force_close):
            self._take_rest(data)
            return
        waiter = self._waiter
        if self._express is None or waiter is None or waiter.done():
            super().data_received(data)
            return
        self._waiter = None  # so that aiohttp queues what it parses, and wakes nobody
        super().data_received(data)
        self._waiter = waiter
        if not self._request_in_progress:
            self._next(waiter)

    def _take_rest(self, data: bytes) -> None:
        """Read on while closing: aiohttp would drop the rest of a body and wait for it until the deadline of a stop."""
        closing, self._close, self._force_close = (self._close, self._force_close), False, False
        try:
            super().data_received(data)
        finally:
            self._close, self._force_close = closing

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of errors that nobody was told of: after the first one, each part of what was sent is another."""
        super().connection_lost(exc)
        self._end_unheard(self._heard)
        for message, _ in self._messages:
            if not isinstance(message, RawRequestMessage):
                _let_go(message.exc)

    def _next(self, waiter: asyncio.Future[None]) -> None:
        """Bring the first request in the queue on its way."""
        if self._messages and not waiter.done() and not self._goes_express():
            waiter.set_result(None)

    def _goes_express(self) -> bool:
        message, payload = self._messages[0]
        if not isinstance(message, RawRequestMessage) or self._express is None:
            return False
        if self._paused:
            return False  # a sender that does not read its answers: the ordinary way waits until it does
        body = whole_body(message, payload)
        if body is None or not self._express.take(message, body, self._answer):
            return False
        self._request_in_progress = True
        self._messages.popleft()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
            self._resume_reading_if_drained()
        if self._manager is not None:
            self._manager.requests_count += 1
        return True

    def _answer(self, wire: bytes) -> None:
        """Write the answer of the webhook that went express; the sender may have hung up meanwhile."""
        if self.transport is not None:
            self.transport.write(wire)
        self._request_in_progress = False
        if self._handler_waiter is not None:
            self._handler_waiter.set_result(None)  # a shutdown waits for this answer
        if self._close or self._force_close:
            return
        if self._sender_is_done and not self._messages and self.transport is not None:
            self.transport.close()
            return
        self._stay_open()
        if self._messages and (waiter := self._waiter) is not None:
            self._next(waiter)

    def _process_keepalive(self) -> None:
        """Close an idle connection.  One whose webhook went express only looks idle: its answer begins the time."""
        if self._request_in_progress:
            self._keepalive_handle = None
        else:
            super()._process_keepalive()

    def _stay_open(self) -> None:
        """Begin the time after which an idle connection is closed, as after every other answer."""
        self._keepalive = True
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    def give_up(self) -> None:
        """End what is still going on here, and the connection."""
        if self._task_handler is not None:
            self._task_handler.cancel()
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
            self._meters.refused("other", MALFORMED.code)
            _let_go(exc)
            response = json_reply(malformed_body(reason), status)
        response[TOLD] = True
        response.force_close()
        return response


@contextmanager
def while_heard(request: web.Request) -> Iterator[None]:
    """End what is done meanwhile for a request, by cancelling it, once its client hangs up."""
    if isinstance(request.protocol, Protocol):
        with request.protocol.while_heard():
            yield
    else:
        yield


def _let_go(error: BaseException | None) -> None:
    """Forget the frames that an error came through: they hold what was received, in a circle with the connection."""
    if error is not None:
        error.__traceback__ = error.__context__ = None
