"""Notion's verification handshake: one POST of ``{"verification_token": "secret_…"}`` when a subscription is made.

https://developers.notion.com/reference/webhooks.  The shape is strict and the body small, because it is the one body
that is looked at before it is authenticated: it is what brings the key.
"""

from __future__ import annotations

import msgspec

BODY_MAX = 4096
TOKEN_MIN, TOKEN_MAX = 16, 512
"""Characters: a shorter one could be guessed by whoever wants to sign; Notion's have 50."""


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    verification_token: str


_decode = msgspec.json.Decoder(_Body).decode


def handshake_of(body: bytes) -> str | None:
    """Give the token when the body is a handshake, else None."""
    if len(body) > BODY_MAX or b'"verification_token"' not in body:
        return None
    try:
        token = _decode(body).verification_token
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return token if TOKEN_MIN <= len(token) <= TOKEN_MAX and token.isascii() and token.isprintable() else None
