"""Integration webhooks: one for each change of state, signed, in Notion's envelope."""

import hashlib
import hmac
import json
from typing import Any

from hookbridge.standins import NotionStandin, Webhook


def _standin() -> tuple[NotionStandin, str, list[Webhook]]:
    notion = NotionStandin(verification_token="secret_for_tests")
    (source,) = notion.data_source_ids(notion.create_database("Tasks", {"Name": "title", "Status": "select"}))
    heard: list[Webhook] = []
    notion.listen(heard.append)
    return notion, source, heard


def _envelopes(heard: list[Webhook]) -> list[dict[str, Any]]:
    return [json.loads(webhook.body) for webhook in heard]


def test_every_change_of_a_page_has_its_event() -> None:
    notion, source, heard = _standin()
    page = notion.create_page(source, title="x")
    notion.update_page(page, {"Status": "Open"})
    notion.edit_content(page)
    notion.trash(page)
    notion.restore(page)
    notion.move_page(page, notion.create_page(None, title="Top"))
    assert [envelope["type"] for envelope in _envelopes(heard)] == [
        "page.created",
        "page.properties_updated",
        "page.content_updated",
        "page.deleted",
        "page.undeleted",
        "page.created",
        "page.moved",
        "page.content_updated",
    ]


def test_databases_and_data_sources_are_announced() -> None:
    notion = NotionStandin()
    heard: list[Webhook] = []
    notion.listen(heard.append)
    database = notion.create_database("Tasks", {})
    envelopes = _envelopes(heard)
    assert [envelope["type"] for envelope in envelopes] == ["database.created", "data_source.created"]
    assert envelopes[1]["data"]["parent"] == {"id": database, "type": "database"}


def test_an_event_names_the_page_and_its_data_source() -> None:
    notion, source, heard = _standin()
    page = notion.create_page(source, title="x")
    (envelope,) = _envelopes(heard)
    database = next(iter(notion.databases))
    assert envelope["entity"] == {"id": page, "type": "page"}
    assert envelope["data"]["parent"] == {"id": database, "type": "database", "data_source_id": source}
    assert (envelope["api_version"], envelope["attempt_number"]) == ("2025-09-03", 1)


def test_an_event_names_the_properties_by_their_ids() -> None:
    notion, source, heard = _standin()
    page = notion.create_page(source, title="x")
    notion.update_page(page, {"Name": "y"})
    assert _envelopes(heard)[-1]["data"]["updated_properties"] == ["title"]


def test_the_body_is_signed_with_the_verification_token() -> None:
    notion, source, heard = _standin()
    notion.create_page(source, title="Zoë")
    (webhook,) = heard
    digest = hmac.new(b"secret_for_tests", webhook.body, hashlib.sha256).hexdigest()
    assert webhook.headers["X-Notion-Signature"] == f"sha256={digest}"


def test_the_handshake_presents_the_token_unsigned() -> None:
    notion, _, _ = _standin()
    handshake = notion.handshake()
    assert json.loads(handshake.body) == {"verification_token": "secret_for_tests"}
    assert "X-Notion-Signature" not in handshake.headers


def test_a_redelivery_is_the_same_event_in_its_next_attempt() -> None:
    notion, source, heard = _standin()
    notion.create_page(source, title="x")
    again = notion.webhooks.redelivery(heard[0])
    first, second = _envelopes([heard[0], again])
    assert second == first | {"attempt_number": 2}
    assert again.headers["X-Notion-Signature"] != heard[0].headers["X-Notion-Signature"]


def test_silent_changes_are_silent() -> None:
    notion, source, heard = _standin()
    page = notion.create_page(source, title="x")
    heard.clear()
    notion.recompute(page, {"Status": "Counted"})
    notion.revoke(page)
    notion.update_page(page, {"Status": "Open"})
    notion.remove(page)
    assert heard == []


def test_an_ended_subscription_is_silent() -> None:
    notion = NotionStandin()
    heard: list[Webhook] = []
    end = notion.listen(heard.append)
    end()
    notion.create_database("Tasks", {})
    assert heard == []
