"""Which secret signs what this machine sends, and the headers that follow.

It signs with the first of the configured secrets: while rotating, that is the new one.
"""

from __future__ import annotations

from hookbridge.config import Settings
from hookbridge.errors import ConfigError
from hookbridge.sources.notion.signature import HEADER as NOTION_HEADER
from hookbridge.sources.signing import headers, hmac_hex


def sender_headers(settings: Settings, body: bytes, *, message_id: str, now: float) -> dict[str, str]:
    """Sign as the guide's senders and our trigger do, with WEBHOOK_SECRET.  Raises ConfigError without one."""
    if not settings.secrets.webhook_secrets:
        raise ConfigError(
            ["WEBHOOK_SECRET: not set, so nothing can be signed"], hint="set it in .env, as the service has it"
        )
    return headers(settings.secrets.webhook_secrets[0], body, message_id=message_id, now=now)


def notion_headers(token: str, body: bytes) -> dict[str, str]:
    """Sign as Notion does: with the verification token of the subscription."""
    return {NOTION_HEADER: hmac_hex(token, body)}
