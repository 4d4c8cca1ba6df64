"""`notion-token`: what Notion's handshake brought, one command away."""

from pathlib import Path

from tests.support.commands import command
from tests.support.running import make_settings, running

NOTION = "/api/v1/webhooks/notion"


async def test_the_token_of_the_handshake_is_printed_and_forgotten(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path / "data", notion={"handshake": "accept"})) as client:
        none = await command(tmp_path, "notion-token", "--url", client.url)
        assert none.code == 1
        assert none.out.startswith("No verification token")
        assert (await client.post(NOTION, {"verification_token": "secret_first-of-notion"})).status == 200
        ran = await command(tmp_path, "notion-token", "--url", client.url)
        assert (ran.code, ran.out) == (0, "secret_first-of-notion\n")
        ran = await command(tmp_path, "notion-token", "--json", "--url", client.url)
        assert [one["verification_token"] for one in ran.lines] == ["secret_first-of-notion"]
        ran = await command(tmp_path, "notion-token", "--forget", "--url", client.url)
        assert (ran.code, ran.out) == (0, "Forgotten; the next handshake is kept\n")
        assert (await client.post(NOTION, {"verification_token": "secret_second-of-notion"})).status == 200
