"""Signature schemes over raw bytes: HMAC-SHA256 hex, Standard Webhooks, a static token.

Invariants: every comparison takes the same time wherever the first difference is; all secrets are tried whichever
matches; a malformed header is an InvalidSignature like any other, never another exception.  It parses no body; what
Notion signs with besides, ``sources/notion/signature`` says.  ``headers`` are looked up by their usual spelling; a
mapping that ignores case is the caller's business.

Standard Webhooks: https://www.standardwebhooks.com, headers ``webhook-id``, ``webhook-timestamp``,
``webhook-signature``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping, Sequence

from hookbridge.config import SignaturesConfig
from hookbridge.errors import InvalidSignature

STANDARD_PREFIX = "whsec_"
ID_MAX = 256
HEX_DIGITS = 64
SIGNATURES_MAX = 20
"""More signatures in one header than any rotation needs."""


# aiohttp hands over bytes that are not UTF-8 as surrogates.  This never fails on them and never makes two values one.
_LOSSLESS = "surrogatepass"


def _matches(known: Iterable[bytes], claimed: Sequence[bytes]) -> bool:
    """Whether one of these is one of those, in a time that does not tell which, or where the first difference is."""
    matched = False
    for one in known:
        for other in claimed:
            matched |= hmac.compare_digest(one, other)
    return matched


def _begun(key: bytes) -> hmac.HMAC:
    """Take in the key alone: it is the same for every body, and half of the work for a short one."""
    return hmac.new(key, digestmod="sha256")


def _signed(begun: hmac.HMAC, content: bytes) -> bytes:
    one = begun.copy()
    one.update(content)
    return one.digest()


class HmacHex:
    """Hex HMAC-SHA256 of the raw body, with or without ``sha256=`` before it; several secrets while rotating."""

    __slots__ = ("_keys",)

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = tuple(_begun(secret.encode()) for secret in secrets)

    def __bool__(self) -> bool:
        """Whether there is a secret at all."""
        return bool(self._keys)

    def verify(self, given: str, body: bytes) -> None:
        """Return when one of the secrets made this signature.  Raises InvalidSignature."""
        scheme, equals, rest = given.partition("=")  # senders write it in capitals, or with a space behind
        digits = rest.strip(" ") if equals and scheme.lower() == "sha256" else given
        if len(digits) != HEX_DIGITS:
            raise InvalidSignature(f"the signature has not the {HEX_DIGITS} digits of a SHA-256")
        try:
            claimed = bytes.fromhex(digits)
        except ValueError:
            raise InvalidSignature("the signature is not hexadecimal") from None
        if not _matches([_signed(key, body) for key in self._keys], [claimed]):
            raise InvalidSignature("the signature does not match the body")


def standard_key(secret: str) -> bytes:
    """Give the bytes that a ``whsec_`` secret stands for, with or without base64's padding.  Raises ValueError."""
    encoded = secret.removeprefix(STANDARD_PREFIX)
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)


class StandardWebhooks:
    """The Standard Webhooks scheme, symmetric (``v1``); secrets are ``whsec_`` and base64."""

    __slots__ = ("_keys", "_tolerance_seconds")

    def __init__(self, secrets: Iterable[str], tolerance_seconds: float) -> None:
        self._keys = tuple(_begun(standard_key(secret)) for secret in secrets)
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
        content = f"{id_}.{timestamp}.".encode(errors=_LOSSLESS) + body
        if not _matches([_signed(key, content) for key in self._keys], claimed):
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

    Standard Webhooks headers, then ``X-Webhook-Signature`` (HMAC, or the static token where it is switched on), then,
    only where it is switched on, the static token as ``Authorization: Bearer``.  A sender that presents several has to
    pass the first, so a wrong one cannot hide behind a right one.  Without a secret that fits, nothing passes.  The
    static token is the secret itself, for senders that can compute nothing, as the webhooks of Supabase's dashboard.
    """

    def __init__(self, config: SignaturesConfig, secrets: Sequence[str]) -> None:
        standard = [secret for secret in secrets if secret.startswith(STANDARD_PREFIX)]
        plain = [secret for secret in secrets if not secret.startswith(STANDARD_PREFIX)]
        self._is_on = config.verify
        self._standard = StandardWebhooks(standard, config.tolerance_seconds)
        self._hmac = HmacHex(plain)
        self._tokens = tuple(secret.encode() for secret in plain) if config.static_token else ()

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when the sender is authenticated, or verification is off.  ``now`` is epoch seconds.

        Raises InvalidSignature, also where no secret fits the scheme.
        """
        if not self._is_on:
            return
        if "webhook-signature" in headers:
            if not self._standard:
                raise InvalidSignature("there is no whsec_ secret for Standard Webhooks")
            self._standard.verify(headers, body, now)
            return
        given = headers.get("X-Webhook-Signature")
        if given is None:
            self._verify_bearer(headers.get("Authorization"))
        elif not self._is_token(given):
            if not self._hmac:
                raise InvalidSignature("there is no secret for X-Webhook-Signature")
            self._hmac.verify(given, body)

    def _verify_bearer(self, given: str | None) -> None:
        if given is None or not self._tokens:
            raise InvalidSignature("the request is not signed")
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not self._is_token(token.strip()):
            raise InvalidSignature("the token in Authorization is not the secret")

    def _is_token(self, given: str) -> bool:
        return bool(self._tokens) and _matches(self._tokens, [given.encode(errors=_LOSSLESS)])
