"""How an answer about a page becomes a truth: as far as it shows the page, or whole.

Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b

import msgspec

from hookbridge.model import FINGERPRINT_BYTES, Columns, RecordKey, Truth, textless
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.notion import cuts, pages
from hookbridge.sources.notion.bodies import Body
from hookbridge.sources.notion.places import Places


def truth_of(
    asked: RecordKey,
    page: Columns | None,
    ticket: int,
    now: float,
    places: Places,
    *,
    with_body: Callable[[str], bool],
) -> Truth:
    """Make the truth of what an answer shows, under the name of the table in which the page lies.

    A page in the trash, or in a table that is not followed, is absent.  ``with_body`` says of a table whether its pages
    are read with their bodies.
    """
    table = None if page is None or pages.is_gone(page) else places.name(asked.table, page.get("parent"))
    if page is None or table is None:
        return Truth(record=asked, data=None, ticket=ticket)
    content, data = _stored(page)
    is_cut, lacks_body = bool(cuts.cut(content)), with_body(table)
    own = b"" if is_cut else pages.fingerprint(content)
    shown = cuts.shown(content, now, with_body=lacks_body) if is_cut or lacks_body else b""
    edited = page.get("last_edited_time")
    return Truth(
        record=RecordKey("notion", table, asked.id),
        data=data,
        changed_at=edited if isinstance(edited, str) else None,
        fingerprint=own + shown,
        ticket=ticket,
        partial=is_cut or lacks_body,
        lacks_content=lacks_body and not is_cut,
    )


def whole(shown: Truth, page: Columns, body: Body | None) -> Truth:
    """Make the truth of a page that was partial and is completed, with its body where it is read with one.

    Where bodies may not be read, the hash of what is shown would say that this one was.
    """
    content, data = _stored(page)
    own = pages.fingerprint(content)
    if body is not None:
        own = _both(own, body)
    end = shown.fingerprint[-FINGERPRINT_BYTES:]
    if body is not None or shown.lacks_content:
        end = _end(end, body)
    return msgspec.structs.replace(
        shown,
        data=data,
        fingerprint=own + end,
        partial=False,
        lacks_content=False,
        cut=bool(cuts.cut(content)),
        content=None if body is None else body.content,
    )


def with_content(shown: Truth, body: Body | None, began: float) -> Truth:
    """Make the truth of a page that lacked only its body; None where bodies may not be read.

    ``began`` is when its reading began.
    """
    assert shown.data is not None  # noqa: S101  for the type checker: what is gone lacks nothing
    own, content = shown.fingerprint[:FINGERPRINT_BYTES], None
    if body is not None:
        own, content = _both(own, body), body.content
    end = _end(cuts.shown(decode_columns(shown.data), began, with_body=True), body)
    return msgspec.structs.replace(shown, fingerprint=own + end, content=content, partial=False, lacks_content=False)


def _end(shown: bytes, body: Body | None) -> bytes:
    """Give the end of a fingerprint: where the body of this one page was refused, each sweep asks for it again."""
    if body is None:
        return b""
    return shown if body.content.refused is None else textless(shown)


def _both(own: bytes, body: Body) -> bytes:
    """Hash a page with its body."""
    return blake2b(own + body.fingerprint, digest_size=FINGERPRINT_BYTES).digest()


def _stored(page: Columns) -> tuple[Columns, bytes]:
    """Give what is kept of an answer, and its text."""
    content = {name: value for name, value in page.items() if name != "request_id"}
    try:
        return content, msgspec.json.encode(content)
    except UnicodeEncodeError:
        # Notion cuts long texts between the halves of a character; what cannot be stored is shown as a question mark.
        data = json.dumps(content, ensure_ascii=False).encode(errors="replace")
        return msgspec.json.decode(data), data
