"""What arrives from Notion: integration webhooks of every type, automations, the guide's format, the handshake."""

from typing import Any

import msgspec
import pytest

from hookbridge.config import NotionConfig, NotionDatabase
from hookbridge.errors import InvalidFields, InvalidJson, InvalidSource, Refusal
from hookbridge.model import Event, RecordKey
from hookbridge.sources.notion import payloads
from hookbridge.sources.notion.handshake import handshake_of
from hookbridge.sources.source import Delivery, Handshake

PAGE = "59833787-2cf9-4fdf-8782-e53db20768a5"
DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
DATA_SOURCE = "1f2e3d4c-5b6a-4789-8abc-def012345678"
PARENT = {"id": DATABASE, "type": "database", "data_source_id": DATA_SOURCE}

PAGE_TYPES = [
    "page.created",
    "page.content_updated",
    "page.properties_updated",
    "page.moved",
    "page.deleted",
    "page.undeleted",
    "page.locked",
    "page.unlocked",
    "page.something_new",
]
OTHER_TYPES = [
    ("database.created", "database"),
    ("database.schema_updated", "database"),
    ("data_source.content_updated", "data_source"),
    ("data_source.schema_updated", "data_source"),
    ("comment.created", "comment"),
    ("comment.deleted", "comment"),
    ("view.created", "view"),
    ("file_upload.completed", "file_upload"),
]


def integration(type_: str, kind: str = "page", **changes: object) -> dict[str, Any]:
    return {
        "id": "367cba44-b6f3-4c92-81e7-6a2e9659efd4",
        "timestamp": "2026-01-01T15:00:12.123Z",
        "workspace_id": "13950b26-c203-4f3b-b97d-93ec06319565",
        "subscription_id": "29d75c0d-5546-4414-8459-7b7a92f1fc4b",
        "integration_id": "0ef2e755-4912-8096-91c1-00376a88a5ca",
        "type": type_,
        "authors": [{"id": "c7c11cca-1d73-471d-9b6e-bdef51470190", "type": "person"}],
        "attempt_number": 1,
        "entity": {"id": PAGE, "type": kind},
        "data": {"parent": PARENT},
        **changes,
    }


def decode(values: object, config: NotionConfig | None = None, headers: dict[str, str] | None = None) -> Event:
    decoded = payloads.decode(headers or {}, msgspec.json.encode(values), config or NotionConfig())
    assert isinstance(decoded, Delivery)
    (event,) = decoded.events
    return event


@pytest.mark.parametrize("type_", PAGE_TYPES)
def test_every_event_of_a_page_names_a_page_to_read(type_: str) -> None:
    event = decode(integration(type_))
    assert event.record == RecordKey("notion", DATABASE, PAGE)
    assert event.ignored is None
    expected = {"page.created": "insert", "page.undeleted": "insert", "page.deleted": "delete"}.get(type_, "update")
    assert event.type == expected
    assert payloads.columns_of(event) is None
    assert event.occurred_at == "2026-01-01T15:00:12.123Z"


@pytest.mark.parametrize(("type_", "entity"), OTHER_TYPES)
def test_what_carries_no_page_is_kept_with_the_reason_why_it_is_ignored(type_: str, entity: str) -> None:
    event = decode(integration(type_, entity))
    assert event.ignored == f"{type_} carries no page to read"
    assert event.type == type_


def test_a_repeated_delivery_is_the_same_event_and_another_id_is_another() -> None:
    first, again = decode(integration("page.created")), decode(integration("page.created", attempt_number=2))
    assert first.identity == again.identity
    assert decode(integration("page.created", id="another")).identity != first.identity


def test_ids_are_the_same_with_and_without_dashes() -> None:
    bare = integration("page.created", entity={"id": PAGE.replace("-", "").upper(), "type": "page"})
    assert decode(bare).record == decode(integration("page.created")).record


def test_the_listed_id_names_the_table_whichever_of_the_two_it_is() -> None:
    by_source = NotionConfig(databases=(NotionDatabase(id=DATA_SOURCE.replace("-", "")),))
    assert decode(integration("page.created"), by_source).record.table == DATA_SOURCE
    assert (
        decode(integration("page.created"), NotionConfig(databases=(NotionDatabase(id=DATABASE),))).record.table
        == DATABASE
    )


def test_unlisted_databases_and_standalone_pages_are_ignored_where_that_is_configured() -> None:
    only_listed = NotionConfig(unlisted_databases="ignore", databases=(NotionDatabase(id=DATA_SOURCE),))
    assert decode(integration("page.created"), only_listed).ignored is None
    nothing_listed = NotionConfig(unlisted_databases="ignore")
    assert "not listed" in (decode(integration("page.created"), nothing_listed).ignored or "")
    alone = integration("page.created", data={"parent": {"id": PAGE, "type": "page"}})
    assert decode(alone).ignored == "the page lies in no database"
    assert decode(alone, NotionConfig(standalone_pages="accept")).ignored is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"type": 7}, "type"),
        ({"entity": "page"}, "entity"),
        ({"entity": {"type": "page"}}, "id"),
        ({"data": []}, "data"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        decode(integration("page.created", **changes))
    assert field in [problem.loc[-1] for problem in caught.value.problems]


def automation(**changes: object) -> dict[str, Any]:
    page = {
        "object": "page",
        "id": PAGE,
        "last_edited_time": "2026-01-01T15:00:00.000Z",
        "parent": {"type": "data_source_id", "data_source_id": DATA_SOURCE, "database_id": DATABASE},
        "properties": {"Name": {"id": "title", "type": "title", "title": [{"plain_text": "Write"}]}},
        "in_trash": False,
        **changes,
    }
    source = {"type": "automation", "automation_id": "a", "action_id": "b", "event_id": "c", "attempt": 1}
    return {"source": source, "data": page}


def test_an_automation_claims_the_page_that_it_sends() -> None:
    event = decode(automation())
    assert (event.record, event.type) == (RecordKey("notion", DATABASE, PAGE), "update")
    columns = payloads.columns_of(event)
    assert columns is not None
    assert columns["properties"]["Name"]["title"][0]["plain_text"] == "Write"
    assert decode(automation(in_trash=True)).type == "delete"
    assert decode(automation(archived=True)).type == "delete"


def test_the_guides_format_is_taken_and_a_payload_for_supabase_is_not() -> None:
    guide = {
        "event_type": "UPDATE",
        "source": "notion",
        "table_name": DATABASE.replace("-", ""),
        "record_id": PAGE,
        "data": {},
    }
    assert decode(guide).record == RecordKey("notion", DATABASE, PAGE)
    with pytest.raises(InvalidSource):
        decode({**guide, "source": "supabase"})


def test_a_handshake_is_exactly_that() -> None:
    assert payloads.decode({}, b'{"verification_token": "secret_x"}', NotionConfig()) == Handshake("secret_x")
    for other in (
        b'{"verification_token": ""}',
        b'{"verification_token": 1}',
        b'{"verification_token": "x", "more": 1}',
        b'{"verification_token": "\\u00e9"}',
        b'{"verification_token": "' + b"x" * 2_000 + b'"}',
        b'["verification_token"]',
        b'{"verification_token"',
    ):
        assert handshake_of(other) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"entity": {}}', b'{"source": {}}', b"\xff"])
def test_anything_else_is_one_of_our_refusals(body: bytes) -> None:
    with pytest.raises(Refusal):
        payloads.decode({}, body, NotionConfig())
    assert issubclass(InvalidJson, Refusal)
