"""Sample webhooks of every format and type, as their senders word them.

Pure: ids and times come in.  A sample is a body that the service accepts; what the service makes of it, and whether
the record exists, is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from hookbridge.api import examples
from hookbridge.errors import ConfigError
from hookbridge.model import SourceName
from hookbridge.names import full_name, split
from hookbridge.sources import ids

ChangeType = Literal["insert", "update", "delete"]
TYPES: tuple[ChangeType, ...] = get_args(ChangeType)

FORMATS: Mapping[SourceName, tuple[str, ...]] = {
    "supabase": ("guide", "database_webhook"),
    "notion": ("guide", "integration", "automation"),
}
"""The formats that can be sent, by source; the names are those that the events have."""

PAGE = "a1b2c3d4-e5f6-4890-abcd-ef1234567890"
DATABASE = "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d"

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")

_INTEGRATION_TYPES: Mapping[ChangeType, str] = {
    "insert": "page.created",
    "update": "page.properties_updated",
    "delete": "page.deleted",
}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What to word."""

    source: SourceName
    format: str
    type: ChangeType
    table: str
    id: str
    key: tuple[str, ...] = ("id",)
    """The table's key columns, of which the id is made; of no page."""
    data: Mapping[str, msgspec.Raw] | None = None
    """The record's columns or properties, as they were typed; None for some of ours."""
    at: str
    """The time of the change, ISO 8601."""
    event_id: str
    """The name of the event, where its format has one."""


def body_of(sample: Sample) -> bytes:
    """Give the bytes.

    Raises ConfigError for a format that the source does not have, and ValueError for an id of another number of key
    columns.
    """
    known = FORMATS[sample.source]
    if sample.format not in known:
        raise ConfigError([f"{sample.source} has no format {sample.format!r}"], hint=f"one of: {', '.join(known)}")
    worded = {
        "guide": _guide,
        "database_webhook": _database_webhook,
        "integration": _integration,
        "automation": _automation,
    }[sample.format](sample)
    return msgspec.json.encode(worded)


def _guide(sample: Sample) -> dict[str, Any]:
    schema, table = split(full_name(sample.table))
    own = _row(sample) if sample.source == "supabase" else {"properties": _properties(sample)}
    return {
        "event_type": sample.type,
        "source": sample.source,
        "table_name": table if sample.source == "supabase" else sample.table,
        "record_id": sample.id,
        "data": None if sample.type == "delete" else own,
        "timestamp": sample.at,
        "metadata": {"schema": schema} if sample.source == "supabase" else {},
    }


def _database_webhook(sample: Sample) -> dict[str, Any]:
    schema, table = split(full_name(sample.table))
    row = _row(sample)
    return {
        "type": sample.type.upper(),
        "table": table,
        "schema": schema,
        "record": None if sample.type == "delete" else row,
        "old_record": None if sample.type == "insert" else row,
    }


def _integration(sample: Sample) -> dict[str, Any]:
    return {
        **examples.INTEGRATION_WEBHOOK,
        "id": sample.event_id,
        "timestamp": sample.at,
        "type": _INTEGRATION_TYPES[sample.type],
        "entity": {"id": sample.id, "type": "page"},
        "data": {"parent": {"id": sample.table, "type": "database"}},
    }


def _automation(sample: Sample) -> dict[str, Any]:
    return {
        "source": {"type": "automation", "event_id": sample.event_id, "attempt": 1},
        "data": {
            "object": "page",
            "id": sample.id,
            "parent": {"type": "database_id", "database_id": sample.table},
            "created_time": sample.at,
            "last_edited_time": sample.at,
            "in_trash": sample.type == "delete",
            "properties": _properties(sample),
        },
    }


def _row(sample: Sample) -> dict[str, Any]:
    given = {"name": "Ada Lovelace", "email": "ada@example.com"} if sample.data is None else sample.data
    values = ids.values(sample.id, len(sample.key))
    return {**dict(zip(sample.key, map(_key_value, values), strict=True)), **given}


def _key_value(text: str) -> int | str:
    """Give a key column's value: a number where that is the same id, which ``007`` is not."""
    return int(text) if _INTEGER.fullmatch(text) else text


def _properties(sample: Sample) -> Mapping[str, Any]:
    if sample.data is not None:
        return sample.data
    return {
        "Name": {"type": "title", "title": [{"plain_text": "A sample page"}]},
        "Status": {"type": "select", "select": {"name": "In Progress"}},
    }
