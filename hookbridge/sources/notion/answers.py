"""How an answer about a page becomes a truth: as far as it shows the page, or whole.

Pure.
"""

from __future__ import annotations

import json

import msgspec

from hookbridge.model import Columns, RecordKey, Truth
from hookbridge.sources.notion import cuts, pages


def truth_of(record: RecordKey, page: Columns | None, ticket: int, now: float) -> Truth:
    """Make the truth of what an answer shows; a page in the trash or in another table is absent for this record."""
    if page is None or pages.is_gone(page):
        return Truth(record=record, data=None, ticket=ticket)
    if not pages.belongs_to(page, record.table):
        return Truth(record=record, data=None, ticket=ticket, elsewhere=True)
    content, data = _stored(page)
    partial = bool(cuts.cut(content))
    edited = page.get("last_edited_time")
    return Truth(
        record=record,
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
