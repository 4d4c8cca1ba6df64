"""The copies and the index, for the user's own API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from hookbridge.api.fields import (
    ChangedAt,
    Data,
    Limit,
    OfRecord,
    OfSource,
    OfTable,
    RecordId,
    Source,
    Table,
    TableLabel,
    Time,
    Title,
    means,
)
from hookbridge.model import ContentState, RecordState, SourceName

_OLD_ROW = {"id": 42, "name": "Ada Byron", "updated_at": "2026-01-01T14:00:00+00:00"}
_PART = Meta(min_length=1)

CutProperties = Annotated[
    tuple[str, ...] | msgspec.UnsetType,
    means("The properties that are longer than what was read of them; only where there are some."),
]
WordsCut = Annotated[
    Literal[True] | msgspec.UnsetType,
    means("Search knows only the beginning of its text: 65,536 characters, 16,000 words; only where there is more."),
]
LinksExpiredAt = Annotated[
    Time | msgspec.UnsetType,
    means("When the first of its links to files stops or stopped to work; only where it has links that do."),
]


class SourcePath(msgspec.Struct, frozen=True, kw_only=True):
    """Names a source."""

    source: Annotated[SourceName, means("The source.", "supabase")]


class RecordPath(SourcePath, frozen=True, kw_only=True):
    """Names a record."""

    table: Annotated[str, _PART, means("The table, `name` or `schema.name`, or the id of a Notion database.", "users")]
    id: Annotated[
        str, _PART, means("The record's key, the parts of a composite one joined by a comma; or a page's id.", "42")
    ]


class RecordAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to read it."""

    fresh: Annotated[
        Literal[0, 1],
        means("1 asks the source, when nothing else wants to; at most once a minute for each record.", 0),
    ] = 0
    values: Annotated[Literal[0, 1], means("1 adds `values`.", 0)] = 0


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks of one record."""

    source: Source
    table: Table
    table_label: TableLabel
    id: RecordId
    title: Title


class ContentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The text behind a record: the body of a Notion page."""

    markdown: Annotated[str, means("The text, as Notion writes markdown.", "# Plan\n\nShip it on Friday.")]
    truncated: Annotated[bool, means("Whether there is more of it than was read.", False)]
    edited_at: Annotated[
        str | None,
        means(
            "The page's `last_edited_time` as it was before the text was read: the text may be of a later edit, never"
            " of an earlier one.",
            "2026-01-01T15:00:00.000Z",
        ),
    ]
    links_expire_at: Annotated[
        Time | None, means("When the first of its links to files stops or stopped to work; null where none does.", None)
    ]


class RecordAnswer(Named, frozen=True, kw_only=True):
    """A record as its source has it."""

    data: Data
    changed_at: ChangedAt
    read_at: Annotated[Time, means("When it was read from the source.")]
    verified: Annotated[bool, means("False when it came from a webhook because the source has no credentials.", True)]
    content: Annotated[
        ContentAnswer | None,
        means("The page's body, of a database with `content = true`; null where `content_state` is not `stored`."),
    ]
    content_state: Annotated[
        ContentState,
        means(
            "`off`: its table asks for no text; `waiting`: it is still to be read; `stored`: `content` has it;"
            " `refused`: the source gives none.",
            "stored",
        ),
    ]
    words_cut: WordsCut = msgspec.UNSET
    links_expired_at: LinksExpiredAt = msgspec.UNSET
    cut_properties: CutProperties = msgspec.UNSET
    values: Annotated[
        dict[str, str | None] | msgspec.UnsetType,
        means(
            "With `values=1`: what a person reads of each column or property, a page's title first; null where one is"
            " empty.",
            {"id": "42", "name": "Ada Lovelace", "updated_at": "2026-01-01T15:00:00+00:00"},
        ),
    ] = msgspec.UNSET


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One value that is not the same on both sides; a side that has none is left out."""

    path: Annotated[str, means("Where it is: names with dots between them.", "name")]
    copy: Annotated[Any, means("The copy's value.", "Ada Byron")] = msgspec.UNSET
    truth: Annotated[Any, means("The source's value.", "Ada Lovelace")] = msgspec.UNSET


class DiffAnswer(Named, frozen=True, kw_only=True):
    """A record's copy beside the truth, read now."""

    agrees: Annotated[bool, means("Whether copy and source are the same, and were read whole.", False)]
    differences: Annotated[
        tuple[Difference, ...],
        means("What is not the same; a path of `*` is the whole record, where one side has none."),
    ]
    cut_properties: Annotated[
        tuple[str, ...] | msgspec.UnsetType,
        means(
            "The properties that are longer than what was read of them, and not known to be the same; only where there"
            " are."
        ),
    ] = msgspec.UNSET
    copy: Annotated[msgspec.Raw, means("Null when there is no copy of it.", _OLD_ROW)]
    copy_read_at: Annotated[Time | None, means("When the copy was read; null when there is none.")]
    truth: Annotated[Data, means("Null when the source has no such record.")]


class VerifyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The record will be read from its source."""

    event_id: Annotated[
        int, means("Of the event that says so: when it is applied, copy and index are what the source had.", 1234)
    ]


class RecordQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which records to list."""

    source: OfSource = None
    table: OfTable = None
    record_id: OfRecord = None
    state: Annotated[
        RecordState | None,
        means("`present` and `absent` ones have a copy that says so; `waiting` ones have open events.", "present"),
    ] = None
    q: (
        Annotated[str, Meta(min_length=1, max_length=1000), means("Words; the last one may be a beginning.", "lovel")]
        | None
    ) = None
    order: Annotated[
        Literal["key", "changed"],
        means(
            "`key`: by source, table and key, keys that are numbers by their value (records that wait: by their names"
            " as texts). `changed`: the last change first, of records that have a copy.",
            "key",
        ),
    ] = "key"
    columns: (
        Annotated[
            str,
            Meta(min_length=1, max_length=2000),
            means(
                "Gives `values` of these columns or properties: names joined by commas, a comma in one written `%2C`.",
                "name,city",
            ),
        ]
        | None
    ) = None
    limit: Limit = 100
    cursor: Annotated[str | None, means("`next_cursor` of the page before.", "supabase:public.users:42")] = None


class RecordSummary(Named, frozen=True, kw_only=True):
    """A record, without its data."""

    present: Annotated[
        bool | None, means("False when the source has no such record; null while there is no copy of it.", True)
    ]
    changed_at: ChangedAt
    read_at: Annotated[Time | None, means("When it was read from the source.")]
    verified: Annotated[
        bool | None,
        means("False when the copy came from a webhook because the source has no credentials.", True),
    ]
    waiting_since: Annotated[Time | None, means("Since when it has open events; null when it has none.")]
    values: Annotated[
        dict[str, str | None] | msgspec.UnsetType,
        means(
            "What a person reads of the `columns` that were asked for, 300 characters at the most; null where one is"
            " empty. Left out without a copy, and behind 8 MiB of copies of a page.",
            {"name": "Ada Lovelace", "city": "London"},
        ),
    ] = msgspec.UNSET
    snippet: Annotated[
        str | msgspec.UnsetType,
        means(
            "With `q`: the text around the words, each match in `[` and `]`; left out where only the id begins so.",
            "Ada [Lovelace]",
        ),
    ] = msgspec.UNSET


class RecordPageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Some records."""

    records: Annotated[tuple[RecordSummary, ...], means("In the order that was asked for.")]
    next_cursor: Annotated[
        str | None,
        means("Pass it as `cursor` for the next page; null on the last one.", "supabase:public.users:42"),
    ]


class SearchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look for."""

    q: Annotated[
        str,
        Meta(min_length=1, max_length=1000),
        means('Words, all of them; the last one may be a beginning. `"a phrase"` · `-without`', "lovel"),
    ]
    source: OfSource = None
    table: Annotated[
        OfTable,
        means("Only of this table: `name`, `schema.name`, or the id of a Notion database; needs `source`.", "users"),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=100), means("So many at most.", 20)] = 20


class HitAnswer(Named, frozen=True, kw_only=True):
    """One record that was found."""

    snippet: Annotated[str, means("The text around the words, each match in `[` and `]`.", "Ada [Lovelace]")]
    score: Annotated[float, means("Larger is better.", 1.7)]
    data: Data
    words_cut: WordsCut = msgspec.UNSET
    links_expired_at: LinksExpiredAt = msgspec.UNSET
    cut_properties: CutProperties = msgspec.UNSET


class SearchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, best first."""

    query: Annotated[str, means("What was looked for.", "lovel")]
    hits: Annotated[tuple[HitAnswer, ...], means("The best first.")]
    complete: Annotated[
        bool,
        means("False when not all that have the words were looked at: these are the best of what changed last.", True),
    ]
    indexing: Annotated[
        float | None,
        means(
            "How much of the index is made anew, from 0 to 1, after an upgrade or with another `index`; null: all.",
            None,
        ),
    ]
