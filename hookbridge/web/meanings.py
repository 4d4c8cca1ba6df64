"""What parameters, headers and common fields mean, for ``/openapi.json``.

A field of a struct has its meaning in the docstring below it; here stand only words that would say the same in many
structs.  A parameter or field that nobody explains is named by a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hookbridge.model import SOURCES

_USERS = "public.users"


class Parameter(msgspec.Struct, frozen=True):
    """What a parameter of path, query or header means."""

    description: str
    example: str | int
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string", "minLength": 1})
    """Of one in the path or a header; a query's is its struct's."""


_PARAMETERS: Mapping[str, Parameter] = {
    "source": Parameter("The source", "supabase", {"type": "string", "enum": SOURCES}),
    "table": Parameter("The table, `name` or `schema.name`, or the id of a Notion database", "users"),
    "id": Parameter("The record's key, the parts of a composite one joined by a comma; or a page's id", "42"),
    "record_id": Parameter("Only events of the record with this id", "42"),
    "type": Parameter("Only events of this type: `insert`, `update` or `delete`", "update"),
    "origin": Parameter("Only events that came this way", "webhook"),
    "outcome": Parameter("Only events that ended so", "dead"),
    "state": Parameter("Only open, or only settled events", "settled"),
    "limit": Parameter("So many at most", 20),
    "cursor": Parameter("`next_cursor` of the page before", 1234),
    "q": Parameter("Words; the last one may be a beginning", "lovel"),
    "fresh": Parameter("1 asks the source, when nothing else wants to; at most once a minute for each record", 0),
}
_OF_CHAPTER: Mapping[tuple[str | None, str], Parameter] = {
    ("records", "record_id"): Parameter("Only the record with this id", "42"),
    ("records", "state"): Parameter(
        "`present` and `absent` ones have a copy that says so; `waiting` ones have open events", "present"
    ),
    ("records", "cursor"): Parameter("`next_cursor` of the page before", f"supabase:{_USERS}:42"),
    ("events", "ids"): Parameter("Only these events, at most 500 numbers with commas; `limit` does not count", "7,8,9"),
    ("events", "q"): Parameter("Words that all stand in the record's name, type, reason or body, in any case", "lovel"),
    ("events", "endpoint"): Parameter("Only those of this path", "/api/v1/webhooks/supabase"),
    ("events", "reason"): Parameter("Only those that were answered with this code", "invalid_signature"),
    ("events", "hours"): Parameter("Of so many hours", 1),
    ("events", "id"): Parameter(
        "The event's number, as the ack's header `X-Hookbridge-Event` gave it",
        1234,
        {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    ),
}


def parameter(chapter: str | None, name: str) -> Parameter:
    """Give what a parameter means, in one chapter or everywhere."""
    return _OF_CHAPTER.get((chapter, name)) or _PARAMETERS[name]


_NAME = {"type": "string", "minLength": 1, "maxLength": 256}

HEADERS: Mapping[str, Parameter] = {
    "Idempotency-Key": Parameter(
        "The event's name, chosen by the sender: a second one with the same name at this endpoint is acknowledged and"
        " counted as a duplicate, unless the first is a dead letter, which is opened again",
        "order-42-paid",
        _NAME,
    ),
    "webhook-id": Parameter(
        "Standard Webhooks: the message's id. It is a name like `Idempotency-Key`, and counts before that one",
        "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        _NAME,
    ),
    "webhook-timestamp": Parameter(
        "Standard Webhooks: when it was signed, in seconds since 1970. One that is more than"
        " `[signatures] tolerance_seconds` away from now is refused",
        "1767279600",
        {"type": "string", "pattern": "^[0-9]{1,11}$"},
    ),
    "webhook-signature": Parameter(
        "Standard Webhooks: `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`; several with spaces between"
        " them while a secret is rotated",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
    "traceparent": Parameter(
        "W3C Trace Context: the sender's span, which becomes the parent of the event's trace where traces are on",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        {"type": "string", "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    ),
}
"""By name."""

NAMES = ("Idempotency-Key", "webhook-id")
"""The headers that name an event."""

STANDARD = ("webhook-id", "webhook-timestamp", "webhook-signature")
"""The headers of Standard Webhooks."""

PROPERTIES: Mapping[str, str] = {
    "source": "`supabase` or `notion`.",
    "table": "`schema.name` of the table, or the id of the Notion database.",
    "table_name": "The table, as the sender wrote it.",
    "database_id": "The Notion database, as the sender wrote it.",
    "record_id": "The record's key, the parts of a composite one joined by a comma; or the page's id.",
    "event_type": "`insert`, `update` or `delete`; the source's own word for what carries no record.",
    "timestamp": "The sender's own time, as it wrote it.",
    "received": "How many events were stored.",
    "applied": "How many of them were applied.",
    "reason": "Why; null where there is nothing to say.",
    "message": "A sentence for people.",
    "next_cursor": "Pass it as `cursor` for the next page; null on the last one.",
    "requests_per_second": "How many requests a second the budget allows on average.",
    "listed": "How many records the listing has shown so far.",
    "compared": "How many records were compared so far.",
    "equal": "How many records are the same on both sides.",
    "differing": "How many records differ.",
}
"""By name."""
