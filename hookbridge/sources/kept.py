"""What is kept of a record: a truth, or what an event claims, as copy and words, and what goes when they are written.

Whoever writes to the store asks here, so that a record has the same copy and the same words whichever way it came.
"""

from __future__ import annotations

import msgspec

from hookbridge import text
from hookbridge.model import FINGERPRINT_BYTES, Columns, Content, Copy, Document, Event, RecordKey, Truth
from hookbridge.names import one_line
from hookbridge.sources import carrying
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.contents import content_of, stored
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is written of one record."""

    copy: Copy
    document: Document
    exclusive: bool
    """Whether the copies of the same id in other tables go (ids are global)."""


def kept(source: Source, truth: Truth, now: float) -> Kept:
    """Give what a truth becomes in the store, where its record's name is the one that was asked for."""
    columns = source.truth_columns(truth)
    return Kept(
        copy=copy_of(source, truth, columns, now),
        document=document_of(source, truth.record, columns, truth.content),
        exclusive=source.ids_are_global,
    )


async def kept_aside(source: Source, truth: Truth, now: float) -> Kept:
    """Do so without keeping the event loop: the words of a text of a million characters may take a second."""
    return await aside(truth.size, kept, source, truth, now)


def copy_of(
    source: Source, truth: Truth, columns: Columns | None, now: float, *, under: RecordKey | None = None
) -> Copy:
    """Give the copy of what was read and decoded, under its name as the source writes it or under another one."""
    return Copy(
        record=under or truth.record,
        data=truth.data,
        changed_at=truth.changed_at,
        # Without the hash of what a listing shows it differs from every listing, until its text has been read.
        fingerprint=truth.fingerprint[:FINGERPRINT_BYTES] if truth.lacks_content else truth.fingerprint,
        ticket=truth.ticket,
        read_at=now,
        title=title_of(source, truth.record, columns),
        content=stored(truth.content),
    )


def title_of(source: Source, record: RecordKey, columns: Columns | None) -> str | None:
    """Give what people call a record, in one line; None where nothing says it."""
    return None if columns is None else one_line(source.title(record, columns)) or None


def title_claimed(source: Source, event: Event) -> str | None:
    """Give what an event itself calls its record; None where it says nothing, and of one with much to look through."""
    if not event.body or len(event.body) > carrying.CARRIED_BYTES_MAX:
        return None
    truth = carrying.carried(event)
    return title_of(source, event.record, source.columns_of(event) if truth is None else source.truth_columns(truth))


def document_of(source: Source, record: RecordKey, columns: Columns | None, content: Content | None) -> Document:
    """Give the index entry of a record; one that is gone has no words."""
    if columns is None:
        return Document(record)
    title, properties, body = text.field_tokens(source.fields(record, columns, content))
    return Document(record, " ".join(title), " ".join(properties), " ".join(body))


def anew(source: Source, copy: Copy) -> tuple[Copy, Document]:
    """Give title and index entry anew of what was read before."""
    columns = None if copy.data is None else decode_columns(copy.data)
    titled = msgspec.structs.replace(copy, title=title_of(source, copy.record, columns))
    return titled, document_of(source, copy.record, columns, content_of(copy))
