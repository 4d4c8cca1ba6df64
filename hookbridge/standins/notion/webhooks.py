"""Notion's integration webhooks: envelope, signature, handshake, redelivery.

A body carries no content of the page, only what changed; it is signed over its raw bytes with the verification token.
Unlike Notion, which aggregates some types for about a minute, every change is told at once.
Sources: Notion API reference, "Webhooks" and "Event types & delivery".
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from hookbridge.standins.notion.properties import Json
from hookbridge.standins.wire import Listener, Webhook

API_VERSION = "2025-09-03"
_PERSON = "00000000-0000-4000-8000-0000000000fa"
_SUBSCRIPTION = "00000000-0000-4000-8000-0000000000f2"


class Deliveries:
    """One subscription: who listens, and how a change is worded and signed."""

    def __init__(
        self, clock: Callable[[], datetime], verification_token: str, *, integration_id: str, workspace_id: str
    ) -> None:
        self.verification_token = verification_token
        self._clock = clock
        self._integration_id = integration_id
        self._workspace_id = workspace_id
        self._listeners: list[Listener] = []

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Add a callback; the returned function removes it."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def handshake(self) -> Webhook:
        """The unsigned request that presents the token, once per subscription."""
        return Webhook(body=_encoded({"verification_token": self.verification_token}), headers=_HEADERS)

    def tell(self, event_type: str, entity_id: str, data: dict[str, Json]) -> None:
        """Tell every listener of one change."""
        if not self._listeners:
            return
        webhook = self.signed(_encoded(self._envelope(event_type, entity_id, data)))
        for callback in tuple(self._listeners):
            callback(webhook)

    def redelivery(self, webhook: Webhook) -> Webhook:
        """The next attempt to deliver the same event: same id, `attempt_number` raised, signed anew."""
        envelope = json.loads(webhook.body)
        envelope["attempt_number"] += 1
        return self.signed(_encoded(envelope))

    def signed(self, body: bytes) -> Webhook:
        """A body with the signature of the verification token."""
        digest = hmac.new(self.verification_token.encode(), body, hashlib.sha256).hexdigest()
        return Webhook(body=body, headers={**_HEADERS, "X-Notion-Signature": f"sha256={digest}"})

    def _envelope(self, event_type: str, entity_id: str, data: dict[str, Json]) -> dict[str, Json]:
        now = self._clock().astimezone(UTC)
        return {
            "id": str(uuid4()),
            "timestamp": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
            "workspace_id": self._workspace_id,
            "workspace_name": "Stand-in",
            "subscription_id": _SUBSCRIPTION,
            "integration_id": self._integration_id,
            "api_version": API_VERSION,
            "type": event_type,
            "authors": [{"id": _PERSON, "type": "person"}],
            "accessible_by": [{"id": _PERSON, "type": "person"}, {"id": self._integration_id, "type": "bot"}],
            "attempt_number": 1,
            "entity": {"id": entity_id, "type": event_type.partition(".")[0]},
            "data": data,
        }


_HEADERS = {"Content-Type": "application/json"}


def _encoded(value: dict[str, Json]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
