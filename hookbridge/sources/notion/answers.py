"""How an answer about a page becomes a truth: as far as it shows the page, or whole.

Pure.
"""

from __future__ import annotations

import json

import msgspec

from hookbridge.model import Columns, RecordKey, Truth
from hookbridge.sources.notion import cuts, pages
from hookbridge.sources.notion.places import Places


def truth_of(asked: RecordKey, page: Columns | None, ticket: int, now: float, places: Places) -> Truth:
    """Make the truth of what an answer shows, under the name of the table in which the page lies.

    A page in the trash, or in a table that is not followed, is absent.
    """
    table = None if page is None or pages.is_gone(page) else places.name(asked.table, page.get("parent"))
    if page is None or table is None:
        return Truth(record=asked, data=None, ticket=ticket)
    content, data = _stored(page)
    partial = bool(cuts.cut(content))
    edited = page.get("last_edited_time")
    return Truth(
        record=RecordKey("notion", table, asked.id),
        data=data,
        changed_at=edited if isinstance(edited, str) else None,
        fingerprint=cuts.shown(content, now) if partial else pages.fingerprint(content),
        ticket=ticket,
        partial=partial,
    )


def whole(shown: Truth, page: Columns) -> Truth:
    """Make the truth of a page that was partial and is completed."""
    content, data = _stored(page)
    return msgspec.structs.replace(
        shown,
        data=data,
        fingerprint=pages.fingerprint(content) + shown.fingerprint,
        partial=False,
        cut=bool(cuts.cut(content)),
    )


def _stored(page: Columns) -> tuple[Columns, bytes]:
    """Give what is kept of an answer, and its text."""
    content = {name: value for name, value in page.items() if name != "request_id"}
    try:
        return content, msgspec.json.encode(content)
    except UnicodeEncodeError:
        # Notion cuts long texts between the halves of a character; what cannot be stored is shown as a question mark.
        data = json.dumps(content, ensure_ascii=False).encode(errors="replace")
        return msgspec.json.decode(data), data
