# mypy: ignore-errors
"""FastAPI with BackgroundTasks, doing in memory what hookbridge does durably: the usual way to build a receiver.

It runs in the scratch environment of the benchmark; nothing of the project imports it.
"""

import hashlib
import hmac
import os
from typing import Any, Literal

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from pydantic import BaseModel

SECRET = os.environ["WEBHOOK_SECRET"].encode()
seen: set[bytes] = set()
cache: dict[str, dict] = {}
index: dict[str, set[str]] = {}
counters = {"processed": 0}
app = FastAPI()


class Payload(BaseModel):
    event_type: Literal["insert", "update", "delete"]
    source: Literal["supabase", "notion"]
    table_name: str
    record_id: str
    data: dict[str, Any]
    timestamp: str | None = None


def process(payload: Payload) -> None:
    key = f"{payload.source}:{payload.table_name}:{payload.record_id}"
    cache[key] = payload.data
    for value in payload.data.values():
        if isinstance(value, str):
            for word in value.lower().split():
                index.setdefault(word, set()).add(key)
    counters["processed"] += 1


@app.post("/api/v1/webhooks/supabase", status_code=202)
async def receive(request: Request, background: BackgroundTasks) -> dict[str, str]:
    body = await request.body()
    expected = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, request.headers.get("x-webhook-signature", "").removeprefix("sha256=")):
        raise HTTPException(401)
    payload = Payload.model_validate_json(body)
    identity = hashlib.sha256(body).digest()
    if identity not in seen:
        seen.add(identity)
        background.add_task(process, payload)
    return {"status": "accepted", "message": "Webhook payload received and queued for processing"}
