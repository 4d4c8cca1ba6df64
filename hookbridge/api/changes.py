"""The feed: what changed, for whoever follows it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from hookbridge.api.fields import ChangedAt, Data, OfSource, OfTable, Time, means
from hookbridge.api.records import ContentAnswer, Named
from hookbridge.model import Verification

_PLACE = "5f2b8e0c4d7a41f3a6c9d1e8b7035a42-1234"

Seq = Annotated[
    int, means("Its place among all changes of the store: larger than that of every change before it.", 1234)
]
Verified = Annotated[
    Verification,
    means(
        "`verified`: its source said so; `absent`: its source has no such record; `skipped`: no source was asked"
        " (without credentials, or because the record lies in another table now).",
        "verified",
    ),
]


class ChangesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which changes, from where on."""

    since: Annotated[
        str,
        Meta(max_length=100),
        means("`next` of an answer before; `0` begins a snapshot of everything; `now` gives the place of now.", "0"),
    ] = "0"
    limit: Annotated[int, Meta(ge=1, le=1000), means("So many at most.", 100)] = 100
    source: OfSource = None
    table: OfTable = None
    include: Annotated[
        str,
        Meta(max_length=100),
        means(
            "What an entry has beside the record's names: `data`, `content`, both (`data,content`) or neither.", "data"
        ),
    ] = "data"
    wait: Annotated[
        float, Meta(ge=0, le=60), means("So many seconds an answer waits for a change where there is none yet.", 30)
    ] = 0


class ChangesHeaders(msgspec.Struct, frozen=True, kw_only=True, rename={"last_event_id": "Last-Event-ID"}):
    """Where a stream goes on."""

    last_event_id: Annotated[
        str, means("Of a stream: the `id` of the last event that came, in place of `since`.", _PLACE)
    ] = ""


class UpsertEntry(Named, frozen=True, kw_only=True, tag_field="type", tag="upsert"):
    """A record that is new or has changed, as it is by now."""

    seq: Seq
    data: Data | msgspec.UnsetType = msgspec.UNSET
    content: Annotated[
        ContentAnswer | msgspec.UnsetType | None,
        means("The page's body, where `include` has it; null for a record that has none."),
    ] = msgspec.UNSET
    changed_at: ChangedAt
    verification: Verified
    settled_at: Annotated[Time, means("When hookbridge last read it.")]


class DeleteEntry(Named, frozen=True, kw_only=True, tag_field="type", tag="delete"):
    """A record that is gone, or lies in another table now."""

    seq: Seq
    verification: Verified
    settled_at: Annotated[Time, means("When hookbridge last looked for it.")]


class SnapshotEnd(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="snapshot_end"):
    """Everything was told: what a reader has and was not told since the snapshot began is gone."""

    seq: Seq


Entry = UpsertEntry | DeleteEntry | SnapshotEnd


class ChangesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Changes in their order, each record once."""

    changes: Annotated[tuple[Entry, ...], means("In the order of `seq`; none where there is nothing new.")]
    next: Annotated[
        str, means("Where to go on: keep it with what these changes became, and pass it as `since`.", _PLACE)
    ]
