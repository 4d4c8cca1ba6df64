"""Signing a body as senders do, written against the documents and not with our own code."""

import base64
import hashlib
import hmac


def webhook_signature(body: bytes, secret: str) -> dict[str, str]:
    """The guide's header."""
    return {"X-Webhook-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def notion_signature(body: bytes, verification_token: str) -> dict[str, str]:
    """The header of Notion's integration webhooks."""
    return {"X-Notion-Signature": "sha256=" + hmac.new(verification_token.encode(), body, hashlib.sha256).hexdigest()}


def standard_webhook(body: bytes, secret: str, *, message_id: str, timestamp: int) -> dict[str, str]:
    """The headers of Standard Webhooks; `secret` is `whsec_…`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
