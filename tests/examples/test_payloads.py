"""Every payload of the examples is what its name says, on a running service."""

from pathlib import Path

import pytest

from tests.support.books import events, settled
from tests.support.examples import EXAMPLES
from tests.support.running import Running, make_settings, running

PAYLOADS = {
    path.stem: path.read_bytes() for path in sorted((EXAMPLES / "payloads").glob("*.json"), key=lambda path: path.name)
}
FORMATS = {
    "supabase_guide": "guide",
    "supabase_database_webhook": "database_webhook",
    "supabase_trigger": "database_webhook",
    "notion_guide": "guide",
    "notion_integration": "integration",
    "notion_automation": "automation",
}
CHANGES = {"insert": ["insert"], "delete": ["delete"], "deleted": ["delete"], "key": ["delete", "insert"]}


@pytest.mark.parametrize("name", PAYLOADS)
async def test_a_payload_is_accepted_as_what_its_name_says(name: str, tmp_path: Path) -> None:
    source = name.partition("_")[0]
    async with running(make_settings(tmp_path, notion={"handshake": "accept"})) as service:
        answer = await service.post(f"/api/v1/webhooks/{source}", PAYLOADS[name])
        if name == "notion_handshake":
            assert answer.status == 200
            return
        assert answer.status == 202, await answer.text()
        await settled(service)
        found = await events(service)
        (format_,) = (format_ for prefix, format_ in FORMATS.items() if name.startswith(prefix))
        assert {one["format"] for one in found} == {format_}
        expected = CHANGES.get(name.rpartition("_")[2], ["update"])
        assert sorted(one["type"] for one in found) == expected
        assert {one["outcome"] for one in found} == {"applied"}


@pytest.mark.parametrize("name", PAYLOADS)
async def test_the_test_endpoint_finds_it_valid(name: str, client: Running) -> None:
    source = name.partition("_")[0]
    answer = await client.post(f"/api/v1/webhooks/test?source={source}", PAYLOADS[name])
    assert (answer.status, (await answer.json())["status"]) == (200, "valid")
