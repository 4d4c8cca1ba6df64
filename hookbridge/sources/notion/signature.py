"""Whether the sender of a Notion webhook is who it should be.

Notion signs with ``X-Notion-Signature: sha256=<hex HMAC-SHA256 of the raw body>``, the key being the verification token
of the subscription (https://developers.notion.com/reference/webhooks).  Other senders (the guide's format, database
automations) use the schemes of the Supabase endpoint.  Invariant: with verification on, nothing unsigned passes but the
handshake, and that only where Notion is set up and while no token is known.

The handshake is one POST of ``{"verification_token": "secret_…"}`` when a subscription is made.  Its shape is strict
and its body small, because it is the one body that is looked at before it is authenticated: it is what brings the key.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hookbridge.config import Secrets, SignaturesConfig
from hookbridge.errors import HandshakeRefused, InvalidSignature
from hookbridge.sources.signatures import HmacHex, Signed

HEADER = "X-Notion-Signature"
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


class NotionSignature:
    """Decides for the Notion endpoint, with the tokens from the environment and the one that was learnt."""

    def __init__(self, config: SignaturesConfig, secrets: Secrets, learnt: str | None, *, handshakes: bool) -> None:
        """``handshakes`` says whether an unsigned handshake may bring the first token."""
        self._handshakes = handshakes
        self._verify = config.verify
        self._configured = secrets.notion_webhook_secrets
        self._signed = Signed(config, secrets.webhook_secrets)
        self.learn(learnt)

    def learn(self, token: str | None) -> None:
        """Take the token of a handshake; None forgets it."""
        self._known = (*self._configured, token) if token else self._configured
        self._tokens = HmacHex(self._known)

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when the sender is authenticated, or verification is off.

        Raises InvalidSignature, and HandshakeRefused for a handshake that is not taken.
        """
        token = handshake_of(body)
        if token is not None:
            self._admit_handshake(token, headers, body)
        elif self._verify:
            given = headers.get(HEADER)
            if given is None:
                self._signed.authenticate(headers, body, now)
            elif not self._tokens:
                raise InvalidSignature("no verification token of Notion is known yet")
            else:
                self._tokens.verify(given, body)

    def _admit_handshake(self, token: str, headers: Mapping[str, str], body: bytes) -> None:
        if token in self._known and (given := headers.get(HEADER)) is not None:
            self._tokens.verify(given, body)  # Notion presents again what is known
            return
        if self._tokens:
            raise HandshakeRefused(
                "A verification token is known already",
                hint="DELETE /api/v1/notion/verification-token forgets it, NOTION_WEBHOOK_SECRET names it",
            )
        if not self._handshakes:
            raise HandshakeRefused(
                "No handshake of Notion's is taken here",
                hint='set NOTION_TOKEN, list a database, or set [notion] handshake = "accept"',
            )
