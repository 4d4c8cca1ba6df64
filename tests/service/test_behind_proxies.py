"""Behind a proxy that is trusted, whoever sent a request is named by the address that this proxy heard."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

STRANGER = "198.51.100.7"
FORGED = "203.0.113.9"
FOR = {"X-Forwarded-For": f"{FORGED}, {STRANGER}"}
SECRETS = {"webhook_secrets": ("a-secret-of-the-senders",)}
HANDSHAKE = msgspec.json.encode({"verification_token": "secret_of-the-first-who-came"})
TRUSTED = {"trusted_proxies": ["127.0.0.1", "10.0.0.0/8"]}

NOTION = {"handshake": "accept"}


def logged(lines: Sequence[Mapping[str, Any]]) -> list[str | None]:
    """Whose requests have lines in the access log."""
    return [line["remote"] for line in lines if line["event"] == "Request"]


async def peers(service: Running) -> list[str | None]:
    listing: dict[str, Any] = await (await service.get("/api/v1/rejected")).json()
    return [one["peer"] for one in listing["rejected"]]


@pytest.mark.parametrize(
    ("server", "headers", "expected"),
    [
        (TRUSTED, FOR, STRANGER),
        (TRUSTED, {"Forwarded": f"for={FORGED}, for={STRANGER}"}, STRANGER),
        (TRUSTED, {}, "127.0.0.1"),
        ({"trusted_proxies": ["10.0.0.0/8"]}, FOR, "127.0.0.1"),
        ({}, FOR, "127.0.0.1"),
    ],
)
async def test_a_refused_webhook_the_access_log_and_the_handshake_name_the_sender(
    tmp_path: Path, server: dict[str, Any], headers: dict[str, str], expected: str
) -> None:
    server = {**server, "access_log": "all"}
    settings = make_settings(tmp_path, secrets=SECRETS, signatures={"verify": True}, server=server, notion=NOTION)
    async with running(settings) as service:
        with capture_logs() as lines:
            assert (await service.post("/api/v1/webhooks/supabase", {}, headers)).status == 401
            assert (await service.post("/api/v1/webhooks/notion", HANDSHAKE, headers)).status == 200
            await wait_until(lambda: len(logged(lines)) == 2)
        assert await peers(service) == [expected]
        known = await (await service.get("/api/v1/notion/verification-token")).json()
        assert known["learnt_from"] == expected
    assert set(logged(lines)) == {expected}


async def test_a_request_that_is_answered_before_its_endpoint_is_known_names_the_sender_too(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path, server=TRUSTED)) as service:
        with capture_logs() as lines:
            assert (await service.get("/no-such-path", FOR)).status == 404
            assert (await service.get("/readyz", {**FOR, "Host": "evil.example"})).status == 421
            await wait_until(lambda: len(logged(lines)) == 2)
    assert logged(lines) == [STRANGER, STRANGER]
