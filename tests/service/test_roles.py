"""What a node does and answers that has not every role."""

from pathlib import Path

import msgspec
import pytest

from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

WEBHOOKS = ("/api/v1/webhooks/supabase", "/api/v1/webhooks/notion", "/api/v1/webhooks/test")
INSERT = {
    "event_type": "insert",
    "source": "supabase",
    "table_name": "users",
    "record_id": "1",
    "data": {"id": 1},
    "timestamp": "2026-01-01T15:00:00Z",
}


def roles(*names: str) -> dict[str, list[str]]:
    return {"roles": list(names)}


@pytest.mark.parametrize("path", WEBHOOKS)
@pytest.mark.parametrize("signed", [False, True])
async def test_a_node_that_receives_nothing_sends_senders_away_and_says_where_to(
    tmp_path: Path, path: str, *, signed: bool
) -> None:
    settings = make_settings(tmp_path, node=roles("process", "reconcile"))
    async with running(settings) as node:
        answer = await node.post(path, INSERT, ADMIN if signed else None)
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        said = await answer.json()
        assert (said["error"], "receive" in said["hint"]) == ("not_receiving", True)
        assert (await node.service.store.totals()).books.received == 0


async def test_each_webhook_of_a_connection_is_sent_away(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, node=roles("process"))) as node:
        statuses = [(await node.post(WEBHOOKS[0], INSERT)).status for _ in range(3)]
        assert statuses == [503, 503, 503]
        rejected = await (await node.get("/api/v1/rejected")).json()
        assert [one["reason"] for one in rejected["rejected"]] == ["not_receiving"] * 3


async def test_operators_words_and_statistics_need_no_role(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, node=roles("reconcile"))) as node:
        assert (await node.post("/api/v1/events", INSERT, ADMIN)).status == 202
        stats = await (await node.get("/api/v1/webhooks/stats", {})).json()
        assert stats["books"]["received"] == 1
        assert (await node.get("/healthz", {})).status == 200
        assert (await node.get("/readyz", {})).status == 200


@pytest.mark.on("sqlite")  # others may do what a node of several does not
async def test_a_role_that_nobody_else_can_have_is_missed(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, node=roles("receive"))) as node:
        (warning,) = (await (await node.get("/readyz")).json())["warnings"]
        assert "process and reconcile" in warning
    async with running(make_settings(tmp_path)) as node:
        assert (await (await node.get("/readyz")).json())["warnings"] == []


@pytest.mark.parametrize("ordinary", [False, True])
async def test_a_node_that_only_receives_stores_and_processes_nothing(tmp_path: Path, *, ordinary: bool) -> None:
    async with running(make_settings(tmp_path, node=roles("receive"))) as node:
        headers = {"Content-Type": "application/json; charset=utf-8"} if ordinary else None
        answer = await node.post(WEBHOOKS[0], INSERT, headers)
        assert answer.status == 202
        number = answer.headers["X-Hookbridge-Event"]
    # It has ended, and so has whatever it had begun.
    async with running(make_settings(tmp_path, node=roles("receive"))) as node:
        assert await _is_open(node, number)
    async with running(make_settings(tmp_path)) as node:

        async def settled() -> bool:
            return not await _is_open(node, number)

        await wait_until(settled)


async def _is_open(node: Running, number: str) -> bool:
    event = msgspec.json.decode(await (await node.get(f"/api/v1/events/{number}")).read())
    assert isinstance(event, dict)
    return event["state"] == "open" and event["claimed_at"] is None
