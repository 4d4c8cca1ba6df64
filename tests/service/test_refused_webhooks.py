"""A webhook that is refused is one line of the log, and a flood of them is a few lines that say how many there were."""

from collections import Counter
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from hookbridge.observe import rejections
from tests.support.books import WEBHOOKS, hint
from tests.support.running import make_settings, running
from tests.support.waiting import wait_until
from tests.support.wire import ask

SECRETS = {"webhook_secrets": ("a-secret-of-the-senders",)}
FLOOD = 40
REFUSALS = {
    "unsigned": (f"{WEBHOOKS}/supabase", b"{}", {}, 401),
    "for Notion, and no JSON": (f"{WEBHOOKS}/notion", b"{", {}, 401),
    "another media type": (f"{WEBHOOKS}/supabase", b"{}", {"Content-Type": "text/plain"}, 415),
    "packed": (f"{WEBHOOKS}/supabase", b"{}", {"Content-Encoding": "gzip"}, 415),
}


def of_requests(lines: Sequence[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    """Without what a node says of its duties, which begin when it wants."""
    return [line for line in lines if line["event"] != "A duty begins"]


@pytest.mark.parametrize(("path", "body", "headers", "status"), REFUSALS.values(), ids=REFUSALS)
async def test_a_flood_of_refused_webhooks_is_a_few_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    monkeypatch.setattr(rejections, "LINES_SECONDS", 0.5)
    settings = make_settings(tmp_path, secrets=SECRETS, signatures={"verify": True})
    async with running(settings) as service:
        with capture_logs() as lines:
            for _ in range(FLOOD):
                assert (await service.post(path, body, headers)).status == status
            refused = [line for line in lines if line["event"] == "Webhook refused"]
            await wait_until(lambda: sum(line.get("requests", 1) for line in of_requests(lines)) >= FLOOD)
    assert {line["path"] for line in refused} == {path}
    assert {line["event"] for line in of_requests(lines)} == {"Webhook refused", "More webhooks were refused"}
    assert len(lines) < FLOOD


@pytest.mark.parametrize("access_log", ["errors", "all"])
async def test_either_way_of_a_webhook_says_why_it_could_not_be_stored(tmp_path: Path, access_log: str) -> None:
    async with running(make_settings(tmp_path, server={"access_log": access_log}), process=False) as service:
        await service.service.store.close()
        with capture_logs() as lines:
            assert (await service.post(f"{WEBHOOKS}/supabase", hint(1))).status == 503
    refused = next(line for line in lines if line["event"] == "Webhook refused")
    assert (refused["status"], refused["hint"]) == (503, "The store is closed")


async def test_what_a_sender_could_do_about_it_is_told_the_operator_too(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        with capture_logs() as lines:
            answer = await service.post(f"{WEBHOOKS}/notion", {"verification_token": "secret_of-who-came-first"})
    refused = next(line for line in lines if line["event"] == "Webhook refused")
    assert refused["status"] == answer.status
    assert 'set NOTION_TOKEN, list a database, or set [notion] handshake = "accept"' in refused["hint"]


@pytest.mark.parametrize(("access_log", "requests"), [("errors", 1), ("all", 3), ("none", 0)])
async def test_with_an_access_log_of_everything_they_are_requests_too(
    tmp_path: Path, access_log: str, requests: int
) -> None:
    server = {"access_log": access_log}
    settings = make_settings(tmp_path, secrets=SECRETS, signatures={"verify": True}, server=server)
    async with running(settings) as service:
        with capture_logs() as lines:
            assert (await service.post(f"{WEBHOOKS}/supabase", {})).status == 401
            assert (await ask(service, b"no HTTP\r\n\r\n")).status == 400
            assert (await service.get("/no-such-path")).status == 404
            await wait_until(lambda: Counter(line["event"] for line in lines)["Request"] == requests)
    events = Counter(line["event"] for line in of_requests(lines))
    assert events == Counter({"Webhook refused": 1, "Malformed request": 1, "Request": requests})
