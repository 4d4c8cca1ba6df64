"""Signing a webhook as a sender does: the headers that ``signatures`` accepts.

A secret that begins with ``whsec_`` signs by Standard Webhooks (https://www.standardwebhooks.com), any other one with
an HMAC-SHA256 of the raw body in ``X-Webhook-Signature``.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import uuid

from hookbridge.errors import ConfigError
from hookbridge.sources.signatures import STANDARD_PREFIX, standard_key


def headers(secret: str, body: bytes, *, now: float, message_id: str | None = None) -> dict[str, str]:
    """Give the headers for a body.  ``now`` is epoch seconds; without an id the message gets a new one.

    Raises ConfigError for a secret that cannot sign.
    """
    if not secret.startswith(STANDARD_PREFIX):
        return {"X-Webhook-Signature": hmac_hex(secret, body)}
    try:
        key = standard_key(secret)
    except ValueError:
        raise ConfigError(["WEBHOOK_SECRET: what follows whsec_ is not base64"]) from None
    message_id, timestamp = message_id or f"msg_{uuid.uuid4().hex}", str(int(now))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def new_secret() -> str:
    """Draw a secret of 256 bits that signs by Standard Webhooks."""
    return STANDARD_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def hmac_hex(secret: str, body: bytes) -> str:
    """Give the HMAC as headers carry it, Notion's own included."""
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
