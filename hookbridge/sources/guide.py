"""The guide's envelope, the one format that both sources share.

``event_type`` in any case (the guide's own trigger sends ``TG_OP``), ``record_id`` also as a number, ``timestamp`` and
``metadata`` optional.  Pure: what table and id mean, the source's ``payloads`` says.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b

import msgspec

from hookbridge.errors import FieldProblem, InvalidFields, InvalidSource, Refusal
from hookbridge.model import Columns, SourceName
from hookbridge.names import is_name, is_schema
from hookbridge.sources.bodies import UNDECODABLE, invalid_json, kind, refuse_deep
from hookbridge.sources.decodable import refuse_undecodable
from hookbridge.sources.ids import ID_RULES
from hookbridge.sources.invalid_fields import BodyFields, shown
from hookbridge.sources.large import uncollected
from hookbridge.sources.members import Members, decode_members, members
from hookbridge.sources.times import micros_of

FORMAT = "guide"
SOURCE_SHOWN_MAX = 64
TYPES = ("insert", "update", "delete")


class Metadata(msgspec.Struct, frozen=True):
    """What the guide knows of metadata; other members are the sender's own."""

    schema: str | None = None


class Unread(msgspec.Struct, frozen=True):
    """An object that is not looked into."""


class Envelope(msgspec.Struct, frozen=True):
    """The guide's body as it is sent; its data is for later."""

    event_type: str
    source: str
    table_name: str
    record_id: str | int
    data: Unread | None = None
    timestamp: str | None = None
    metadata: Metadata | None = None


class Hint(msgspec.Struct, frozen=True):
    """What an envelope says, checked."""

    type: str
    table: str
    record_id: str
    schema: str | None
    timestamp: str | None
    identity: bytes | None
    """Of a body with a timestamp; without one, two equal bodies may be two events."""


class _Data(msgspec.Struct, frozen=True):
    data: Columns | None = None


_MEMBERS = Envelope.__struct_fields__

_decode = msgspec.json.Decoder(Envelope, float_hook=Decimal).decode
_decode_data = uncollected(msgspec.json.Decoder(_Data, float_hook=Decimal).decode)


def decode(body: bytes, source: SourceName) -> Hint:
    """Decode the guide's body for this source.

    Raises InvalidJson, InvalidSource, or InvalidFields with every field that is wrong.
    """
    refuse_deep(body)
    try:
        envelope = _decode(body)
        _refuse_data(body)
    except msgspec.ValidationError:
        raise _explained(body, source) from None
    except UNDECODABLE as error:
        raise invalid_json(error, body) from None
    type_ = _type(envelope.event_type)
    record_id = str(envelope.record_id)
    schema = envelope.metadata.schema if envelope.metadata else None
    micros = 0 if envelope.timestamp is None else micros_of(envelope.timestamp)
    if (
        type_ is None
        or micros is None
        or envelope.source != source
        or not is_name(envelope.table_name)
        or not ID_RULES[source].fits(record_id)
        or not (schema is None or is_schema(schema))
    ):
        raise _explained(body, source)
    return Hint(
        type_,
        envelope.table_name,
        record_id,
        schema,
        envelope.timestamp,
        None if envelope.timestamp is None else _identity(micros, body),
    )


def _refuse_data(body: bytes) -> None:
    try:
        refuse_undecodable(body)
    except UNDECODABLE:
        _decode_data(body)  # it may be in a member that nobody reads


def data(body: bytes) -> Columns | None:
    """Give the record's columns from a body that was decoded before."""
    return _decode_data(body).data


def is_guide(values: Members) -> bool:
    """Whether an object is meant to be the guide's."""
    return "event_type" in values or "table_name" in values or "record_id" in values


def is_time(text: str) -> bool:
    """Whether it can be a body's timestamp: for what is decoded, and for what we send ourselves."""
    return micros_of(text) is not None


def _type(text: str) -> str | None:
    lower = text.lower()
    return lower if lower in TYPES else None


def _identity(micros: int, body: bytes) -> bytes:
    # The time first: the unique index then grows at its end instead of touching a random page for every event.
    return max(0, micros).to_bytes(8, "big") + blake2b(body, digest_size=16).digest()


def _explained(body: bytes, source: SourceName) -> Refusal:
    """Give the error that lists everything that is wrong with a body."""
    values = decode_members(body, _MEMBERS)
    received = values.get("source")
    if isinstance(received, str) and received != source:
        return InvalidSource(source, received[:SOURCE_SHOWN_MAX])
    # A field that appears twice counts by its last value here and by each in the decoder.
    return InvalidFields(
        _problems(values, source) or [FieldProblem(("body",), "expected every field once", "value_error")]
    )


def _problems(values: Members, source: SourceName) -> list[FieldProblem]:
    fields = BodyFields(values)
    type_ = fields.text("event_type")
    if type_ is not None and _type(type_) is None:
        fields.wrong("event_type", f"expected insert, update or delete, got {shown(type_)}", "value_error.enum")
    fields.text("source")
    fields.table("table_name")
    fields.record_id("record_id", ID_RULES[source])
    fields.object("data")
    timestamp = fields.text("timestamp", required=False)
    if timestamp is not None and not is_time(timestamp):
        expected = "expected an ISO 8601 time such as 2026-01-01T15:00:00Z"
        fields.wrong("timestamp", f"{expected}, got {shown(timestamp)}", "value_error.datetime")
    schema = members(fields.object("metadata"), ("schema",)).get("schema")
    if isinstance(schema, str):
        if not is_schema(schema):
            fields.wrong(("metadata", "schema"), f"expected a schema's name, got {shown(schema)}", "value_error")
    elif schema is not None:
        fields.wrong(("metadata", "schema"), f"expected a string, got {kind(schema)}", "type_error.str")
    return fields.problems
