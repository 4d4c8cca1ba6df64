"""Secrets that would be recognised anywhere, and everything that could show one: logs, answers, stored errors.

Both sources refuse with the very key that they were sent, so what is tested is also what is kept of foreign words.
"""

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
import structlog

from hookbridge.config import LoggingConfig
from hookbridge.observe.logs import QUIET, configure
from hookbridge.standins import NotionStandin, PostgrestStandin, Reply
from tests.support.running import Running, make_settings, running
from tests.support.signing import notion_signature, webhook_signature
from tests.support.waiting import wait_until

LEARNT = "secret_planted_learnt_token"
PLANTED: dict[str, Any] = {
    "supabase_key": "sb_secret_planted_key",
    "notion_token": "ntn_planted_token",
    "webhook_secrets": ("planted-webhook-secret", "whsec_cGxhbnRlZC1zdGFuZGFyZA=="),
    "admin_token": "",
    "redis_url": "redis://:planted-password@127.0.0.1:9/0",
}
EVERY = ("sb_secret_planted_key", "ntn_planted_token", *PLANTED["webhook_secrets"], "planted-password", LEARNT)
HINT = {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": "1", "data": {"id": 1}}
PAGE = {"event_type": "update", "source": "notion", "table_name": "d" * 32, "record_id": "a" * 32, "data": {}}


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave the process's logging as it was."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    structlog.reset_defaults()
    root.handlers = before
    root.setLevel(level)
    for name, one in levels.items():
        logging.getLogger(name).setLevel(one)


def echo(status: int, code: str, secret: str) -> Reply:
    body = {"object": "error", "status": status, "code": code, "message": f"what is {secret}?"}
    return Reply(status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Running]:
    """A service with every secret, whose sources repeat the key that they were sent."""
    async with AsyncExitStack() as stack:
        supabase = await stack.enter_async_context(PostgrestStandin(key=PLANTED["supabase_key"]))
        notion = await stack.enter_async_context(NotionStandin(token=PLANTED["notion_token"]))
        supabase.faults.answer(echo(400, "42703", PLANTED["supabase_key"]), times=None)
        notion.faults.answer(echo(400, "validation_error", PLANTED["notion_token"]), times=None)
        settings = make_settings(
            folder,
            secrets={**PLANTED, "supabase_url": supabase.url},
            server={"access_log": "all"},
            signatures={"verify": True},
            notion={"base_url": notion.url, "requests_per_second": 1000.0},
        )
        yield await stack.enter_async_context(running(settings))


async def drive(service: Running) -> list[str]:
    """Everything that goes wrong, and everything that is answered on the way."""
    texts = []

    async def post(path: str, body: object, headers: dict[str, str] | None = None) -> int:
        answer = await service.post(path, body, headers)
        texts.append(await answer.text() + str(answer.headers))
        return answer.status

    admin = {"Authorization": f"Bearer {service.service.admin_token}"}
    hooks = "/api/v1/webhooks"
    assert await post(f"{hooks}/notion", {"verification_token": LEARNT}) == 200
    assert await post(f"{hooks}/notion", {"verification_token": LEARNT}) in (401, 403, 409)
    for value in EVERY:
        raw = json.dumps({"verification_token": value, "key": value}).encode()
        assert await post(f"{hooks}/supabase", raw, {"X-Webhook-Signature": value}) == 401
        assert await post(f"{hooks}/notion", raw, {"X-Notion-Signature": value}) == 401
        assert await post(f"/{value}", raw) == 404
        wrong = {"Authorization": f"Bearer {value}"}
        assert (await service.get("/api/v1/events", wrong)).status == 401
    secret = PLANTED["webhook_secrets"][0]
    hint, page, broken = (json.dumps(one).encode() for one in (HINT, PAGE, {"source": "supabase"}))
    carried = {f"X-Any-{number}": value for number, value in enumerate(EVERY)}
    assert await post(f"{hooks}/supabase", hint, webhook_signature(hint, secret) | carried) == 202
    assert await post(f"{hooks}/notion", page, notion_signature(page, LEARNT)) == 202
    assert await post(f"{hooks}/supabase", broken, webhook_signature(broken, secret)) == 422

    async def dead() -> bool:
        answer = await service.get("/api/v1/events?outcome=dead", admin)
        return len((await answer.json())["events"]) == 2

    await wait_until(dead)
    paths = ["/readyz", "/healthz", "/openapi.json", "/docs", "/api/v1/events", "/api/v1/events/1", f"{hooks}/stats"]
    for path in [*paths, "/api/v1/events/2", "/api/v1/records/supabase/users/1", "/api/v1/reconcile", "/metrics"]:
        answer = await service.get(path, admin)
        texts.append(await answer.text() + str(answer.headers))
    assert any('"x-any-0":"(masked)"' in text for text in texts), "an event shows its headers' names"
    structlog.get_logger("hookbridge").warning(f"said {service.service.admin_token} and {LEARNT}")
    return texts


@pytest.mark.parametrize("format_", ["json", "console"])
async def test_no_secret_is_in_any_log_line_answer_or_stored_error(
    tmp_path: Path, format_: Literal["json", "console"]
) -> None:
    stream = io.StringIO()
    settings = make_settings(tmp_path, secrets={**PLANTED})
    configure(LoggingConfig(format=format_, level="debug"), settings.secrets, stream=stream)
    # A logger that is kept from its first use on would write into this stream in every later test, too.
    structlog.configure(cache_logger_on_first_use=False)
    async with asyncio.timeout(60), serving(tmp_path) as service:
        texts = await drive(service)
        token = service.service.admin_token
    assert any("what is [secret]?" in text for text in texts), "the sources' words are kept, without the key"
    log = stream.getvalue()
    assert "said [secret] and [secret]" in log
    for secret in (*EVERY, token):
        assert secret not in log
        assert not [text for text in texts if secret in text]
