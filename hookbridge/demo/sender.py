"""Posting webhooks to the service as the sources do: over HTTP, signed.

Rows are announced as our trigger for Supabase does it (Standard Webhooks), pages as Notion itself does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from aiohttp import ClientSession

from hookbridge.demo.places import Told
from hookbridge.errors import HookbridgeError
from hookbridge.sources.signing import headers


class Sender:
    """Delivers what is in an outbox."""

    def __init__(self, http: ClientSession, secret: str, new_id: Callable[[], str], clock: Callable[[], float]) -> None:
        self._http = http
        self._secret = secret
        self._new_id = new_id
        self._clock = clock

    async def deliver(self, posts: Sequence[Told]) -> None:
        """Post webhooks.  Raises HookbridgeError for one that is not accepted."""
        for one in posts:
            path = f"/api/v1/webhooks/{one.source}"
            async with self._http.post(path, data=one.webhook.body, headers=self._headers(one)) as answer:
                if answer.status != HTTPStatus.ACCEPTED:
                    raise HookbridgeError(f"A webhook was answered {answer.status}: {await answer.text()}")

    def _headers(self, one: Told) -> dict[str, str]:
        given = dict(one.webhook.headers)
        if one.source == "notion":
            return given  # signed by the stand-in, with the verification token
        return given | headers(self._secret, one.webhook.body, message_id=self._new_id(), now=self._clock())
