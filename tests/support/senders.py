"""Webhooks of every real format about one change, made of what a stand-in tells its listeners.

Written against the vendors' documents and the guide, not with our own code: each function gives the exact bytes and
headers that such a sender would POST.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from hookbridge.model import SourceName
from hookbridge.standins import Webhook
from tests.support.signing import standard_webhook, webhook_signature

PLAIN_SECRET = "a secret of the guide's kind"
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STATIC = {"Authorization": f"Bearer {PLAIN_SECRET}"}
JSON = {"Content-Type": "application/json"}


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the webhook endpoint of a source."""

    source: SourceName
    body: bytes
    headers: Mapping[str, str]


def as_sent(source: SourceName, webhook: Webhook) -> Post:
    """The source's own format, as the stand-in words it."""
    return Post(source=source, body=webhook.body, headers=webhook.headers)


def signed(source: SourceName, body: object) -> Post:
    """A body signed as the guide's senders sign."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Post(source=source, body=raw, headers={**JSON, **webhook_signature(raw, PLAIN_SECRET)})


def standard(source: SourceName, body: bytes, *, message_id: str, now: float) -> Post:
    """Any body under the headers of Standard Webhooks."""
    headers = standard_webhook(body, STANDARD_SECRET, message_id=message_id, timestamp=int(now))
    return Post(source=source, body=body, headers={**JSON, **headers})


def guided_row(native: Webhook, record_id: str, timestamp: str | None) -> Post:
    """What the guide's trigger makes of a row's change."""
    told = json.loads(native.body)
    body: dict[str, Any] = {
        "event_type": told["type"],
        "source": "supabase",
        "table_name": told["table"],
        "record_id": record_id,
        "data": told["record"],
        "metadata": {"schema": told["schema"]},
    }
    return signed("supabase", body if timestamp is None else {**body, "timestamp": timestamp})


def guided_page(page: Mapping[str, Any], event_type: str, timestamp: str) -> Post:
    """What a sender of the guide's format says of a page."""
    body = {
        "event_type": event_type,
        "source": "notion",
        "table_name": page["parent"]["database_id"].replace("-", ""),
        "record_id": page["id"],
        "data": page,
        "timestamp": timestamp,
    }
    return signed("notion", body)


def automation(page: Mapping[str, Any], event_id: str) -> Post:
    """A database automation's "Send webhook": the page, and static headers only."""
    source = {
        "type": "automation",
        "automation_id": "1b52cf0d-4d95-8123-9bb1-004dc8e0a9b5",
        "action_id": "1b52cf0d-4d95-8130-b1c6-005a5b1e4c9c",
        "event_id": event_id,
        "attempt": 1,
    }
    body = json.dumps({"source": source, "data": page}).encode()
    return Post(source="notion", body=body, headers={**JSON, **STATIC})


def tampered(post: Post) -> Post:
    """The same under a signature or token that is not right any more."""
    headers = {
        name: value[:-1] + ("0" if value[-1] != "0" else "1")
        if name in ("Authorization", "X-Webhook-Signature", "X-Notion-Signature")
        else value
        for name, value in post.headers.items()
    }
    if "webhook-signature" in headers:
        return Post(source=post.source, body=post.body + b" ", headers=headers)
    return Post(source=post.source, body=post.body, headers=headers)
