"""How a field says what it means, and the fields that many requests and answers have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from hookbridge.model import SourceName


def means(description: str, *examples: object) -> Meta:
    """Say what a field means, with a value that it may have: examples of whole bodies are made of those."""
    return Meta(description=description, examples=list(examples) or None)


Source = Annotated[SourceName, means("`supabase` or `notion`.", "supabase")]
Table = Annotated[str, means("`schema.name` of the table, or the id of the Notion database.", "public.users")]
RecordId = Annotated[
    str, means("The record's key, the parts of a composite one joined by a comma; or the page's id.", "42")
]
Title = Annotated[
    str,
    means(
        "What people call it, in one line of 300 characters at most: as its copy has it, or its event; else the id.",
        "Ada Lovelace",
    ),
]
TableLabel = Annotated[
    str, means("What people call the table: its name in Supabase, the title of a Notion database.", "users")
]
TableName = Annotated[str, means("The table, as the sender wrote it.", "users")]
EventType = Annotated[
    str, means("`insert`, `update` or `delete`; the source's own word for what carries no record.", "update")
]
SendersTime = Annotated[str | None, means("The sender's own time, as it wrote it.", "2026-01-01T15:00:00Z")]
ChangedAt = Annotated[
    str | None,
    means("The source's own time of the last change, as the source wrote it.", "2026-01-01T15:00:00+00:00"),
]
Message = Annotated[str, means("A sentence for people.", "Supabase did not answer within 10 s")]
Hint = Annotated[str, means("What to do about it; empty where that is not known.", "")]
Data = Annotated[
    msgspec.Raw,
    means(
        "The row, or the page object.",
        {"id": 42, "name": "Ada Lovelace", "updated_at": "2026-01-01T15:00:00+00:00"},
    ),
]
Time = Annotated[datetime, Meta(tz=True)]

# What is asked for

OfSource = Annotated[SourceName | None, means("Only of this source.", "supabase")]
OfTable = Annotated[
    str | None, means("Only of this table: `name`, `schema.name`, or the id of a Notion database.", "users")
]
OfRecord = Annotated[str | None, means("Only of the record with this id.", "42")]
Limit = Annotated[int, Meta(ge=1, le=500), means("So many at most.", 20)]
Cursor = Annotated[int, Meta(ge=1, le=2**63 - 1), means("`next_cursor` of the page before.", 1234)]
NextCursor = Annotated[int | None, means("Pass it as `cursor` for the next page; null on the last one.", 1234)]
