"""Counting the records whose copy is not what its source has, at this moment.

It looks into the sources' own state and into the store, not through the code that it judges; so it also counts while a
source is down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hookbridge.model import RecordKey, SourceName
from hookbridge.store.contract import Copies


async def differing(
    store: Copies, expected: Mapping[RecordKey, Any], source: SourceName | None = None
) -> list[RecordKey]:
    """Give the records that differ, of one source or of all.  ``expected`` has None for a record that is gone."""
    return [
        record
        for record, truth in expected.items()
        if source in (None, record.source) and await _copied(store, record) != truth
    ]


async def _copied(store: Copies, record: RecordKey) -> Any:  # noqa: ANN401  any JSON
    copy = await store.copy(record)
    data = None if copy is None or copy.data is None else msgspec.json.decode(copy.data)
    if isinstance(data, dict):
        data.pop("request_id", None)  # Notion's, of the request and not of the page
    return data
