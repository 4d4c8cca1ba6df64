"""Whether the sender of a Supabase webhook is who it should be.

Schemes: Standard Webhooks, HMAC hex in ``X-Webhook-Signature``, and the static token where it is switched on, because
the dashboard's webhooks can send nothing else.  Invariant: with verification on, what is not signed is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookbridge.config import Secrets, SignaturesConfig
from hookbridge.sources.signatures import Signed


class SupabaseSignature:
    """Decides for the Supabase endpoint."""

    def __init__(self, config: SignaturesConfig, secrets: Secrets) -> None:
        self._verify = config.verify
        self._signed = Signed(
            secrets.webhook_secrets, tolerance_seconds=config.tolerance_seconds, static_token=config.static_token
        )

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Return when the sender is authenticated, or verification is off.  Raises InvalidSignature."""
        if self._verify:
            self._signed.verify(headers, body, now)
