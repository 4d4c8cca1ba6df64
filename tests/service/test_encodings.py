"""Bodies that are not plain UTF-8: one byte order mark is taken, whatever else is named for what it is."""

import codecs
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from tests.support.running import ADMIN, Running, make_settings, running

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: bytes, before anything is stored

EVENT = {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "7", "data": {"name": "é"}}
NATIVE = {"type": "INSERT", "table": "users", "schema": "public", "record": {"id": 8}, "old_record": None}
PAGE = {"event_type": "update", "source": "notion", "table_name": "d", "record_id": "p", "data": {"properties": {}}}
TEXT = json.dumps(EVENT, ensure_ascii=False)
SECRET = "a plain and long secret"
MARK = codecs.BOM_UTF8


@pytest.mark.parametrize(
    ("path", "event", "status"),
    [
        ("/api/v1/webhooks/supabase", EVENT, 202),
        ("/api/v1/webhooks/supabase", NATIVE, 202),
        ("/api/v1/webhooks/notion", PAGE, 202),
        ("/api/v1/webhooks/notion", {"verification_token": "secret_of_a_subscription"}, 200),
        ("/api/v1/webhooks/test", EVENT, 200),
        ("/api/v1/events", EVENT, 202),
        ("/api/v1/events/replay", {"all": True, "dry_run": True}, 200),
    ],
)
async def test_one_byte_order_mark_is_taken(client: Running, path: str, event: object, status: int) -> None:
    answer = await client.post(path, MARK + json.dumps(event).encode(), ADMIN)
    assert answer.status == status, await answer.text()


async def test_what_is_kept_of_a_marked_body_is_json(stored: Running) -> None:
    assert (await stored.post("/api/v1/webhooks/supabase", MARK + TEXT.encode())).status == 202
    shown = await (await stored.get("/api/v1/events/1")).json()
    assert shown["body"] == EVENT


async def test_a_signature_is_over_the_mark_too(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, secrets={"webhook_secrets": (SECRET,)}, signatures={"verify": True})
    async with running(settings, process=False) as service:
        body = MARK + TEXT.encode()
        for signed, status in ((body, 202), (body.removeprefix(MARK), 401)):
            digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
            answer = await service.post("/api/v1/webhooks/supabase", body, {"X-Webhook-Signature": digest})
            assert answer.status == status


MARKED, LOOKS = "with a byte order mark (BOM); send it as UTF-8", "send it as UTF-8"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (MARK + MARK + TEXT.encode(), "it begins with more than one byte order mark (BOM); send it with none"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), f"it is UTF-16 {MARKED}"),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), f"it is UTF-16 {MARKED}"),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), f"it is UTF-32 {MARKED}"),
        (codecs.BOM_UTF32_BE + TEXT.encode("utf-32-be"), f"it is UTF-32 {MARKED}"),
        (TEXT.encode("utf-16-le"), f"it looks like UTF-16; {LOOKS}"),
        (TEXT.encode("utf-16-be"), f"it looks like UTF-16; {LOOKS}"),
        (TEXT.encode("utf-32-le"), f"it looks like UTF-32; {LOOKS}"),
        (TEXT.encode("utf-32-be"), f"it looks like UTF-32; {LOOKS}"),
        (TEXT.encode("latin-1"), f"not UTF-8 (byte {TEXT.index('é')})"),
    ],
)
@pytest.mark.parametrize("size", ["small", "large"])
async def test_every_other_encoding_is_named(client: Running, body: bytes, said: str, size: str) -> None:
    if size == "large":  # those are read another way
        body += b" " * 70_000
    for path in ("/api/v1/webhooks/supabase", "/api/v1/webhooks/notion", "/api/v1/webhooks/test", "/api/v1/events"):
        answer = await client.post(path, body, ADMIN)
        assert answer.status == 400
        refused = await answer.json()
        assert refused == {"error": "invalid_json", "message": f"The body is not valid JSON: {said}"}
