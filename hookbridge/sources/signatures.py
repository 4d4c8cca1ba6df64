"""Signature schemes over raw bytes: HMAC-SHA256 hex, Standard Webhooks, a static token.

Invariants: every comparison takes the same time wherever the first difference is; all secrets are tried whichever
matches; a malformed header is an InvalidSignature like any other, never another exception.  It parses no body and
decides no policy: which schemes an endpoint takes, ``sources/*/signature`` says.

Standard Webhooks: https://www.standardwebhooks.com, headers ``webhook-id``, ``webhook-timestamp``,
``webhook-signature``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping

from hookbridge.errors import InvalidSignature

STANDARD_PREFIX = "whsec_"
ID_MAX = 256
SIGNATURES_MAX = 20
"""More signatures in one header than any rotation needs."""


class HmacHex:
    """Hex HMAC-SHA256 of the raw body, with or without ``sha256=`` before it; several secrets while rotating."""

    __slots__ = ("_keys",)

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = tuple(secret.encode() for secret in secrets)

    def __bool__(self) -> bool:
        """Whether there is a secret at all."""
        return bool(self._keys)

    def verify(self, given: str, body: bytes) -> None:
        """Return when one of the secrets made this signature.  Raises InvalidSignature."""
        try:
            claimed = bytes.fromhex(given.removeprefix("sha256="))
        except ValueError:
            raise InvalidSignature("the signature is not hexadecimal") from None
        matched = False
        for key in self._keys:
            matched |= hmac.compare_digest(hmac.digest(key, body, "sha256"), claimed)
        if not matched:
            raise InvalidSignature("the signature does not match the body")


class StaticToken:
    """The secret itself as header value: for senders that can compute nothing, where it is switched on."""

    __slots__ = ("_tokens",)

    def __init__(self, secrets: Iterable[str]) -> None:
        self._tokens = tuple(secret.encode() for secret in secrets)

    def matches(self, given: str) -> bool:
        """Whether it is one of the secrets."""
        claimed = given.encode(errors="replace")
        matched = False
        for token in self._tokens:
            matched |= hmac.compare_digest(token, claimed)
        return matched


class StandardWebhooks:
    """The Standard Webhooks scheme, symmetric (``v1``); secrets are ``whsec_`` and base64."""

    __slots__ = ("_keys", "_tolerance_seconds")

    def __init__(self, secrets: Iterable[str], tolerance_seconds: float) -> None:
        self._keys = tuple(base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True) for secret in secrets)
        self._tolerance_seconds = tolerance_seconds

    def __bool__(self) -> bool:
        """Whether there is a secret at all."""
        return bool(self._keys)

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when one of the secrets made one of the signatures within the tolerance of ``now`` (epoch seconds).

        Raises InvalidSignature.
        """
        id_ = headers.get("webhook-id", "")
        timestamp = headers.get("webhook-timestamp", "")
        if not 0 < len(id_) <= ID_MAX:
            raise InvalidSignature("webhook-id is missing or too long")
        # Digits alone: int() would also take "+1", "1_0" and the digits of other scripts.
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("99999999999")):
            raise InvalidSignature("webhook-timestamp is not in seconds")
        if abs(now - int(timestamp)) > self._tolerance_seconds:
            raise InvalidSignature("webhook-timestamp is too far from this machine's clock")
        claimed = _claimed(headers.get("webhook-signature", ""))
        content = f"{id_}.{timestamp}.".encode(errors="replace") + body
        matched = False
        for key in self._keys:
            expected = hmac.digest(key, content, "sha256")
            for one in claimed:
                matched |= hmac.compare_digest(expected, one)
        if not matched:
            raise InvalidSignature("no signature in webhook-signature matches the body")


def _claimed(header: str) -> list[bytes]:
    """Decode the ``v1`` signatures of the header; other versions and what is not base64 are passed over."""
    found = []
    for part in header.split(" ")[:SIGNATURES_MAX]:
        version, _, value = part.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


class Signed:
    """The schemes that every endpoint takes, in one order: what a sender presents first is what it is judged by.

    Standard Webhooks headers, then ``X-Webhook-Signature`` (HMAC, or the static token where it is switched on).  A
    sender that presents several has to pass the first, so a wrong one cannot hide behind a right one.
    """

    def __init__(self, secrets: Iterable[str], *, tolerance_seconds: float, static_token: bool) -> None:
        known = tuple(secrets)
        standard = tuple(secret for secret in known if secret.startswith(STANDARD_PREFIX))
        plain = tuple(secret for secret in known if not secret.startswith(STANDARD_PREFIX))
        self._standard = StandardWebhooks(standard, tolerance_seconds)
        self._hmac = HmacHex(plain)
        self._static = StaticToken(plain) if static_token else None

    def presented(self, headers: Mapping[str, str]) -> bool:
        """Whether the request carries any of these schemes."""
        return "X-Webhook-Signature" in headers or "webhook-signature" in headers

    def verify(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when the sender is authenticated.  Raises InvalidSignature, also where no secret fits the scheme."""
        given = headers.get("X-Webhook-Signature")
        if given is None or "webhook-signature" in headers:
            if "webhook-signature" not in headers:
                raise InvalidSignature("the request is not signed")
            if not self._standard:
                raise InvalidSignature("there is no whsec_ secret for Standard Webhooks")
            self._standard.verify(headers, body, now)
            return
        if self._static is not None and self._static.matches(given):
            return
        if not self._hmac:
            raise InvalidSignature("there is no secret for X-Webhook-Signature")
        self._hmac.verify(given, body)
