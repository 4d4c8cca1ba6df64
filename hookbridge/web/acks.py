"""The 202 of a webhook: what it says, as an answer of aiohttp's or as the bytes of one.

An ordinary ``web.Response`` builds a multidict of headers, asks signals, serializes and joins: about 15 µs.  An ack has
the same few headers every time, so the front door puts its bytes together at once.
"""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache

import msgspec
from aiohttp import web

from hookbridge.api.webhooks import Accepted, AckDetails
from hookbridge.model import Receipt
from hookbridge.web.replies import JSON_HEADERS

_encode = msgspec.json.Encoder().encode

# The lines stand in the order in which aiohttp writes them.
_HEAD = "HTTP/1.1 202 Accepted\r\n" + "".join(f"{name}: {value}\r\n" for name, value in JSON_HEADERS.items())


class Ack(msgspec.Struct, frozen=True):
    """The answer to one webhook whose events are on disk."""

    body: bytes
    headers: dict[str, str]
    """Its own, beyond those of every answer."""
    now: float
    """Epoch seconds of ``Date``."""

    def response(self) -> web.Response:
        """Give the answer for aiohttp to write."""
        return web.Response(
            body=self.body, status=202, content_type="application/json", headers=JSON_HEADERS | self.headers
        )

    def wire(self) -> bytes:
        """Give the whole answer as it is written on an HTTP/1.1 connection that stays open."""
        own = ""
        for name, value in self.headers.items():
            own += f"{name}: {value}\r\n"
        length = f"Content-Type: application/json\r\nContent-Length: {len(self.body)}"
        return f"{_HEAD}{own}{length}\r\nDate: {_date(int(self.now))}\r\n\r\n".encode("ascii") + self.body


def ack_of(details: AckDetails, receipts: tuple[Receipt, ...], now: float) -> Ack:
    """Give the ack of stored events.  ``now`` is epoch seconds."""
    return Ack(_encode(Accepted(details=details)), ack_headers(receipts), now)


def ack_headers(receipts: tuple[Receipt, ...]) -> dict[str, str]:
    """Give the headers that name the events, and say when one was known already."""
    ids: list[str] = []
    known = False
    for receipt in receipts:
        ids.append(str(receipt.event_id))
        known |= receipt.duplicate
    headers = {"X-Hookbridge-Event": ",".join(ids)}
    if known:
        headers["X-Hookbridge-Duplicate"] = "true"
    return headers


@lru_cache(maxsize=1)  # one value a second
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
