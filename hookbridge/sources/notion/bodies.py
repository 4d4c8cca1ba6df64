"""The bodies of pages, as markdown: read behind their page objects, whole within a number of requests and characters.

Which databases ask for them, the configuration says.  Invariants: a body is labelled with the time of editing of the
page object that was read before it, so that an edit in between shows at the next poll; links to files, which are signed
anew with every read, are no change; an integration that may not read content costs no page, but its body.  Wire format:
https://developers.notion.com/reference/retrieve-page-markdown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from hookbridge.config import NotionConfig
from hookbridge.errors import ContentRefused, RecordImpossible
from hookbridge.model import FINGERPRINT_BYTES, Content, Truth
from hookbridge.names import dashed
from hookbridge.sources.large import aside
from hookbridge.sources.notion import markdown
from hookbridge.sources.notion.budget import Urgency

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import NotionClient  # imports the SDK

REFUSED_SECONDS = 600.0
"""How long nobody asks again for bodies of a database that Notion did not give."""


AT_ONCE: Mapping[Urgency, int] = {Urgency.READ: 8, Urgency.POLL: 2, Urgency.SWEEP: 2, Urgency.LOAD: 3}
"""So many bodies are read at once for those who ask so: slow ones of a first load leave connections to all others."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of a page's body."""

    content: Content
    fingerprint: bytes
    """A hash of the text without what changes on every read."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why the bodies of a database are not read."""

    reason: str
    hint: str
    since: float
    """When Notion said so, in epoch seconds."""


class Bodies:
    """Reads bodies, and knows which are not to be read.  One instance for the process."""

    def __init__(self, client: NotionClient, config: NotionConfig, now: Callable[[], float]) -> None:
        """``now`` gives the time of the day."""
        self._client = client
        self._wanted = frozenset(dashed(one.id) for one in config.databases if one.content)
        self._requests_max = config.content_requests_max
        self._characters_max = config.content_characters_max
        self._now = now
        self._turns = {urgency: asyncio.Semaphore(number) for urgency, number in AT_ONCE.items()}
        self._refusals: dict[str, Refusal] = {}

    def wanted(self, table: str) -> bool:
        """Whether a database asks for bodies."""
        return table in self._wanted

    def read_now(self, table: str) -> bool:
        """Whether a page of this database is read with its body: where that was refused, only after a while."""
        refusal = self._refusals.get(table)
        return self.wanted(table) and (refusal is None or self._now() - refusal.since >= REFUSED_SECONDS)

    def refusal(self, table: str) -> Refusal | None:
        """Say why the bodies of a database are not read; None where they are."""
        return self._refusals.get(table)

    async def read(self, page: Truth, urgency: Urgency) -> Body | None:
        """Read the body of a page.  None where the integration may not read bodies.  Raises SourceError."""
        async with self._turns[urgency]:
            return await self._read(page, urgency)

    async def _read(self, page: Truth, urgency: Urgency) -> Body | None:
        table, edited_at = page.record.table, page.changed_at
        if not self.read_now(table):
            return None
        try:
            read = await self._whole(page.record.id, urgency)
        except ContentRefused as error:
            self._refusals[table] = Refusal(reason=error.message, hint=error.hint, since=self._now())
            return None
        except RecordImpossible as error:
            return _none(edited_at, error.message)
        self._refusals.pop(table, None)
        if read is None:
            return _none(edited_at, "Notion has no body of this page")
        return await aside(len(read.text), self._kept, read, edited_at)

    def _kept(self, read: markdown.Read, edited_at: str | None) -> Body:
        text = read.text
        content = Content(
            markdown=text[: self._characters_max],
            truncated=read.truncated or len(text) > self._characters_max,
            edited_at=edited_at,
            links_expire_at=markdown.links_expire_at(text),
        )
        # Of the whole text: where it is cut depends on the length of the signatures before it.
        steady = f"{content.truncated}\n{markdown.without_signatures(text)}"
        return Body(content=content, fingerprint=_hash(steady))

    async def _whole(self, page_id: str, urgency: Urgency) -> markdown.Read | None:
        """Give the body with the blocks that its first answer leaves out, as far as requests and characters go."""
        answer = await self._client.markdown(page_id, urgency)
        if answer is None:
            return None
        read = markdown.read_of(answer)
        for _ in range(self._requests_max - 1):
            if not read.unknown or len(read.text) >= self._characters_max:
                break
            block, *_ = read.unknown
            try:
                found = await self._client.markdown(block, urgency, of=page_id)
                part = None if found is None else markdown.read_of(found)
            except RecordImpossible:
                part = None  # not shared with the integration, or of a kind that markdown has no form for
            read = markdown.completed(read, block, part)
        return msgspec.structs.replace(read, truncated=True) if read.unknown else read


def _none(edited_at: str | None, reason: str) -> Body:
    content = Content(markdown="", truncated=True, edited_at=edited_at, refused=reason)
    return Body(content=content, fingerprint=_hash("refused"))


def _hash(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=FINGERPRINT_BYTES).digest()
