"""The payloads and answers that ``/openapi.json`` shows: the guide's own, and one of each native format.

They are data; the tests send every request of them and hold the answers against these.
"""

from __future__ import annotations

_USER = "123e4567-e89b-12d3-a456-426614174000"
_PAGE = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
_DATABASE = "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d"
_TIME = "2026-01-01T15:00:00Z"

SUPABASE: dict[str, object] = {
    "guide": {
        "event_type": "insert",
        "source": "supabase",
        "table_name": "users",
        "record_id": _USER,
        "data": {"id": _USER, "name": "John Doe", "email": "john@example.com", "created_at": _TIME},
        "timestamp": _TIME,
        "metadata": {"schema": "public"},
    },
    "databaseWebhook": {
        "type": "UPDATE",
        "table": "users",
        "record": {"id": 42, "name": "John Doe"},
        "schema": "public",
        "old_record": {"id": 42, "name": "Jon Doe"},
    },
}
SUPABASE_ACCEPTED: object = {
    "status": "accepted",
    "message": "Webhook payload received and queued for processing",
    "details": {
        "event_type": "insert",
        "source": "supabase",
        "record_id": _USER,
        "table_name": "users",
        "timestamp": _TIME,
    },
}
INTEGRATION_WEBHOOK: dict[str, object] = {
    "id": "367cba44-b6f3-4c92-81e7-6a2e9659efd4",
    "timestamp": "2026-01-01T15:00:00.000Z",
    "workspace_id": "13950b26-c203-4f3b-b97d-93ec06319565",
    "workspace_name": "Quantify Labs",
    "subscription_id": "29d75c0d-5546-4414-8459-7b7a92f1fc4b",
    "integration_id": "0ef2e755-4912-8096-91c1-00376a88a5ca",
    "type": "page.content_updated",
    "authors": [{"id": "c7c11cca-1d73-471d-9b6e-bdef51470190", "type": "person"}],
    "accessible_by": [],
    "attempt_number": 1,
    "api_version": "2025-09-03",
    "entity": {"id": _PAGE, "type": "page"},
    "data": {"parent": {"id": _DATABASE, "type": "database"}, "updated_blocks": []},
}
NOTION: dict[str, object] = {
    "guide": {
        "event_type": "update",
        "source": "notion",
        "table_name": _DATABASE,
        "record_id": _PAGE,
        "data": {
            "properties": {
                "Name": {"type": "title", "title": [{"plain_text": "Project Alpha"}]},
                "Status": {"type": "select", "select": {"name": "In Progress"}},
            }
        },
        "timestamp": _TIME,
    },
    "integrationWebhook": INTEGRATION_WEBHOOK,
    "automation": {
        "source": {
            "type": "automation",
            "automation_id": "2f5b1c7a-0000-8000-8000-00a0b1c2d3e4",
            "action_id": "2f5b1c7a-0000-8000-8000-00a0b1c2d3e5",
            "event_id": "2f5b1c7a-0000-8000-8000-00a0b1c2d3e6",
            "attempt": 1,
        },
        "data": {
            "object": "page",
            "id": _PAGE,
            "last_edited_time": "2026-01-01T15:00:00.000Z",
            "in_trash": False,
            "parent": {"type": "database_id", "database_id": _DATABASE},
            "properties": {},
        },
    },
    "verificationHandshake": {"verification_token": "secret_from_notion"},
}
NOTION_ACCEPTED: object = {
    "status": "accepted",
    "message": "Webhook payload received and queued for processing",
    "details": {
        "event_type": "update",
        "source": "notion",
        "record_id": _PAGE,
        "database_id": _DATABASE,
        "timestamp": _TIME,
    },
}
_NATIVE = {"databaseWebhook": SUPABASE["databaseWebhook"]} | {
    name: NOTION[name] for name in ("integrationWebhook", "automation")
}
EVENTS: dict[str, object] = {
    "guide": {
        "event_type": "insert",
        "source": "supabase",
        "table_name": "test_table",
        "record_id": "test-123",
        "data": {"test": "data"},
    },
    **_NATIVE,
}
TRIAL: dict[str, object] = {**EVENTS, "verificationHandshake": NOTION["verificationHandshake"]}
TRIAL_VALID: object = {
    "status": "valid",
    "message": "Webhook payload is valid",
    "parsed_payload": {
        "event_type": "insert",
        "source": "supabase",
        "table_name": "test_table",
        "record_id": "test-123",
        "data": {"test": "data"},
        "timestamp": None,
        "metadata": {},
    },
    "would_be_processed": True,
    "records": ["supabase:public.test_table:test-123"],
}
REPLAY: dict[str, object] = {
    "deadLetters": {"outcome": "dead"},
    "oneTable": {"source": "supabase", "table": "users", "limit": 100},
    "everything": {"all": True},
    "onlyCount": {"outcome": "dead", "dry_run": True},
}

DISMISS: dict[str, object] = {
    "oneReason": {"reason": "KeyError: 'no'", "note": "the handler of June is gone"},
    "theseTwo": {"ids": [7, 8]},
    "everything": {"all": True, "note": "a test table"},
    "onlyCount": {"source": "notion", "dry_run": True},
}

RECONCILE: dict[str, object] = {
    "whatChanged": {"source": "supabase", "table": "users", "since": "2026-01-01T00:00:00Z"},
    "reallyGone": {"source": "supabase", "table": "users", "kind": "sweep", "confirm": True},
}

VERIFY: dict[str, object] = {
    "everything": {},
    "healOneTable": {"source": "supabase", "table": "users", "heal": True},
}
