"""Under which names the service answers."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hookbridge.settings.hosts import name_of
from tests.support.running import ADMIN, make_settings, running
from tests.support.signing import webhook_signature

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: who may ask

SECRET = "a-secret-of-the-senders"
VERIFIED: dict[str, Any] = {"secrets": {"webhook_secrets": (SECRET,)}, "signatures": {"verify": True}}
EVENT = msgspec.json.encode({"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "1"})
SUPABASE = "/api/v1/webhooks/supabase"
LOOPBACK = ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.9.9.9:1", "[::1]:8080", "a.localhost"]
OTHERS = [
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "[::2]",
    "localhost.evil.example",
    "[::1].evil.example",
    "[::1",
    "127.0.0.1:evil",
    "",
]


async def statuses(folder: Path, host: str, **sections: Any) -> dict[str, int]:  # noqa: ANN401  as settings take them
    async with running(make_settings(folder, **sections)) as service:
        headers = {"Host": host, **webhook_signature(EVENT, SECRET)}
        asked = {path: await service.http.get(path, headers=ADMIN | {"Host": host}) for path in ("/readyz", "/healthz")}
        asked["webhook"] = await service.post(SUPABASE, EVENT, headers)
        asked["ordinary"] = await service.post(SUPABASE + "?", EVENT, headers)
        if asked["webhook"].status == 421:
            said = await asked["webhook"].json()
            assert (said["error"], "[server] allowed_hosts" in said["hint"]) == ("misdirected_request", True)
        return {name: answer.status for name, answer in asked.items()}


FINE = {"/readyz": 200, "/healthz": 200, "webhook": 202, "ordinary": 202}
REFUSED = {"/readyz": 421, "/healthz": 200, "webhook": 421, "ordinary": 421}


@pytest.mark.parametrize("host", LOOPBACK)
async def test_an_unsigned_service_on_loopback_answers_under_loopback_names(tmp_path: Path, host: str) -> None:
    assert await statuses(tmp_path, host) == FINE


@pytest.mark.parametrize("host", OTHERS)
async def test_and_under_no_other_name(tmp_path: Path, host: str) -> None:
    assert await statuses(tmp_path, host) == REFUSED


@pytest.mark.parametrize("host", ["hooks.example.com", "127.0.0.1", "tunnel.example:443"])
async def test_a_verified_service_answers_under_any_name(tmp_path: Path, host: str) -> None:
    assert await statuses(tmp_path, host, **VERIFIED) == FINE


@pytest.mark.parametrize("sections", [{}, VERIFIED], ids=["unsigned", "verified"])
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("hooks.example.com", FINE),
        ("HOOKS.example.com.:443", FINE),
        ("127.0.0.1", REFUSED),
        ("other.example.com", REFUSED),
    ],
)
async def test_configured_names_hold_everywhere_but_for_the_probe_of_life(
    tmp_path: Path, host: str, expected: dict[str, int], sections: dict[str, Any]
) -> None:
    server = {"allowed_hosts": ["hooks.example.com"]}
    assert await statuses(tmp_path, host, server=server, **sections) == expected


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("hooks.example.com:8443", "hooks.example.com:8443"),
        ("Hooks.Example.com.", "hooks.example.com"),
        ("[::1]", "[::1]:8080"),
        ("::1", "[::1]"),
    ],
)
async def test_a_name_may_be_configured_as_a_host_header_has_it(tmp_path: Path, written: str, host: str) -> None:
    assert await statuses(tmp_path, host, server={"allowed_hosts": [written]}) == FINE


@pytest.mark.parametrize(("host", "expected"), [("evil.example", REFUSED), ("127.0.0.2", FINE)])
async def test_every_address_of_loopback_is_loopback(tmp_path: Path, host: str, expected: dict[str, int]) -> None:
    assert await statuses(tmp_path, host, server={"host": "127.0.0.2"}) == expected


async def test_an_unsigned_service_on_every_address_answers_under_any_name(tmp_path: Path) -> None:
    assert await statuses(tmp_path, "hooks.example.com", server={"host": "0.0.0.0"}) == FINE


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a:1", "a"),
        ("A.b.", "a.b"),
        ("[::1]:80", "::1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("2001:0db8:0:0:0:0:0:1", "2001:db8::1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example:443", "xn--bcher-kva.example"),
        ("", ""),
        ("[", ""),
        (":80", ""),
        ("[::1", ""),
        ("[::1].evil.example", ""),
        ("[evil.example]", ""),
        ("a:evil", ""),
        ("a..", "a."),
        ("http://a", ""),
        ("user@a", ""),
        ("a b", ""),
    ],
)
def test_a_name_is_what_stands_before_the_port(host: str, name: str) -> None:
    assert name_of(host) == name
