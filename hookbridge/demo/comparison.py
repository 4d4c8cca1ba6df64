"""Counting the records whose copy is not what its source has, at this moment.

It looks into the sources' own state and into the store, not through the code that it judges; so it also counts while a
source is down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hookbridge.model import Content, RecordKey, SourceName
from hookbridge.store.contract import Copies


class Known(msgspec.Struct, frozen=True):
    """A record, as its source shows it or as the copy has it."""

    columns: Any
    body: str | None = None
    """The markdown of a page; None of what has no body, and until it was read."""


async def differing(
    store: Copies, expected: Mapping[RecordKey, Known | None], source: SourceName | None = None
) -> list[RecordKey]:
    """Give the records that differ, of one source or of all.  ``expected`` has None for a record that is gone."""
    return [
        record
        for record, truth in expected.items()
        if source in (None, record.source) and await _copied(store, record) != truth
    ]


async def _copied(store: Copies, record: RecordKey) -> Known | None:
    copy = await store.copy(record)
    if copy is None or copy.data is None:
        return None
    columns = msgspec.json.decode(copy.data)
    columns.pop("request_id", None)  # Notion's, of the request and not of the page
    return Known(columns, msgspec.json.decode(copy.content, type=Content).markdown if copy.content else None)
