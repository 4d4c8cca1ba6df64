"""The index names every file and only files that there are, and its commands do what they say."""

import re
import shutil
from pathlib import Path

import pytest

from tests.support.examples import EXAMPLES, run
from tests.support.running import ADMIN_TOKEN, Running, make_settings, running

README = (EXAMPLES / "README.md").read_text()
ELSEWHERE = ("monitoring",)  # has an index of its own


def test_every_file_has_its_line_and_every_line_its_file() -> None:
    linked = set(re.findall(r"\]\(([^)#:]+)\)", README)) - {"payloads", *ELSEWHERE}
    there = {
        path.relative_to(EXAMPLES).as_posix()
        for path in EXAMPLES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert linked == {path for path in there if path != "README.md" and not path.startswith(ELSEWHERE)}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_its_commands_run_as_they_stand(client: Running) -> None:
    block, check = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    tried, sent = block.splitlines()
    code, said = await run("sh", "-c", tried.replace("http://localhost:8080", client.url))
    assert (code, '"status":"valid"' in said) == (0, True), said
    code, said = await run("sh", "-c", sent.replace("http://localhost:8080", client.url))
    assert (code, '"status":"accepted"' in said) == (0, True), said
    code, said = await run("sh", "-c", check.replace("http://localhost:8080", client.url))
    assert code == 0, said
    assert {line.partition(" ")[0] for line in said.splitlines()} == {"200"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_check_says_which_payload_is_refused(client: Running, tmp_path: Path) -> None:
    wrong = tmp_path / "supabase_wrong.json"
    wrong.write_text('{"event_type": "insert"}')
    right = EXAMPLES / "payloads" / "notion_guide_update.json"
    assert await run("testing/check_payloads.sh", client.url, wrong, right) == (
        1,
        "422 supabase_wrong.json\n200 notion_guide_update.json\n",
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_check_presents_the_admin_token_where_signatures_are_verified(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{ADMIN_TOKEN}\n")
    payload = EXAMPLES / "payloads" / "supabase_guide_insert.json"
    settings = make_settings(tmp_path, secrets={"webhook_secrets": ("secret",)}, signatures={"verify": True})
    async with running(settings) as strict:
        check = ("testing/check_payloads.sh", strict.url, payload)
        right, wrong = f"200 {payload.name}\n", f"401 {payload.name}\n"
        assert await run(*check, HOOKBRIDGE_ADMIN_TOKEN=ADMIN_TOKEN) == (0, right)
        assert await run(*check, HOOKBRIDGE_ADMIN_TOKEN="", HOOKBRIDGE_ADMIN_TOKEN_FILE=str(token)) == (0, right)
        nowhere = str(tmp_path / "nowhere")
        assert await run(*check, HOOKBRIDGE_ADMIN_TOKEN="", HOOKBRIDGE_ADMIN_TOKEN_FILE=nowhere) == (1, wrong)
