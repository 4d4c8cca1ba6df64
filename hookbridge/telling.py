"""A change as it is told: to whoever reads the feed, and to destinations."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hookbridge.api.changes import DeleteEntry, UpsertEntry
from hookbridge.api.records import ContentAnswer
from hookbridge.clock import time_of
from hookbridge.model import Copy, SourceName, Verification
from hookbridge.naming import Naming
from hookbridge.sources import contents
from hookbridge.sources.source import Source
from hookbridge.store.values import FeedEntry


class Telling:
    """What makes an entry of a change."""

    def __init__(self, naming: Naming, sources: Mapping[SourceName, Source]) -> None:
        self._naming = naming
        self._sources = sources

    async def entry(self, change: FeedEntry, *, data: bool, content: bool) -> UpsertEntry | DeleteEntry:
        """Give a change with its record, and with the text behind that, where they are wanted.

        Raises StoreUnavailable.
        """
        copy, record = change.copy, change.copy.record
        called = await self._naming.of(record, copy.title)
        if copy.data is None:
            return DeleteEntry(
                seq=change.seq,
                source=record.source,
                table=record.table,
                table_label=called.table_label,
                id=record.id,
                title=called.title,
                verification=Verification.ABSENT if copy.verified else Verification.SKIPPED,
                settled_at=time_of(copy.read_at),
            )
        return UpsertEntry(
            seq=change.seq,
            source=record.source,
            table=record.table,
            table_label=called.table_label,
            id=record.id,
            title=called.title,
            data=msgspec.Raw(copy.data) if data else msgspec.UNSET,
            content=content_answer(self._sources, copy) if content else msgspec.UNSET,
            changed_at=copy.changed_at,
            verification=Verification.VERIFIED if copy.verified else Verification.SKIPPED,
            settled_at=time_of(copy.read_at),
        )


def content_answer(sources: Mapping[SourceName, Source], copy: Copy) -> ContentAnswer | None:
    """Give the text behind a record where its table asks for it and its source gave it."""
    content = contents.content_of(copy)
    if content is None or sources[copy.record.source].content_state(copy) != "stored":
        return None
    return ContentAnswer(
        markdown=content.markdown,
        truncated=content.truncated,
        edited_at=content.edited_at,
        links_expire_at=content.links_expire_at,
    )
