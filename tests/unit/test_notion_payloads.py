"""What arrives from Notion: every type of an integration webhook, automations, the handshake, the guide's format."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hookbridge.api.webhooks import AckDetails
from hookbridge.config import NotionConfig, NotionDatabase
from hookbridge.errors import InvalidFields, InvalidSource, Refusal
from hookbridge.model import Event, RecordKey
from hookbridge.sources.notion import payloads
from hookbridge.sources.notion.places import STANDALONE, Places
from hookbridge.sources.source import Delivery, Handshake

FIXTURES = Path(__file__).parents[1] / "fixtures" / "notion"
CASES = FIXTURES.parent / "notion_cases"
CONFIG = NotionConfig()
PAGE = "6d5c4b3a-2918-4706-95e4-d3c2b1a09f8e"
DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
DATA_SOURCE = "1a2b3c4d-5e6f-4708-9a1b-2c3d4e5f6071"

INSERTS = ("page.created", "page.undeleted")
DELETES = ("page.deleted",)
UPDATES = (
    *("page.content_updated", "page.properties_updated", "page.moved", "page.locked", "page.unlocked"),
    "page.a_type_of_next_year",
)
OF_DATABASES = ("created", "deleted", "undeleted", "moved", "content_updated", "schema_updated")
WITHOUT_A_PAGE = (
    *((f"database.{what}", "database") for what in OF_DATABASES),
    *((f"data_source.{what}", "data_source") for what in OF_DATABASES),
    *((f"comment.{what}", "comment") for what in ("created", "updated", "deleted")),
    *((f"view.{what}", "view") for what in ("created", "updated", "deleted")),
    *((f"file_upload.{what}", "file_upload") for what in ("created", "completed", "expired", "upload_failed")),
    ("something.new", "something"),
)


def raw(name: str) -> bytes:
    return (FIXTURES / f"{name}.json").read_bytes()


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(raw(name))
    return found


def decode(body: bytes | object, config: NotionConfig = CONFIG, headers: Mapping[str, str] | None = None) -> Delivery:
    places = Places(config, readable=False)
    found = payloads.decode(headers or {}, body if isinstance(body, bytes) else json.dumps(body).encode(), places)
    assert isinstance(found, Delivery)
    return found


def only(delivery: Delivery) -> Event:
    (event,) = delivery.events
    return event


def problems(body: object) -> set[tuple[str | int, ...]]:
    with pytest.raises(InvalidFields) as error:
        decode(body)
    return {tuple(problem.loc) for problem in error.value.problems}


# Integration webhooks


@pytest.mark.parametrize(
    ("type_", "meaning"),
    [
        *((type_, "insert") for type_ in INSERTS),
        *((type_, "update") for type_ in UPDATES),
        *((type_, "delete") for type_ in DELETES),
    ],
)
def test_every_event_of_a_page_makes_its_record_dirty(type_: str, meaning: str) -> None:
    delivery = decode({**values("integration_page_properties_updated"), "type": type_})
    event = only(delivery)
    assert event.record == RecordKey("notion", DATABASE, PAGE)
    assert (event.type, event.ignored, event.format) == (meaning, None, payloads.INTEGRATION)
    assert delivery.details == AckDetails(
        event_type=meaning,
        source="notion",
        record_id=PAGE,
        database_id=DATABASE,
        timestamp="2026-03-04T09:15:30.123Z",
    )


@pytest.mark.parametrize(("type_", "entity"), WITHOUT_A_PAGE)
def test_what_carries_no_page_is_kept_and_ignored_with_its_reason(type_: str, entity: str) -> None:
    body = {**values("integration_comment_created"), "type": type_, "entity": {"id": PAGE, "type": entity}}
    event = only(decode(body))
    assert event.ignored == f"{type_} carries no page to read"
    assert (event.type, event.record) == (type_, RecordKey("notion", entity, PAGE))


@pytest.mark.parametrize("name", ["integration_comment_created", "integration_data_source_schema_updated"])
def test_whole_bodies_without_a_page_are_ignored(name: str) -> None:
    assert only(decode(raw(name))).ignored == f"{values(name)['type']} carries no page to read"


def test_an_integration_webhook_is_known_by_its_id_whatever_the_attempt_and_the_headers() -> None:
    body = values("integration_page_content_updated")
    first = only(decode(body))
    again = only(decode({**body, "attempt_number": 2}, headers={"Idempotency-Key": "of a proxy"}))
    other = only(decode({**body, "id": "another"}))
    assert first.identity is not None
    assert first.identity == again.identity != other.identity


def test_a_property_with_a_name_of_the_guides_makes_no_guides_body() -> None:
    body = values("integration_page_properties_updated")
    body["data"]["updated_properties"] = ["event_type", "table_name"]
    assert only(decode({**body, "workspace_name": 'all about "event_type"'})).format == payloads.INTEGRATION
    page = {"id": PAGE, "parent": {"database_id": DATABASE, "type": "database_id"}, "properties": {"event_type": {}}}
    automation = {"source": {"type": "automation", "event_id": "e"}, "data": page}
    assert only(decode(automation)).format == payloads.AUTOMATION


def test_a_guides_body_may_hold_what_notions_own_hold() -> None:
    body = {
        "event_type": "update",
        "source": "notion",
        "table_name": DATABASE,
        "record_id": PAGE,
        "data": {"entity": {"id": PAGE}, "source": {"event_id": "e"}},
    }
    for more in ({}, {"entity": {"id": PAGE, "type": "page"}}, {"event_id": "e"}):
        assert only(decode({**body, **more})).format == "guide"


def test_an_integration_webhook_is_stored_as_it_came() -> None:
    body = raw("integration_page_content_updated")
    assert only(decode(body)).body == body


@pytest.mark.parametrize(("standalone", "ignored"), [("ignore", "the page lies in no database"), ("accept", None)])
def test_a_page_in_no_database_is_ignored_unless_it_is_wanted(standalone: Any, ignored: str | None) -> None:  # noqa: ANN401  a literal
    event = only(decode(raw("integration_page_of_a_page"), NotionConfig(standalone_pages=standalone)))
    assert (event.record, event.ignored) == (RecordKey("notion", "pages", PAGE), ignored)


@pytest.mark.parametrize("listed", [DATABASE, DATABASE.replace("-", "").upper()])
def test_a_listed_database_is_known_in_either_spelling(listed: str) -> None:
    config = NotionConfig(unlisted_databases="ignore", databases=(NotionDatabase(id=listed),))
    assert only(decode(raw("integration_page_content_updated"), config)).ignored is None


def test_a_database_that_is_not_listed_is_ignored_where_the_settings_say_so() -> None:
    config = NotionConfig(unlisted_databases="ignore", databases=(NotionDatabase(id="f" * 32),))
    reason = only(decode(raw("integration_page_content_updated"), config)).ignored
    assert reason == f"the database {DATABASE} is not listed in [[notion.databases]]"


@pytest.mark.parametrize("name", ["integration_page_content_updated", "automation"])
def test_of_database_and_data_source_the_listed_one_names_the_table(name: str) -> None:
    config = NotionConfig(databases=(NotionDatabase(id=DATA_SOURCE),))
    assert only(decode(raw(name), config)).record.table == DATA_SOURCE
    assert only(decode(raw(name))).record.table == DATABASE


@pytest.mark.parametrize(
    ("parent", "table"),
    [
        ({"type": "database", "id": DATABASE}, DATABASE),
        ({"type": "database_id", "database_id": DATABASE.replace("-", "")}, DATABASE),
        ({"type": "data_source_id", "data_source_id": DATA_SOURCE}, DATA_SOURCE),
        ({"type": "data_source", "id": DATA_SOURCE}, DATA_SOURCE),
        ({"type": "page_id", "page_id": PAGE}, STANDALONE),
        ({"type": "block_id", "block_id": PAGE}, STANDALONE),
        ({"type": "workspace", "workspace": True}, STANDALONE),
        ({"type": "database"}, STANDALONE),
        ({}, STANDALONE),
    ],
)
def test_every_kind_of_parent_names_a_table(parent: dict[str, Any], table: str) -> None:
    assert Places(CONFIG, readable=True).hint(parent).table == table


def test_every_missing_field_of_an_integration_webhook_is_named_at_once() -> None:
    assert problems({"entity": {}}) == {
        ("body", "id"),
        ("body", "type"),
        ("body", "entity", "id"),
        ("body", "entity", "type"),
    }


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"id": None}, ("body", "id")),
        ({"type": 7}, ("body", "type")),
        ({"timestamp": 1}, ("body", "timestamp")),
        ({"data": []}, ("body", "data")),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], where: tuple[str, ...]) -> None:
    assert problems({**values("integration_page_content_updated"), **changes}) == {where}


@pytest.mark.parametrize("body", [{"entity": 1}, {"entity": None}])
def test_an_entity_that_is_no_object_is_one_problem(body: dict[str, Any]) -> None:
    assert problems({**values("integration_page_content_updated"), **body}) == {("body", "entity")}


# Automations


def test_an_automation_brings_the_page() -> None:
    delivery = decode(raw("automation"))
    event = only(delivery)
    assert event.record == RecordKey("notion", DATABASE, PAGE)
    assert (event.type, event.format, event.occurred_at) == ("update", "automation", "2026-03-04T09:15:00.000Z")
    assert delivery.details.database_id == DATABASE


@pytest.mark.parametrize("field", ["in_trash", "archived"])
def test_an_automation_of_a_trashed_page_is_a_deletion(field: str) -> None:
    body = values("automation")
    assert only(decode({**body, "data": {**body["data"], field: True}})).type == "delete"


def test_an_automation_is_known_by_its_event_whatever_the_attempt() -> None:
    body = values("automation")
    again = {**body, "source": {**body["source"], "attempt": 2}}
    other = {**body, "source": {**body["source"], "event_id": "another"}}
    first, second, third = (only(decode(one)).identity for one in (body, again, other))
    assert first is not None
    assert first == second != third


def test_every_missing_field_of_an_automation_is_named_at_once() -> None:
    assert problems({"source": {"type": "automation"}, "data": {"object": "page"}}) == {
        ("body", "source", "event_id"),
        ("body", "data", "id"),
    }
    assert problems({"source": {"event_id": "e"}, "data": []}) == {("body", "data")}


# The handshake


def test_the_handshake_is_not_an_event() -> None:
    found = payloads.decode({}, raw("handshake"), Places(CONFIG, readable=True))
    assert found == Handshake("secret_written_for_these_tests_0123456789")


# The guide's format


def test_the_guides_format_has_ids_in_one_form_and_repeats_them_as_sent() -> None:
    delivery = decode(raw("guide"))
    event = only(delivery)
    assert event.record == RecordKey("notion", DATABASE, PAGE)
    assert (event.type, event.ignored) == ("update", None)
    assert delivery.details.record_id == PAGE.replace("-", "")
    assert delivery.details.database_id == DATABASE.replace("-", "")


def test_a_page_that_was_written_with_dashes_is_the_same_record() -> None:
    body = values("guide")
    assert only(decode({**body, "record_id": PAGE, "table_name": DATABASE})).record == only(decode(raw("guide"))).record


def test_a_body_for_another_source_is_refused() -> None:
    with pytest.raises(InvalidSource):
        decode({**values("guide"), "source": "supabase"})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff", b'{"entity": ', b'{"entity": {}}', b'{"source": {}}']
)
def test_anything_else_is_one_of_our_refusals(body: bytes) -> None:
    with pytest.raises(Refusal):
        decode(body)


# What a body claims


def test_only_bodies_with_a_page_claim_columns() -> None:
    assert payloads.columns_of(only(decode(raw("integration_page_content_updated")))) is None
    assert payloads.columns_of(only(decode(raw("automation")))) == values("automation")["data"]
    assert payloads.columns_of(only(decode(raw("guide")))) == {"title": "Straße fegen"}


# As they come


@pytest.mark.parametrize(
    ("name", "table", "exact", "ignored"),
    [
        ("event_parent_without_type", "5a000000-0000-4000-8000-0000000000aa", True, None),
        ("event_of_2022_names_the_database", "5a000000-0000-4000-8000-00000000000a", False, None),
        ("automation_names_the_database", "5a000000-0000-4000-8000-00000000000a", False, None),
        ("event_moved_under_a_page", STANDALONE, False, "the page lies in no database"),
        ("event_without_a_parent", STANDALONE, False, "the event names no database of the page"),
    ],
)
def test_parents_are_taken_as_they_come(name: str, table: str, exact: bool, ignored: str | None) -> None:  # noqa: FBT001
    config = NotionConfig(databases=(NotionDatabase(id="5a000000-0000-4000-8000-0000000000aa"),))
    event = only(decode(raw(name), config))
    assert (event.record.table, event.by_id, event.ignored) == (table, not exact, ignored)
    assert event.record.id == "5b000003-0000-4000-8000-00000000000b"


def test_every_type_of_event_that_notion_documents_is_taken_and_those_of_pages_are_read() -> None:
    bodies = [
        one["body"] for one in json.loads((CASES / "all_event_types.json").read_text()) if "entity" in one["body"]
    ]
    for body in bodies:
        event = only(decode(body))
        in_database = "5a000000-0000-4000-8000-0000000000" in json.dumps(body.get("data", {}).get("parent"))
        of_page = body["type"].startswith("page.") and in_database
        assert (event.ignored is None) is of_page, body["type"]
