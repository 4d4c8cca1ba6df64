"""The bodies of native Database Webhooks, made from state, against bodies captured from a real pg_net."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hookbridge.standins import PostgrestStandin, Webhook
from hookbridge.standins.postgrest.jsonb import Json, read_json
from tests.standins.conftest import RECORDED

ORDERS = {
    "id": "bigint",
    "customer": "text",
    "status": "text",
    "amount": "numeric(10,2)",
    "big": "numeric",
    "ratio": "double precision",
    "active": "boolean",
    "tags": "text[]",
    "meta": "jsonb",
    "note": "text",
    "raw": "bytea",
    "uid": "uuid",
    "day": "date",
    "ts": "timestamp",
    "created_at": "timestamptz",
}
FORMS = {
    "id": "integer",
    "d": "double precision",
    "r": "real",
    "m": "money",
    "iv": "interval",
    "ip": "inet",
    "rng": "int4range",
    "arr": "integer[]",
    "pt": "point",
    "tm": "time",
    "ttz": "timetz",
    "bt": "bit(3)",
    "x": "xml",
    "js": "json",
    "ch": "char(5)",
    "en": "mood",
}
TABLES = {"orders": ORDERS, "f": FORMS}
HEADERS = {"Authorization": "Bearer s3cret-token", "X-Hook-Token": "abc"}
NATIVE = sorted(RECORDED.glob("native_*.json"), key=lambda path: path.name)


def _replay(standin: PostgrestStandin, payload: dict[str, Any], headers: dict[str, str]) -> Webhook:
    """Bring the table to the state before the captured write, then make the write and return its webhook."""
    table, record, old = payload["table"], payload["record"], payload["old_record"]
    standin.create_table(table, TABLES[table])
    if old is not None:
        standin.insert(table, old)
    heard: list[Webhook] = []
    standin.listen(heard.append, headers=headers)
    if old is None:
        standin.insert(table, record)
    elif record is None:
        standin.delete(table, old["id"])
    else:
        standin.update(table, old["id"], record)
    (webhook,) = heard
    return webhook


def _payload(body: bytes) -> dict[str, Any]:
    parsed: Json = read_json(body)
    assert isinstance(parsed, dict)
    return dict(parsed)


@pytest.mark.parametrize("path", NATIVE, ids=lambda path: path.stem)
def test_a_captured_webhook_is_sent_byte_for_byte(path: Path) -> None:
    captured = json.loads(path.read_text())
    body = base64.b64decode(captured["body_base64"])
    sent_headers = dict(captured["headers"])
    static = {name: value for name, value in HEADERS.items() if name in sent_headers}

    webhook = _replay(PostgrestStandin(), _payload(body), static)

    assert webhook.body == body
    assert [*webhook.headers.items()] == [
        (name, value) for name, value in captured["headers"] if name not in {"Host", "Content-Length"}
    ]


def test_the_raw_capture_ends_with_the_same_bytes() -> None:
    for path in NATIVE:
        body = base64.b64decode(json.loads(path.read_text())["body_base64"])
        assert path.with_suffix(".raw.txt").read_bytes().endswith(body)


def test_an_upsert_is_announced_as_insert_first_and_as_update_then() -> None:
    standin = PostgrestStandin()
    standin.create_table("users", {"id": "bigint", "name": "text"})
    heard: list[Webhook] = []
    standin.listen(heard.append)

    standin.upsert("users", {"id": 1, "name": "Ada"})
    standin.upsert("users", {"id": 1, "name": "Ada"})

    assert [_payload(webhook.body)["type"] for webhook in heard] == ["INSERT", "UPDATE"]


def test_truncate_announces_nothing() -> None:
    standin = PostgrestStandin()
    standin.create_table("users", {"id": "bigint"})
    standin.insert("users", {"id": 1})
    heard: list[Webhook] = []
    standin.listen(heard.append)

    standin.truncate("users")

    assert heard == []
    assert standin.rows("users") == []


def test_a_removed_trigger_is_silent() -> None:
    standin = PostgrestStandin()
    standin.create_table("users", {"id": "bigint"})
    heard: list[Webhook] = []
    remove = standin.listen(heard.append)

    remove()
    standin.insert("users", {"id": 1})

    assert heard == []
