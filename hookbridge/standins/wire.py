"""The values that both stand-ins exchange: a reply on its way out, a webhook for a listener, a request as it was seen.

Pure data.  A `Reply` is complete before a byte is written, so that a fault can cut it short or replace it.
"""

from collections.abc import Callable, Mapping

import msgspec

HTML_ERROR = (
    b"<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n"
    b"<center><h1>%d %s</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
)
"""The error page of the proxies in front of both vendors; takes status and reason twice."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer, whole."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """What a source would POST: exactly these body bytes, with these headers.

    `Host` and `Content-Length` are left to whoever sends it.
    """

    body: bytes
    headers: Mapping[str, str]


class SeenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it arrived; `path_qs` is still percent-encoded."""

    method: str
    path_qs: str
    headers: Mapping[str, str]
    """By their names as they are looked up: in any case."""
    body: bytes


Listener = Callable[[Webhook], None]
"""Called once for each change of state, inside the call that made it."""
