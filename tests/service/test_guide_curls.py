"""Every curl of the guide, as it stands, gives the guide's answer."""

from pathlib import Path
from typing import Any

from tests.support.curl import parse_curl
from tests.support.running import Running

GUIDE = Path(__file__).parents[1] / "fixtures" / "guide"


async def _run(client: Running, name: str) -> tuple[int, dict[str, Any]]:
    curl = parse_curl((GUIDE / f"{name}.sh").read_text())
    answer = await client.http.request(curl.method, curl.path, headers=curl.headers, data=curl.body or None)
    return answer.status, await answer.json()


async def test_the_supabase_webhook_is_accepted(client: Running) -> None:
    assert await _run(client, "supabase") == (
        202,
        {
            "status": "accepted",
            "message": "Webhook payload received and queued for processing",
            "details": {
                "event_type": "insert",
                "source": "supabase",
                "record_id": "test-123",
                "table_name": "users",
                "timestamp": "2026-01-01T15:00:00Z",
            },
        },
    )


async def test_the_notion_webhook_is_accepted(client: Running) -> None:
    status, body = await _run(client, "notion")
    assert status == 202
    assert body["details"] == {
        "event_type": "update",
        "source": "notion",
        "record_id": "page-id",
        "database_id": "database-id",
        "timestamp": "2026-01-01T15:00:00Z",
    }


async def test_the_test_payload_is_valid_and_not_stored(client: Running) -> None:
    status, body = await _run(client, "test")
    assert (status, body["status"], body["message"]) == (200, "valid", "Webhook payload is valid")
    assert body["would_be_processed"] is True
    assert body["parsed_payload"]["record_id"] == "123"
    _, stats = await _run(client, "stats")
    assert stats["books"]["received"] == 0


async def test_the_statistics_have_the_guides_fields(client: Running) -> None:
    status, body = await _run(client, "stats")
    assert status == 200
    assert list(body)[:7] == [
        "total_processed",
        "total_failed",
        "total_retries",
        "success_rate",
        "average_processing_time_seconds",
        "events_by_type",
        "events_by_source",
    ]
