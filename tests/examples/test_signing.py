"""The signing examples against a service that takes nothing unsigned."""

import json
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.books import events, settled
from tests.support.examples import EXAMPLES, run
from tests.support.postgres import database
from tests.support.running import Running, make_settings, running

SECRET = "what only sender and receiver know"
STANDARD_SECRET = "whsec_d2hhdCBvbmx5IHNlbmRlciBhbmQgcmVjZWl2ZXIga25vdw=="
EVERY_SECRET = pytest.mark.parametrize(
    "secret",
    [
        pytest.param(SECRET, id="plain"),
        pytest.param(STANDARD_SECRET, id="standard"),
        pytest.param(STANDARD_SECRET.rstrip("="), id="standard-unpadded"),
    ],
)
PAYLOAD = EXAMPLES / "payloads" / "supabase_guide_insert.json"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
needs_shell = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="curl and openssl are not installed"
)
PYTHON = (sys.executable, "signing/sign.py")
JAVASCRIPT = (NODE or "node", "signing/sign.mjs")
SHELL = ("sh", "signing/sign.sh")


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Running]:
    """A service that knows both secrets, and verifies."""
    settings = make_settings(
        tmp_path, secrets={"webhook_secrets": (SECRET, STANDARD_SECRET)}, signatures={"verify": True}
    )
    async with running(settings) as one:
        yield one


@EVERY_SECRET
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(PYTHON, id="python"),
        pytest.param(JAVASCRIPT, id="node", marks=needs_node),
        pytest.param(SHELL, id="shell", marks=needs_shell),
    ],
)
async def test_a_signed_file_is_accepted_and_one_signed_otherwise_is_not(
    strict: Running, command: tuple[str, ...], secret: str
) -> None:
    url = f"{strict.url}/api/v1/webhooks/supabase"
    code, said = await run(*command, PAYLOAD, url, WEBHOOK_SECRET=secret)
    assert (code, "accepted" in said) == (0, True), said
    code, said = await run(*command, PAYLOAD, url, WEBHOOK_SECRET=secret.replace("d", "e"))
    assert code != 0
    assert "401" in said
    assert (await settled(strict))["received"] == 1


@EVERY_SECRET
async def test_sql_signs_the_text_of_the_jsonb_that_pg_net_sends(
    strict: Running, postgres_url: str, secret: str
) -> None:
    async with database(postgres_url) as url:
        sql: asyncpg.Connection = await asyncpg.connect(url)
        try:
            await sql.execute((EXAMPLES / "signing" / "sign.sql").read_text())
            row = await sql.fetchrow(
                "select m::text as body, webhook_headers(m::text, $2) as headers from (select $1::jsonb) as t (m)",
                *(json.dumps({**json.loads(PAYLOAD.read_text()), "data": {"name": "Zoë 😀"}}), secret),
            )
        finally:
            await sql.close()
    headers = json.loads(row["headers"])
    path = "/api/v1/webhooks/supabase"
    assert (await strict.post(path, row["body"].encode() + b" ", headers)).status == 401
    assert (await strict.post(path, row["body"].encode(), headers)).status == 202


@needs_node
@EVERY_SECRET
async def test_the_zapier_step_announces_a_page(strict: Running, tmp_path: Path, secret: str) -> None:
    step = (EXAMPLES / "senders" / "zapier_code_step.js").read_text()
    page, database_id = "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
    given = {
        "url": f"{strict.url}/api/v1/webhooks/notion",
        "secret": secret,
        "database_id": database_id,
        "page_id": page,
        "edited_at": "2026-01-01T15:00:00.000Z",
        "name": "Zoë's page 😀",
    }
    # Zapier runs a step as the body of an async function that has inputData and gives output.
    script = tmp_path / "step.cjs"
    script.write_text(
        f"(async (inputData) => {{ let output; {step}; console.log(JSON.stringify(output)); }})({json.dumps(given)})"
        ".catch((error) => { console.error(error.message); process.exitCode = 1; });"
    )
    code, said = await run(JAVASCRIPT[0], script)
    assert code == 0, said
    assert json.loads(said)["status"] == 202
    await settled(strict)
    (event,) = await events(strict)
    assert (event["source"], event["table"], event["id"] and event["record_id"]) == ("notion", database_id, page)
    assert json.loads(said)["event"] == str(event["id"])

    script.write_text(script.read_text().replace(secret, secret.replace("d", "e")))
    code, said = await run(JAVASCRIPT[0], script)
    assert code == 1
    assert said.startswith("hookbridge answered 401")


async def test_makes_request_is_accepted_with_the_static_token(tmp_path: Path) -> None:
    text = (EXAMPLES / "senders" / "make_http_module.md").read_text()
    body = text.partition("```json\n")[2].partition("```")[0]
    filled = body.replace("{{1.id}}", "p1").replace("{{1.last_edited_time}}", "2026-01-01T15:00:00.000Z")
    assert "{{" not in filled
    settings = make_settings(
        tmp_path, secrets={"webhook_secrets": (SECRET,)}, signatures={"verify": True, "static_token": True}
    )
    async with running(settings) as service:
        answer = await service.post("/api/v1/webhooks/notion", filled.encode(), {"X-Webhook-Signature": SECRET})
        assert answer.status == 202, await answer.text()
