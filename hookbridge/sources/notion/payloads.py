"""What arrives from Notion: the guide's format, integration webhooks, and database automations.

Integration webhooks say that an entity changed and not how
(https://developers.notion.com/reference/webhooks-events-delivery); automations send the page
(https://www.notion.com/help/webhook-actions).  What carries no page to read is stored and ignored with its reason, new
types too.  Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from hookbridge.api.webhooks import AckDetails
from hookbridge.model import Columns, Event, RecordKey
from hookbridge.names import NAME_EXPECTED, dashed, is_name
from hookbridge.sources import guide
from hookbridge.sources.bodies import decode_object, is_object, named, named_by_header
from hookbridge.sources.ids import ID_RULES
from hookbridge.sources.invalid_fields import BodyFields, shown
from hookbridge.sources.members import Members, decode_members, members
from hookbridge.sources.notion.places import PARENT_MEMBERS, Hint, Places
from hookbridge.sources.notion.signature import handshake_of
from hookbridge.sources.source import Decoded, Delivery, Handshake

INTEGRATION = "integration"
AUTOMATION = "automation"

_MEMBERS = ("id", "type", "timestamp", "entity", "data", "source", "event_type")
_PAGE = ("id", "parent", "last_edited_time", "in_trash", "archived")
_TYPES = {"page.created": "insert", "page.undeleted": "insert", "page.deleted": "delete"}
"""What a page's event means; every other one is an update: the page is read anyway."""


def decode(headers: Mapping[str, str], body: bytes, places: Places) -> Decoded:
    """Turn a body into an event, or into a handshake.

    Raises InvalidJson, InvalidSource, or InvalidFields with every field that is wrong.
    """
    token = handshake_of(body)
    if token is not None:
        return Handshake(token)
    # Looking is cheaper than decoding twice; a page may have a property of either name, so this only suspects.
    if b'"event_type"' not in body or b'"entity"' in body or b'"event_id"' in body:
        values = decode_members(body, _MEMBERS)
        if is_object(values.get("source")):
            return _automation(headers, body, values, places)
        if "entity" in values and "event_type" not in values:
            return _integration(body, values, places)
    return _guided(headers, body, places)


def columns_of(event: Event) -> Columns | None:
    """Give the page object that the event's body claims; integration webhooks have none."""
    if not event.body:
        return None
    if event.format == guide.FORMAT:
        return guide.data(event.body)
    if event.format == AUTOMATION:
        page: Columns = decode_object(event.body)["data"]
        return page
    return None


def _guided(headers: Mapping[str, str], body: bytes, places: Places) -> Delivery:
    hint = guide.decode(body, "notion")
    place = places.hint_of(dashed(hint.table))
    event = Event(
        record=RecordKey("notion", place.table, dashed(hint.record_id)),
        type=hint.type,
        format=guide.FORMAT,
        body=body,
        occurred_at=hint.timestamp,
        identity=named_by_header("notion", headers) or hint.identity,
        ignored=place.ignored,
        by_id=not place.exact,
    )
    details = AckDetails(
        event_type=hint.type,
        source="notion",
        record_id=hint.record_id,
        database_id=hint.table,
        timestamp=hint.timestamp,
    )
    return Delivery((event,), details)


def _integration(body: bytes, values: Members, places: Places) -> Delivery:
    fields = BodyFields(values)
    event_id = fields.text("id")
    type_ = fields.text("type")
    timestamp = fields.text("timestamp", required=False)
    entity = BodyFields(members(fields.object("entity", required=True), ("id", "type")), at=("body", "entity"))
    entity_id = entity.record_id("id", ID_RULES["notion"])
    kind = entity.table("type")
    data = BodyFields(members(fields.object("data"), ("parent",)), at=("body", "data"))
    parent = members(data.object("parent"), PARENT_MEMBERS)
    fields.join(entity)
    fields.raise_if_wrong()
    is_page = kind == "page" and str(type_).startswith("page.")
    place = _checked(fields, places.hint(parent)) if kind == "page" else Hint(table=str(kind), exact=True)
    meaning = _TYPES.get(str(type_), "update") if is_page else str(type_)
    event = Event(
        record=RecordKey("notion", place.table, dashed(str(entity_id))),
        type=meaning,
        format=INTEGRATION,
        body=body,
        occurred_at=timestamp,
        # Notion repeats an event under its id, whatever proxy adds headers of its own.
        identity=named("notion", "event", str(event_id)),
        ignored=place.ignored if is_page else f"{type_} carries no page to read",
        by_id=is_page and not place.exact,
    )
    details = AckDetails(
        event_type=meaning,
        source="notion",
        record_id=str(entity_id),
        database_id=place.table,
        timestamp=timestamp,
    )
    return Delivery((event,), details, _changed_tables(str(kind), str(entity_id), parent or {}, places))


def _changed_tables(kind: str, id_: str, parent: Members, places: Places) -> tuple[str, ...]:
    """Name the table that an event speaks of, and not only of a page in it; by the id by which it is followed."""
    if kind == "database":
        place = places.hint({"type": "database_id", "database_id": id_})
    elif kind == "data_source":
        database = parent.get("id") if parent.get("type") == "database" else None
        place = places.hint({"type": "data_source_id", "data_source_id": id_, "database_id": database})
    else:
        return ()
    return () if place.ignored else (place.table,)


def _automation(headers: Mapping[str, str], body: bytes, values: Members, places: Places) -> Delivery:
    fields = BodyFields(values)
    source = BodyFields(members(fields.object("source", required=True), ("event_id",)), at=("body", "source"))
    event_id = source.text("event_id")
    page = BodyFields(members(fields.object("data", required=True), _PAGE), at=("body", "data"))
    page_id = page.record_id("id", ID_RULES["notion"])
    parent = members(page.object("parent"), PARENT_MEMBERS)
    edited = page.text("last_edited_time", required=False)
    fields.join(source)
    fields.join(page)
    fields.raise_if_wrong()
    place = _checked(fields, places.hint(parent))
    meaning = "delete" if page.values.get("in_trash") is True or page.values.get("archived") is True else "update"
    event = Event(
        record=RecordKey("notion", place.table, dashed(str(page_id))),
        type=meaning,
        format=AUTOMATION,
        body=body,
        occurred_at=edited,
        identity=named_by_header("notion", headers) or named("notion", "automation", str(event_id)),
        ignored=place.ignored,
        by_id=not place.exact,
    )
    details = AckDetails(
        event_type=meaning,
        source="notion",
        record_id=str(page_id),
        database_id=place.table,
        timestamp=edited,
    )
    return Delivery((event,), details)


def _checked(fields: BodyFields, hint: Hint) -> Hint:
    """Give it back.  Raises InvalidFields for a parent whose id can be no table's name."""
    if not is_name(hint.table):
        fields.wrong(("data", "parent", "id"), f"{NAME_EXPECTED}, got {shown(hint.table)}", "value_error")
    fields.raise_if_wrong()
    return hint
