"""What of a destination is secret is not shown, whichever part of it an answer quotes."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from hookbridge.config import Secrets
from hookbridge.observe.redaction import redaction
from hookbridge.settings import load
from tests.service.test_destinations import in_state
from tests.support.receivers import SECRET, Receiver, receiver
from tests.support.running import make_settings, running

HEADERS = {"Authorization": "Bearer planted-token", "X-Key": "planted-key"}
VARIABLES = {
    "OF_PATH": "planted-path",
    "OF_QUERY": "planted query",
    "OF_TOKEN": "planted-token",
    "OF_KEY": "planted-key",
    "SIGNS": SECRET,
}
BLOCK = """
[[destinations]]
name = "search"
url = "{url}/{{env:OF_PATH}}?k={{env:OF_QUERY}}"
secret = "{{env:SIGNS}}"
headers = {{ Authorization = "Bearer {{env:OF_TOKEN}}", X-Key = "{{env:OF_KEY}}" }}
"""


async def shown(folder: Path, there: Receiver, secrets: Secrets, answer: str) -> str:
    """Give what operators see of a destination that answers so, and what is logged of it."""
    there.otherwise = lambda: web.Response(status=404, text=answer)
    settings = make_settings(folder, secrets={"destinations": secrets.destinations})
    redaction.begin(secrets)
    try:
        with capture_logs() as logs:
            async with running(settings) as service:
                now = await in_state(service, "down")
    finally:
        redaction.begin(Secrets())
    reasons = [one["reason"] for one in logs if one["event"] == "A destination does not take a change"]
    assert reasons[0] == now["reason"]
    return str(now["reason"])


def written(folder: Path, toml: str, environ: Mapping[str, str]) -> Secrets:
    (folder / "config.toml").write_text(toml)
    return load(None, environ, folder).secrets


async def test_an_answer_that_quotes_what_variables_hold_is_shown_without_it(tmp_path: Path) -> None:
    async with receiver() as there:
        secrets = written(tmp_path, BLOCK.format(url=there.url), {**VARIABLES, "OF_QUERY": "planted%20query"})
        said = "no /changes/planted-path?k=planted%20query, k is planted query, nobody has planted-token or planted-key"
        assert await shown(tmp_path, there, secrets, said) == (
            "it answered 404: no /changes/[secret]?[secret], k is [secret], nobody has [secret] or [secret]"
        )


async def test_an_answer_that_quotes_what_stands_in_the_list_itself_is_shown_without_it(tmp_path: Path) -> None:
    async with receiver() as there:
        url = f"{there.url}/T0PLANTED0000000000?wait=true&k=K0PLANTED0000000000"
        block = {"name": "search", "url": url, "secret": SECRET, "headers": HEADERS}
        secrets = written(tmp_path, "", {"HOOKBRIDGE_DESTINATIONS": msgspec.json.encode([block]).decode()})
        said = "T0PLANTED0000000000 or K0PLANTED0000000000, true for planted-token and planted-key"
        assert await shown(tmp_path, there, secrets, said) == (
            "it answered 404: [secret] or [secret], true for [secret] and [secret]"
        )


@pytest.mark.parametrize("before", [190, 199, 4000])
async def test_half_a_secret_is_not_shown_where_an_answer_is_cut(tmp_path: Path, before: int) -> None:
    async with receiver() as there:
        secrets = written(tmp_path, BLOCK.format(url=there.url), {**VARIABLES, "OF_QUERY": "planted%20query"})
        reason = await shown(tmp_path, there, secrets, "x" * before + "planted-token" * 3 + "y" * 5000)
        assert "plan" not in reason


def test_where_a_url_leads_to_is_no_secret_also_where_a_variable_says_it(tmp_path: Path) -> None:
    toml = BLOCK.replace("{url}/{{env:OF_PATH}}", "https://{{env:OF_HOST}}/{{env:OF_PATH}}").format()
    secrets = written(tmp_path, toml, {**VARIABLES, "OF_QUERY": "1234", "OF_HOST": "planted.example.com"})
    redaction.begin(secrets)
    try:
        assert redaction.clean("planted.example.com/planted-path") == "planted.example.com/[secret]"
    finally:
        redaction.begin(Secrets())
