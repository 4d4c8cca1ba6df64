"""Whether the sender of a Notion webhook is who it should be.

Notion signs with ``X-Notion-Signature: sha256=<hex HMAC-SHA256 of the raw body>``, the key being the verification token
of the subscription (https://developers.notion.com/reference/webhooks).  Other senders (the guide's format, database
automations) use the schemes of the Supabase endpoint.  Invariant: with verification on, nothing unsigned passes but the
handshake, and that only while no token is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookbridge.config import Secrets, SignaturesConfig
from hookbridge.errors import HandshakeRefused, InvalidSignature
from hookbridge.sources.notion.handshake import handshake_of
from hookbridge.sources.signatures import HmacHex, Signed

HEADER = "X-Notion-Signature"


class NotionSignature:
    """Decides for the Notion endpoint, with the tokens from the environment and the one that was learnt."""

    def __init__(self, config: SignaturesConfig, secrets: Secrets, learnt: str | None) -> None:
        self._verify = config.verify
        self._configured = secrets.notion_webhook_secrets
        self._signed = Signed(
            secrets.webhook_secrets, tolerance_seconds=config.tolerance_seconds, static_token=config.static_token
        )
        self.learn(learnt)

    def learn(self, token: str | None) -> None:
        """Take the token of a handshake; None forgets it."""
        tokens = (*self._configured, token) if token else self._configured
        self._tokens = HmacHex(tokens)

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when the sender is authenticated, or verification is off.

        Raises InvalidSignature, and HandshakeRefused for a handshake while a token is known.
        """
        if handshake_of(body) is not None:
            self._admit_handshake()
        elif self._verify:
            given = headers.get(HEADER)
            if given is None:
                self._signed.verify(headers, body, now)
            elif not self._tokens:
                raise InvalidSignature("no verification token of Notion is known yet")
            else:
                self._tokens.verify(given, body)

    def _admit_handshake(self) -> None:
        if self._tokens:
            raise HandshakeRefused(
                "A verification token is known already",
                hint="DELETE /api/v1/notion/verification-token forgets it, NOTION_WEBHOOK_SECRET names it",
            )
