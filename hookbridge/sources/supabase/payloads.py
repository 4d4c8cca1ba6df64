"""What arrives from Supabase: the guide's format and the native Database Webhook.

The native payload is ``{"type", "table", "record", "schema", "old_record"}``, a jsonb's text sent by pg_net
(https://supabase.com/docs/guides/database/webhooks); it names neither itself nor its time.  With ``truncated: true``,
as ``trigger.py``'s SQL writes it for a row that is too large to send, its rows have key columns only.  Invariant: a
body that is accepted here can be decoded again by ``columns_of``.  Pure: it reads no source.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookbridge.api.webhooks import AckDetails
from hookbridge.config import SupabaseConfig, SupabaseTable
from hookbridge.errors import FieldProblem, InvalidFields
from hookbridge.model import Columns, Event, RecordKey
from hookbridge.names import full_name, is_schema, split
from hookbridge.sources import guide, ids
from hookbridge.sources.bodies import Part, decode_object, is_scalar, kind, named_by_header
from hookbridge.sources.ids import ID_RULES
from hookbridge.sources.invalid_fields import BodyFields, shown
from hookbridge.sources.members import Members, decode_members, members
from hookbridge.sources.source import Delivery

DATABASE_WEBHOOK = "database_webhook"

KEY_HINT = "name the table's key columns in [[supabase.tables]] key"
_NATIVE_FIELDS = frozenset(("type", "table", "record", "old_record"))
_MEMBERS = ("type", "table", "schema", "record", "old_record", "event_type", "table_name", "record_id")
_TYPES = {"INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}


def decode(headers: Mapping[str, str], body: bytes, config: SupabaseConfig) -> Delivery:
    """Turn a body into events.

    Raises InvalidJson, InvalidSource, or InvalidFields with every field that is wrong.
    """
    # Looking is cheaper than decoding twice; a guide's row may have a column of either name, so this only suspects.
    if b'"old_record"' in body or b'"event_type"' not in body:
        values = decode_members(body, _MEMBERS)
        if not guide.is_guide(values) and not _NATIVE_FIELDS.isdisjoint(values):
            return _native(headers, body, values, config)
    return _guided(headers, body, config)


def columns_of(event: Event) -> Columns | None:
    """Give the columns that the event's body claims for its record; None where it has none."""
    if not event.body:
        return None
    if event.format == guide.FORMAT:
        return guide.data(event.body)
    values = decode_object(event.body)
    if values.get("truncated") is True:
        return None
    columns: Columns | None = values.get("old_record" if event.type == "delete" else "record")
    return columns


def versions_of(event: Event) -> tuple[Columns, ...]:
    """Give the record's columns before and after the change, as far as the event's body has them."""
    if event.type != "update" or event.format == guide.FORMAT or not event.body:
        # Of a key that changed, a deletion and an insertion were made: the other row is another record.
        columns = columns_of(event)
        return () if columns is None else (columns,)
    values = decode_object(event.body)
    rows = () if values.get("truncated") is True else (values.get("old_record"), values.get("record"))
    return tuple(one for one in rows if isinstance(one, dict))


def normal_id(written: str, columns: int) -> str:
    """Give a row's id as its columns spell it.  Raises ValueError, which says what was expected."""
    try:
        id_ = ids.normal(written, columns)
    except ValueError as error:
        msg = f"{error}, each percent-encoded"
        raise ValueError(msg) from None
    if not ID_RULES["supabase"].fits(id_):  # what is percent-encoded is longer
        raise ValueError(ID_RULES["supabase"].expected)
    return id_


def table_config(config: SupabaseConfig, table: str) -> SupabaseTable:
    """Give what is configured for a table, or the defaults."""
    schema, name = split(table)
    return config.table(schema, name) or SupabaseTable(schema=schema, name=name)


def _guided(headers: Mapping[str, str], body: bytes, config: SupabaseConfig) -> Delivery:
    hint = guide.decode(body, "supabase")
    table = config.root(full_name(hint.table, hint.schema))
    listed = config.table(*split(table))
    id_ = _guided_id(hint.record_id, len(listed.key) if listed else 1)
    event = Event(
        record=RecordKey("supabase", table, id_),
        type=hint.type,
        format=guide.FORMAT,
        body=body,
        occurred_at=hint.timestamp,
        identity=named_by_header("supabase", headers) or hint.identity,
        ignored=_ignored(table, listed, config),
    )
    details = AckDetails(
        event_type=hint.type,
        source="supabase",
        record_id=hint.record_id,
        table_name=hint.table,
        timestamp=hint.timestamp,
    )
    return Delivery((event,), details)


def _guided_id(written: str, columns: int) -> str:
    try:
        return normal_id(written, columns)
    except ValueError as error:
        raise InvalidFields([FieldProblem(("body", "record_id"), str(error), "value_error")]) from None


def _native(headers: Mapping[str, str], body: bytes, values: Members, config: SupabaseConfig) -> Delivery:
    fields = BodyFields(values)
    type_ = _native_type(fields)
    name = fields.table("table")
    schema = fields.text("schema")
    if schema is not None and not is_schema(schema):
        fields.wrong("schema", f"expected a schema's name, got {shown(schema)}", "value_error")
    record = fields.object("record", required=type_ in ("insert", "update"))
    old = fields.object("old_record", required=type_ == "delete")
    fields.raise_if_wrong()
    table = config.root(full_name(str(name), schema))  # a trigger on a partitioned table names the partition
    listed = config.table(*split(table))
    key = table_config(config, table).key
    before = None if old is None else _id(fields, "old_record", old, key)
    now = None if record is None else _id(fields, "record", record, key)
    fields.raise_if_wrong()
    changes = _changes(str(type_), before, now)
    identity = named_by_header("supabase", headers)
    ignored = _ignored(table, listed, config)
    events = tuple(
        Event(
            record=RecordKey("supabase", table, id_),
            type=kind_of_change,
            format=DATABASE_WEBHOOK,
            body=body,
            # The deletion and the insertion of one delivery are two events, each with a name of its own.
            identity=identity and identity + bytes([place]),
            ignored=ignored,
        )
        for place, (kind_of_change, id_) in enumerate(changes)
    )
    details = AckDetails(
        event_type=str(type_),
        source="supabase",
        record_id=events[-1].record.id,
        table_name=str(name),
        timestamp=None,
    )
    return Delivery(events, details)


def _native_type(fields: BodyFields) -> str | None:
    written = fields.text("type")
    if written is None:
        return None
    type_ = _TYPES.get(written.upper())
    if type_ is None:
        fields.wrong("type", f"expected INSERT, UPDATE or DELETE, got {shown(written)}", "value_error.enum")
    return type_


def _changes(type_: str, before: str | None, now: str | None) -> list[tuple[str, str]]:
    """Say which records changed and how: an UPDATE of the key is a deletion and an insertion."""
    if type_ == "delete":
        return [("delete", str(before))]
    if type_ == "update" and before is not None and before != now:
        return [("delete", before), ("insert", str(now))]
    return [(type_, str(now))]


def _id(fields: BodyFields, where: str, row: Part, key: tuple[str, ...]) -> str | None:
    columns = members(row, key)
    values: list[ids.KeyValue] = []
    for column in key:
        value = columns.get(column)
        if value is not None and is_scalar(value):
            values.append(value)
        elif column in columns:
            fields.wrong((where, column), f"expected a key's value, got {kind(value)}; {KEY_HINT}", "type_error")
        else:
            fields.wrong((where, column), f"field required; {KEY_HINT}", "value_error.missing")
    if len(values) != len(key):
        return None
    id_ = ids.record_id(values)
    if not ID_RULES["supabase"].fits(id_):
        fields.wrong((where, key[0]), ID_RULES["supabase"].expected, "value_error")
    return id_


def _ignored(table: str, listed: SupabaseTable | None, config: SupabaseConfig) -> str | None:
    if listed is None and config.unlisted_tables == "ignore":
        return f"the table {table} is not listed in [[supabase.tables]]"
    return None
