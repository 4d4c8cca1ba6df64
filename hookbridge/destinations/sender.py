"""The POST to a destination, and what its answer means.

Invariants: a redirection is never followed, no proxy of the environment is used, and of an answer no more is read than
a few thousand bytes, however long it is or takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from hookbridge import __version__
from hookbridge.api.destinations import State
from hookbridge.config import Destination
from hookbridge.destinations.addresses import Sockets
from hookbridge.errors import HookbridgeError
from hookbridge.names import one_line
from hookbridge.observe.redaction import without_secrets
from hookbridge.sources import signing
from hookbridge.sources.statuses import retry_after_seconds

ANSWER_BYTES = 4096
"""Of an answer so much is read; a connection whose answer is longer is closed."""
ANSWER_SECONDS = 1.0
"""So long a body may take when the status has come, which is what counts."""
SHOWN_CHARACTERS = 200

_STATES: Mapping[int, State] = {
    HTTPStatus.UNAUTHORIZED: "refused",
    HTTPStatus.FORBIDDEN: "refused",
    HTTPStatus.GONE: "stopped",  # it says that nothing shall come any more
}


class Undelivered(HookbridgeError):
    """A destination did not take a message."""

    def __init__(self, reason: str, *, state: State = "down", retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.state = state
        self.retry_after_seconds = retry_after_seconds


class Sender:
    """The way to one destination, while it is entered."""

    def __init__(self, to: Destination) -> None:
        self._to = to
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        sockets = Sockets(allow_private=self._to.allow_private)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, socket_factory=sockets),
            timeout=aiohttp.ClientTimeout(total=self._to.timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=ANSWER_BYTES,
            max_field_size=ANSWER_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def post(self, body: bytes, message_id: str) -> None:
        """Have a message taken.  Raises Undelivered."""
        headers = {
            **self._to.headers,
            "Content-Type": "application/json",
            "User-Agent": f"hookbridge/{__version__}",
            **signing.headers(self._to.secret, body, now=time.time(), message_id=message_id),
        }
        try:
            async with self._http.post(self._to.url, data=body, headers=headers, allow_redirects=False) as answer:
                text = await _beginning(answer)
        except TimeoutError:
            raise Undelivered(f"it did not answer within {self._to.timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Undelivered(_of_error(error)) from None
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            wait = retry_after_seconds(answer.headers.get("Retry-After", ""), time.time())
            state = _STATES.get(answer.status, "down")
            raise Undelivered(_of_status(answer, text), state=state, retry_after_seconds=wait or 0.0)


def origin(url: str) -> str:
    """Give what may be shown of a destination's URL: where it leads to, without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def _beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Give the first bytes of an answer's body, as far as they come; the rest is not waited for."""
    read = b""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(read) < ANSWER_BYTES and (more := await answer.content.read(ANSWER_BYTES - len(read))):
                read += more
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass  # the status has come, and says what became of the message
    if not answer.content.at_eof():
        answer.close()
    return read


def _of_status(answer: aiohttp.ClientResponse, body: bytes) -> str:
    if HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST:
        return f"it answered {answer.status}, and redirections are never followed: write the url where it leads"
    text = one_line(body.decode(errors="replace"))[:SHOWN_CHARACTERS]
    return f"it answered {answer.status}" + (f": {without_secrets(text)}" if text else "")


def _of_error(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} leads to no address"
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        return f"it cannot be reached: {error.os_error.strerror or error.os_error}"
    return f"it cannot be reached: {without_secrets(one_line(str(error))) or type(error).__name__}"
