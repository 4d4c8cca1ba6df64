"""What a page object leaves out, and how the rest of it is read.

A page object has at most 25 references of one property.  ``Rest`` reads the others through the endpoint for one
property, within a number of requests for each page; what is left then stays cut, and says so by
``has_more``.  Invariants: a completed page says of every property that was cut whether there is more of it, so that it
is told from what a listing shows; one property that cannot be read costs no page.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from hookbridge.errors import RecordImpossible
from hookbridge.model import FINGERPRINT_BYTES, Columns
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.notion.budget import Urgency
from hookbridge.sources.notion.pages import EXPIRY, fingerprint
from hookbridge.sources.source import Limits
from hookbridge.sources.times import instant_of

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import NotionClient  # imports the SDK

REFERENCES_MAX = 25
"""So many references of one property are in a page object."""

_REFERENCES = frozenset(("title", "rich_text", "people", "relation", "rollup"))

OPEN_SECONDS = 120.0
"""After the beginning of a minute it is over on every clock, and what was edited in it can be read."""

_encode = msgspec.json.encode


def cut(page: Columns) -> tuple[str, ...]:
    """Name the properties of which the page object does not have all."""
    properties = page.get("properties")
    if not isinstance(properties, dict):
        return ()
    return tuple(name for name, value in properties.items() if isinstance(value, dict) and is_cut(value))


def is_cut(value: Columns) -> bool:
    """Whether there is more of a property's value than this, or may be.

    Only relations say so (``has_more``), and whatever we have read to its end; of people, rollups and mentions in texts
    it is known that a page object has 25 at most (https://developers.notion.com/reference/retrieve-a-page).
    """
    more = value.get("has_more")
    if isinstance(more, bool):
        return more
    kind = value.get("type")
    inner = value.get(kind) if isinstance(kind, str) else None
    if kind == "rollup" and isinstance(inner, dict):
        if inner.get("type") == "incomplete":
            return True
        inner = inner.get("array")
    if not isinstance(inner, list):
        return False
    if kind in ("title", "rich_text"):
        inner = [span for span in inner if isinstance(span, dict) and span.get("type") == "mention"]
    return kind in _REFERENCES and len(inner) >= REFERENCES_MAX


def shown(page: Columns, now: float, *, with_body: bool) -> bytes:
    """Hash what a listing shows of a page that is cut, or has a body: the rest changes only with its time of editing.

    That time is a whole minute.  While it may still be the current one, it does not tell one edit from the next, and
    the hash is another one: what was read then is read once more afterwards.
    """
    edited = instant_of(str(page.get("last_edited_time")))
    open_ = edited is not None and now - edited.timestamp() < OPEN_SECONDS
    parts = [fingerprint(page).hex(), page.get("last_edited_time"), open_, *(["body"] if with_body else [])]
    return blake2b(_encode(parts), digest_size=FINGERPRINT_BYTES).digest()


def limits(data: bytes) -> Limits:
    """Say what the copy of a page cannot hold: links that go on working, and what is behind a cut."""
    page = decode_columns(data)
    # Looking at the bytes first: a walk over all values takes several times as long as decoding them.
    written = _expiries(page) if EXPIRY.encode() in data else ()
    expiries = [at for text in written if (at := instant_of(text)) is not None]
    return Limits(links_expired_at=min(expiries, default=None), cut_properties=cut(page))


def _expiries(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == EXPIRY and isinstance(part, str):
                yield part
            else:
                yield from _expiries(part)
    elif isinstance(value, list):
        for part in value:
            yield from _expiries(part)


class Rest:
    """Completes pages."""

    def __init__(self, client: NotionClient, requests_max: int) -> None:
        """``requests_max`` is for one page."""
        self._client = client
        self._requests_max = requests_max

    async def complete(self, page: Columns, urgency: Urgency) -> Columns:
        """Give the page with the rest of its properties, as far as the requests go.  Raises SourceError."""
        left = self._requests_max
        properties = dict(page["properties"])
        for name in cut(page):
            value, used = await self._whole(str(page["id"]), properties[name], left, urgency)
            left -= used
            properties[name] = value
        return {**page, "properties": properties}

    async def _whole(self, page_id: str, value: Columns, requests_max: int, urgency: Urgency) -> tuple[Columns, int]:
        """Give a property's value as far as the requests go, and how many it took."""
        items: list[Columns] = []
        cursor: str | None = None
        for used in range(1, requests_max + 1):
            try:
                some = await self._client.items(page_id, str(value.get("id")), cursor, urgency)
            except RecordImpossible:
                some = None
            if some is None:  # the property, its database or its cursor went meanwhile, or is not shared
                return _joined(value, items, None, more=True), used
            items += some.items
            if (cursor := some.next_cursor) is None:
                return _joined(value, items, some.rollup, more=False), used
        return _joined(value, items, None, more=True), requests_max


def _joined(value: Columns, items: list[Columns], rollup: Columns | None, *, more: bool) -> Columns:
    """Put what was read in place of what the page object has of a property, where that is more."""
    kind = value.get("type")
    if kind == "rollup" and isinstance(value.get(kind), dict):
        value = {**value, kind: _rolled(value[kind], items, rollup)}
    elif items and isinstance(kind, str):
        value = {**value, kind: [item.get(kind) for item in items]}
    return {**value, "has_more": more}


def _rolled(value: Columns, items: list[Columns], final: Columns | None) -> Columns:
    if final is not None and final.get("type") != "array":
        return final  # a computed one: the items are what it was computed of
    if not items:
        return value
    # An item holds one reference where a page object's element holds a list of them.
    array = [
        {"type": kind, kind: [item.get(kind)] if kind in _REFERENCES else item.get(kind)}
        for item in items
        if isinstance(kind := item.get("type"), str)
    ]
    return {**value, "type": "array", "array": array}
