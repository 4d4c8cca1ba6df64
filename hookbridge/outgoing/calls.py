"""A request to somebody else's address, and what came of it.

Invariants: a redirection is never followed, no proxy of the environment is used, and of an answer no more is read than
a few thousand bytes, however long it is or takes.  It does not know what an answer means to whoever asks.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from hookbridge import __version__
from hookbridge.errors import HookbridgeError
from hookbridge.names import one_line
from hookbridge.observe.redaction import without_secrets
from hookbridge.outgoing.addresses import Sockets
from hookbridge.outgoing.lookups import Resolver
from hookbridge.sources.statuses import retry_after_seconds

ANSWER_BYTES = 4096
"""Of an answer so much is read; a connection whose answer is longer is closed."""
ANSWER_SECONDS = 1.0
"""So long a body may take when the status has come, which is what counts."""
SHOWN_CHARACTERS = 200

WAIT_SECONDS_MAX = 300.0
"""The gaps between attempts are 0, 2, 4, 8 … seconds, up to this."""


class Unanswered(HookbridgeError):
    """Nothing came that is an answer."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What came."""

    status: int
    reason: str
    """What is said of it where it is no success: the status, and what the body begins with."""
    retry_after_seconds: float

    @property
    def is_success(self) -> bool:
        """Whether it says that what was sent was taken."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def wait_seconds(failures: int) -> float:
    """Give the gap behind so many attempts in a row that failed."""
    return 0.0 if failures <= 1 else min(2.0 ** min(failures - 1, 20), WAIT_SECONDS_MAX)


class Caller:
    """The way to one address, while it is entered."""

    def __init__(self, *, timeout_seconds: float, allow_private: bool) -> None:
        self._timeout_seconds = timeout_seconds
        self._allow_private = allow_private
        self._http: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        sockets = Sockets(allow_private=self._allow_private)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, socket_factory=sockets, resolver=Resolver()),
            timeout=aiohttp.ClientTimeout(total=self._timeout_seconds),
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

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
        """Send JSON.  Raises Unanswered."""
        return await self._call("POST", url, body, {**headers, "Content-Type": "application/json"})

    async def get(self, url: str) -> Answered:
        """Ask for it.  Raises Unanswered."""
        return await self._call("GET", url, None, {})

    async def _call(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answered:
        ours = {**headers, "User-Agent": f"hookbridge/{__version__}"}
        data = None if body is None else io.BytesIO(body)  # which is written piece by piece: others go on meanwhile
        try:
            async with self._http.request(method, url, data=data, headers=ours, allow_redirects=False) as answer:
                text = await _beginning(answer)
        except TimeoutError:
            raise Unanswered(f"it did not answer within {self._timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unanswered(_of_error(error)) from None
        wait = retry_after_seconds(answer.headers.get("Retry-After", ""), time.time())
        reason = _of_status(answer.status, text)
        return Answered(status=answer.status, reason=reason, retry_after_seconds=wait or 0.0)


def origin(url: str) -> str:
    """Give what may be shown of a URL: where it leads to, without what may be secret in it."""
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
        pass  # the status has come, and says what became of the request
    if not answer.content.at_eof():
        answer.close()
    return read


def _of_status(status: int, body: bytes) -> str:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"it answered {status}, and redirections are never followed: write the url where it leads"
    text = _shown(body.decode(errors="replace"))
    return f"it answered {status}" + (f": {text}" if text else "")


def _shown(text: str) -> str:
    """Give the beginning of a foreign text as one line.

    It is clean before it is cut: half a secret is not known as one.
    """
    return one_line(without_secrets(text))[:SHOWN_CHARACTERS]


def _of_error(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host} leads to no address"
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        # Not its strerror: asyncio's own loop writes an address there, or one for each that a name leads to.
        known = os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
        return f"it cannot be reached: {known}"
    # Of these the text has the whole address, or the answer's headers, in which secrets may be.
    if isinstance(error, aiohttp.ClientResponseError):
        return f"its answer is no HTTP: {_shown(error.message)}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "it closed the connection before it had answered"
    if isinstance(error, aiohttp.InvalidURL):
        return "its url is none that can be called"
    return f"it cannot be reached: {_shown(str(error)) or type(error).__name__}"
