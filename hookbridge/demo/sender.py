"""Posting webhooks to the service as the sources do: over HTTP, signed, to another node when one does not answer.

Rows are announced as our trigger for Supabase does it (Standard Webhooks), pages as Notion itself does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout

from hookbridge.demo.places import Told
from hookbridge.errors import HookbridgeError
from hookbridge.sources.signing import headers

PATIENCE = ClientTimeout(total=5.0)
"""With one node, of which several may stand still."""


class Sender:
    """Delivers what is in an outbox."""

    def __init__(
        self,
        http: ClientSession,
        urls: Sequence[str],
        secret: str,
        new_id: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """``urls`` are the nodes, which take turns."""
        self._http = http
        self._urls = urls
        self._secret = secret
        self._new_id = new_id
        self._clock = clock
        self._turn = 0

    async def deliver(self, posts: Sequence[Told]) -> int:
        """Post webhooks; gives how many a second node had to take.

        Raises HookbridgeError for one that is refused, or that no node takes.
        """
        passed_over: set[str] = set()
        return sum([await self._deliver(one, passed_over) for one in posts])

    async def _deliver(self, one: Told, passed_over: set[str]) -> bool:
        """Give whether a second node had to take it; nodes that do not are noted, and asked last."""
        self._turn += 1
        with_headers = self._headers(one)  # the same for each node: what was taken without an answer is known by its id
        at = self._turn % len(self._urls)
        urls = sorted([*self._urls[at:], *self._urls[:at]], key=passed_over.__contains__)
        for url in urls:
            if await self._takes(url, one, with_headers):
                return url != urls[0]
            passed_over.add(url)
        raise HookbridgeError("A webhook was taken by no node")

    async def _takes(self, url: str, one: Told, with_headers: dict[str, str]) -> bool:
        """Whether this node took it; another one may, where this one is gone, stands still or has no time."""
        path = f"/api/v1/webhooks/{one.source}"
        try:
            async with self._http.post(
                f"{url}{path}", data=one.webhook.body, headers=with_headers, timeout=PATIENCE
            ) as answer:
                if answer.status in {HTTPStatus.ACCEPTED, HTTPStatus.SERVICE_UNAVAILABLE}:
                    return answer.status == HTTPStatus.ACCEPTED
                raise HookbridgeError(f"A webhook was answered {answer.status}: {await answer.text()}")
        except (ClientConnectionError, TimeoutError):
            return False

    def _headers(self, one: Told) -> dict[str, str]:
        given = dict(one.webhook.headers)
        if one.source == "notion":
            return given  # signed by the stand-in, with the verification token
        return given | headers(self._secret, one.webhook.body, message_id=self._new_id(), now=self._clock())
