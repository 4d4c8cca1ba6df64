"""The POST to a destination, and what its answer means."""

from __future__ import annotations

import time
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Literal, Self

from hookbridge.api.destinations import State
from hookbridge.config import Destination
from hookbridge.errors import HookbridgeError
from hookbridge.outgoing import Caller, Unanswered
from hookbridge.sources import signing

_STATES: Mapping[int, State] = {
    HTTPStatus.UNAUTHORIZED: "refused",
    HTTPStatus.FORBIDDEN: "refused",
    HTTPStatus.GONE: "stopped",  # it says that nothing shall come any more
}


About = Literal["destination", "message", "server"]
"""What an answer speaks of: the destination, whatever it is sent; the message; or, with 5xx, nobody knows what."""

_ABOUT_THE_MESSAGE = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)


class Undelivered(HookbridgeError):
    """A destination did not take a message."""

    def __init__(
        self,
        reason: str,
        *,
        about: About = "destination",
        state: State = "down",
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(reason)
        self.about = about
        self.state = state
        self.retry_after_seconds = retry_after_seconds


class Sender:
    """The way to one destination, while it is entered."""

    def __init__(self, to: Destination) -> None:
        self._to = to
        self._caller = Caller(timeout_seconds=to.timeout_seconds, allow_private=to.allow_private)

    async def __aenter__(self) -> Self:
        await self._caller.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._caller.__aexit__(kind, error, trace)

    async def post(self, body: bytes, message_id: str) -> int:
        """Have a message taken; gives the status that says so.  Raises Undelivered."""
        signed = signing.headers(self._to.secret, body, now=time.time(), message_id=message_id)
        try:
            answer = await self._caller.post(self._to.url, body, {**self._to.headers, **signed})
        except Unanswered as error:
            raise Undelivered(error.message) from None
        if not answer.is_success:
            state = _STATES.get(answer.status, "down")
            about, wait = _about(answer.status), answer.retry_after_seconds
            raise Undelivered(answer.reason, about=about, state=state, retry_after_seconds=wait)
        return answer.status


def _about(status: int) -> About:
    if status in _ABOUT_THE_MESSAGE:
        return "message"
    return "server" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "destination"
