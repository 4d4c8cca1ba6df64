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

from hookbridge.config import Destination, LoggingConfig
from hookbridge.observe.logs import QUIET, configure
from hookbridge.standins import NotionStandin, PostgrestStandin, Reply
from hookbridge.web.route import Route
from hookbridge.web.routes import ROUTES
from tests.support.commands import command
from tests.support.running import JSON, Running, make_settings, running
from tests.support.signing import notion_signature, webhook_signature
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("sqlite")  # it starts without a token, as with the other engine nobody may

LEARNT = "secret_planted_learnt_token"
PLANTED: dict[str, Any] = {
    "supabase_key": "sb_secret_planted_key",
    "supabase_db_url": "postgresql://postgres:planted-db-password@127.0.0.1:9/postgres",
    "notion_token": "ntn_planted_token",
    "webhook_secrets": ("planted-webhook-secret", "whsec_cGxhbnRlZC1zdGFuZGFyZA=="),
    "admin_token": "",
    "read_token": "planted-read-token",
    "redis_url": "redis://:planted-password@127.0.0.1:9/0",
    "alerts_url": "http://me:planted-alert-password@127.0.0.1:9/services/PLANTED-ALERT-PATH",
    "alerts_beat_url": "http://127.0.0.1:9/PLANTED-BEAT-PATH-0",
    "alerts_secret": "whsec_cGxhbnRlZC1hbGVydC1zZWNyZXQ=",
    "destinations": (
        Destination(
            name="search",
            url="http://me:planted-url-password@127.0.0.1:9/",
            secret="whsec_cGxhbnRlZC1kZXN0aW5hdGlvbg==",
            headers={"X-Token": "planted-header"},
        ),
    ),
}
EVERY = (
    "sb_secret_planted_key",
    "ntn_planted_token",
    "planted-read-token",
    *PLANTED["webhook_secrets"],
    "planted-password",
    "planted-db-password",
    "planted-url-password",
    "planted-alert-password",
    "PLANTED-ALERT-PATH",
    "PLANTED-BEAT-PATH-0",
    "whsec_cGxhbnRlZC1hbGVydC1zZWNyZXQ=",
    "whsec_cGxhbnRlZC1kZXN0aW5hdGlvbg==",
    "planted-header",
    LEARNT,
)
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
        supabase.faults.answer(echo(400, "22P02", PLANTED["supabase_key"]), times=None)
        notion.faults.answer(echo(400, "validation_error", PLANTED["notion_token"]), times=None)
        settings = make_settings(
            folder,
            secrets={**PLANTED, "supabase_url": supabase.url},
            server={"access_log": "all"},
            signatures={"verify": True},
            supabase={"tables": [{"name": "users", "pull": True}]},
            notion={"base_url": notion.url, "requests_per_second": 1000.0},
        )
        yield await stack.enter_async_context(running(settings))


def paths_of(route: Route) -> Iterator[str]:
    """Every page of the table, with what stands for the parts in braces."""
    if route.path.startswith("/api/v1/notion/verification-token") and route.method in ("GET", "POST"):
        return  # shows an operator the token to paste into Notion's form: that is what it is for
    if "{" not in route.path:
        yield route.path
        for query in ("?source=supabase", "?q=1", "?limit=1", "?outcome=dead"):
            yield route.path + query
        return
    for source, table, id_, name in (
        ("supabase", "users", "1", "dashboard.js"),
        ("notion", "d" * 32, "a" * 32, "swagger-ui.css"),
        ("other", "x", "2", "x"),
    ):
        yield route.path.format(source=source, table=table, id=id_, name=name)


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
    for route in ROUTES:
        for path in paths_of(route):
            for headers in (admin, {}):
                answer = await service.http.request(route.method, path, headers={**headers, **JSON}, data=b"{}")
                assert answer.status != 500, path
                texts.append(await answer.text() + str(answer.headers))
    assert any('"x-any-0":"(masked)"' in text for text in texts), "an event shows its headers' names"
    structlog.get_logger("hookbridge").warning(f"said {service.service.admin_token}", reason=f"because of {LEARNT}")
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
    assert "said [secret]" in log
    assert "because of [secret]" in log
    for secret in (*EVERY, token):
        assert secret not in log
        assert not [text for text in texts if secret in text]


OUTPUT = (
    *(("stats",), ("events", "list"), ("events", "show", "1"), ("records", "show", "supabase:users:1")),
    *(("records", "diff", "supabase:users:1"), ("check",), ("reconcile", "--help"), ("stats", "--json")),
    *(("events", "list", "--json"), ("sign", "supabase"), ("init",), ("send", "supabase", "--table", "users")),
)


async def test_no_secret_is_in_what_a_command_prints(tmp_path: Path) -> None:
    environ: dict[str, Any] = {
        "SUPABASE_URL": "http://127.0.0.1:9",
        "SUPABASE_KEY": PLANTED["supabase_key"],
        "SUPABASE_DB_URL": PLANTED["supabase_db_url"],
        "NOTION_TOKEN": PLANTED["notion_token"],
        "HOOKBRIDGE_NOTION__BASE_URL": "http://127.0.0.1:9",
        "VERIFY_WEBHOOK_SIGNATURES": "true",
        "WEBHOOK_SECRET": ",".join(PLANTED["webhook_secrets"]),
        "NOTION_WEBHOOK_SECRET": LEARNT,
        "REDIS_URL": PLANTED["redis_url"],
    }
    async with serving(tmp_path) as service:
        await drive(service)
        token = service.service.admin_token
        for number, words in enumerate(OUTPUT):
            folder = tmp_path / str(number)
            folder.mkdir()
            server: dict[str, Any] = {"HOOKBRIDGE_ADMIN_TOKEN": token, "HOOKBRIDGE_SERVER__PORT": str(service.port)}
            ran = await command(folder, *words, **environ, **server)
            assert ran.out + ran.err, words
            assert not [one for one in (*EVERY, token) if one in ran.out + ran.err], words


@pytest.mark.parametrize(
    "wrong",
    [
        {"SUPABASE_URL": "sb_secret_planted_key"},
        {"NOTION_TOKEN": "ntn_planted_token\n"},
        {"NOTION_WEBHOOK_SECRET": " secret_planted_learnt_token"},
        {"WEBHOOK_SECRET": "whsec_planted-webhook-secret"},
        {"REDIS_URL": "planted-password@"},
        {"SUPABASE_DB_URL": "postgresql://postgres:planted-db-password@ 127.0.0.1/postgres"},
        {"HOOKBRIDGE_ADMIN_TOKEN": "planted-password\u00e9"},
        {"HOOKBRIDGE_SERVER__PORT": "many"},
        {"HOOKBRIDGE_SERVER__HOST": "planted.invalid"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_no_secret_is_in_what_a_start_that_fails_says(tmp_path: Path, wrong: dict[str, str]) -> None:
    environ: dict[str, Any] = {
        "SUPABASE_KEY": PLANTED["supabase_key"],
        "NOTION_TOKEN": PLANTED["notion_token"],
        "WEBHOOK_SECRET": ",".join(PLANTED["webhook_secrets"]),
        "REDIS_URL": PLANTED["redis_url"],
        "HOOKBRIDGE_SERVER__HOST": "planted.invalid",  # where it would start after all, it ends here
    }
    ran = await command(tmp_path, **{**environ, **wrong})
    assert ran.code == 2, ran.out + ran.err
    assert "Traceback" not in ran.err
    assert not [one for one in (*EVERY, "planted-webhook", "planted-password") if one in ran.out + ran.err]
