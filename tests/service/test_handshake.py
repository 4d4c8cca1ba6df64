"""Notion's handshake: who may bring a token, and what a token is worth until an operator has confirmed it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hookbridge.errors import HandshakeRefused
from hookbridge.standins import NotionStandin
from tests.support.commands import command
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.signing import notion_signature
from tests.support.waiting import wait_until

NOTION = "/api/v1/webhooks/notion"
TOKEN_PATH = "/api/v1/notion/verification-token"
TOKEN = "secret_of-the-first-who-came"
OTHER = "secret_of-another-who-came"
DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
PAGE = "59833787-2cf9-4fdf-8782-e53db20768a5"
SECRETS = {"webhook_secrets": ("a-secret-of-supabase",)}


@asynccontextmanager
async def receiving(
    folder: Path, *, secrets: Mapping[str, Any] = SECRETS, verify: bool = True, **notion: object
) -> AsyncIterator[Running]:
    async with running(make_settings(folder, secrets=secrets, signatures={"verify": verify}, notion=notion)) as service:
        yield service


async def shake(service: Running, token: str = TOKEN, **headers: str) -> tuple[int, Any]:
    answer = await service.post(NOTION, msgspec.json.encode({"verification_token": token}), headers)
    return answer.status, await answer.json()


def event(number: int = 1) -> bytes:
    return msgspec.json.encode(
        {
            "event_type": "update",
            "source": "notion",
            "table_name": DATABASE,
            "record_id": PAGE,
            "data": {"number": number},
            "timestamp": f"2026-01-01T15:00:{number:02}Z",
        }
    )


async def lane(service: Running) -> dict[str, Any]:
    ready = await (await service.get("/readyz")).json()
    return next(one for one in ready["lanes"] if one["source"] == "notion")


# Who may bring one


@pytest.mark.parametrize(
    ("notion", "secrets", "taken"),
    [
        ({}, {}, False),
        ({"handshake": "accept"}, {}, True),
        ({"databases": [{"id": DATABASE}]}, {}, True),
        ({}, {"notion_token": "ntn_x"}, True),
        ({"handshake": "refuse", "databases": [{"id": DATABASE}]}, {"notion_token": "ntn_x"}, False),
    ],
)
@pytest.mark.parametrize("verify", [True, False])
async def test_a_handshake_is_taken_only_where_notion_is_set_up(
    tmp_path: Path, notion: dict[str, Any], secrets: dict[str, str], *, taken: bool, verify: bool
) -> None:
    async with NotionStandin(token="ntn_x") as standin:
        settings = {"base_url": standin.url, **notion}
        async with receiving(tmp_path, secrets={**SECRETS, **secrets}, verify=verify, **settings) as service:
            status, said = await shake(service)
            assert status == (200 if taken else 409)
            if not taken:
                assert said["error"] == "handshake_refused"
                assert "[notion] handshake" in said["hint"]
                assert (await service.get(TOKEN_PATH)).status == 404


async def test_a_word_that_a_stranger_presents_signs_nothing_for_a_user_of_supabase_alone(tmp_path: Path) -> None:
    async with receiving(tmp_path) as service:
        assert (await shake(service, "warning"))[0] == 401
        answer = await service.post(NOTION, event(), notion_signature(event(), "warning"))
        assert answer.status == 401


@pytest.mark.parametrize("token", ["w", "warning", "fifteen-letters"])
async def test_a_word_that_could_be_guessed_is_no_token(tmp_path: Path, token: str) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service, token))[0] == 401
        assert (await service.get(TOKEN_PATH)).status == 404


@pytest.mark.parametrize("size", [4_097, 100_000])
async def test_a_large_body_is_no_handshake(tmp_path: Path, size: int) -> None:
    body = msgspec.json.encode({"verification_token": TOKEN})
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await service.post(NOTION, body + b" " * (size - len(body)))).status == 401
        assert (await service.post(NOTION, body + b" " * (4_096 - len(body)))).status == 200


async def test_a_signed_handshake_with_the_token_that_is_known_is_acknowledged_again(tmp_path: Path) -> None:
    body = msgspec.json.encode({"verification_token": TOKEN})
    other = msgspec.json.encode({"verification_token": OTHER})
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
        assert (await service.post(NOTION, body, notion_signature(body, TOKEN))).status == 200
        assert (await service.post(NOTION, body)).status == 409
        assert (await service.post(NOTION, body, notion_signature(body, "secret_wrong"))).status == 401
        assert (await service.post(NOTION, other, notion_signature(other, TOKEN))).status == 409
        assert (await (await service.get(TOKEN_PATH)).json())["verification_token"] == TOKEN


async def test_the_same_token_at_the_same_time_is_taken_each_time_and_another_one_is_refused(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        came = [(token, f"192.0.2.{number}") for number, token in enumerate((TOKEN, TOKEN, OTHER, TOKEN))]
        taken = await asyncio.gather(*(service.service.holds.take_token(*one) for one in came), return_exceptions=True)
        assert [type(one) for one in taken] == [type(None), type(None), HandshakeRefused, type(None)]
        known = await (await service.get(TOKEN_PATH)).json()
        assert (known["verification_token"], known["learnt_from"]) == (TOKEN, "192.0.2.0")


@pytest.mark.parametrize("last", ["forget", "confirm"])
async def test_what_is_said_of_a_token_at_the_same_time_counts_in_the_order_in_which_it_was_said(
    tmp_path: Path, last: str
) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        holds = service.service.holds
        said = {"confirm": holds.confirm_token, "forget": holds.forget_token}
        assert (await shake(service))[0] == 200
        await asyncio.gather(*(said[word]() for word in sorted(said, key=last.__eq__)), return_exceptions=True)
        assert (await service.get(TOKEN_PATH)).status == 404
        assert (await shake(service, OTHER))[0] == 200
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await (await service.get(TOKEN_PATH)).json())["verification_token"] == OTHER


@pytest.mark.parametrize("learnt", [None, OTHER])
async def test_a_token_of_the_environment_that_notion_presents_again_is_not_learnt(
    tmp_path: Path, learnt: str | None
) -> None:
    if learnt:
        async with receiving(tmp_path, handshake="accept") as service:
            assert (await shake(service, learnt))[0] == 200
    secrets = {**SECRETS, "notion_webhook_secrets": ("secret_of-an-older-one", TOKEN)}
    body = msgspec.json.encode({"verification_token": TOKEN})
    async with receiving(tmp_path, secrets=secrets, handshake="accept") as service:
        assert (await service.post(NOTION, body, notion_signature(body, TOKEN))).status == 200
        assert (await service.post(NOTION, body, notion_signature(body, "secret_of-an-older-one"))).status == 200
        assert (await service.post(NOTION, body)).status == 409
        shown = await service.get(TOKEN_PATH)
        assert (await shown.json()).get("verification_token") == learnt
    async with receiving(tmp_path) as service:
        assert (await (await service.get(TOKEN_PATH)).json()).get("verification_token") == learnt


# What it is worth until it is confirmed


@pytest.mark.parametrize("restart", [False, True])
async def test_without_credentials_events_wait_until_the_token_is_confirmed(tmp_path: Path, *, restart: bool) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
        assert (await service.post(NOTION, event(), notion_signature(event(), TOKEN))).status == 202
        held = await lane(service)
        assert (held["state"], "--confirm" in held["reason"]) == ("paused", True)
        if not restart:
            await _confirmed(service)
            return
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await lane(service))["state"] == "paused"
        await _confirmed(service)


async def _confirmed(service: Running) -> None:
    assert (await service.service.store.totals()).books.open == 1
    confirmed = await service.http.post(f"{TOKEN_PATH}/confirm", headers=ADMIN)
    assert (await confirmed.json())["confirmed"] is True
    assert (await lane(service))["state"] == "running"

    async def applied() -> bool:
        return (await service.service.store.totals()).books.applied == 1

    await wait_until(applied)


async def test_an_operators_own_pause_outlives_the_confirmation_and_the_other_way_round(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
        pause, resume = ("/api/v1/sources/notion/pause", "/api/v1/sources/notion/resume")
        assert "operator" in (await (await service.http.post(pause, headers=ADMIN)).json())["reason"]
        assert "--confirm" in (await (await service.http.post(resume, headers=ADMIN)).json())["reason"]
        await service.http.post(pause, headers=ADMIN)
        await service.http.post(f"{TOKEN_PATH}/confirm", headers=ADMIN)
        assert "operator" in (await lane(service))["reason"]
        await service.http.post(resume, headers=ADMIN)
        assert (await lane(service))["state"] == "running"


async def _runs(service: Running) -> bool:
    return bool((await lane(service))["state"] == "running")


@pytest.mark.parametrize("way", ["credentials", "a token of the environment", "nothing is verified", "forgotten"])
async def test_nothing_waits_where_nobody_would_be_believed(tmp_path: Path, way: str) -> None:
    async with NotionStandin(token="ntn_x") as standin:
        secrets = {**SECRETS, **({"notion_token": "ntn_x"} if way == "credentials" else {})}
        notion = {"handshake": "accept", "base_url": standin.url}
        async with receiving(tmp_path, secrets=secrets, verify=way != "nothing is verified", **notion) as service:
            assert (await shake(service))[0] == 200
            if way == "forgotten":
                assert (await lane(service))["state"] == "paused"
                await service.http.delete(TOKEN_PATH, headers=ADMIN)
            if way != "a token of the environment":
                await wait_until(lambda: _runs(service))  # of a database's pages one node alone works, from its duty on
    if way == "a token of the environment":
        secrets = {**SECRETS, "notion_webhook_secrets": (TOKEN,)}
        async with receiving(tmp_path, secrets=secrets, handshake="accept") as service:
            assert (await lane(service))["state"] == "running"
            assert (await (await service.get("/readyz")).json())["warnings"] == []
            assert (await (await service.get(TOKEN_PATH)).json())["confirmed"] is True


async def test_a_token_of_the_environment_says_nothing_of_another_one_that_was_learnt(tmp_path: Path) -> None:
    secrets = {**SECRETS, "notion_webhook_secrets": ("secret_of-notions-own-form",)}
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
    async with receiving(tmp_path, secrets=secrets, handshake="accept") as service:
        assert (await service.post(NOTION, event(), notion_signature(event(), TOKEN))).status == 202
        assert "--confirm" in (await lane(service))["reason"]
        assert len((await (await service.get("/readyz")).json())["warnings"]) == 1
        await service.http.delete(TOKEN_PATH, headers=ADMIN)
        assert (await lane(service))["state"] == "running"
        assert (await service.post(NOTION, event(2), notion_signature(event(2), TOKEN))).status == 401


async def test_operators_are_told_when_and_from_where_it_came_and_strangers_are_not(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
        (warning,) = (await (await service.get("/readyz")).json())["warnings"]
        assert "127.0.0.1" in warning
        assert "--confirm" in warning
        assert (await (await service.http.get("/readyz")).json())["warnings"] == []
        known = await (await service.get(TOKEN_PATH)).json()
        assert (known["learnt_from"], known["confirmed"], known["learnt_at"][:2]) == ("127.0.0.1", False, "20")
        await service.http.post(f"{TOKEN_PATH}/confirm", headers=ADMIN)
        assert (await (await service.get("/readyz")).json())["warnings"] == []


async def test_nothing_to_confirm_is_said_with_what_to_do(tmp_path: Path) -> None:
    async with receiving(tmp_path) as service:
        answer = await service.http.post(f"{TOKEN_PATH}/confirm", headers=ADMIN)
        assert (answer.status, (await answer.json())["error"]) == (404, "not_found")
        assert (await service.http.post(f"{TOKEN_PATH}/confirm")).status == 401


async def test_a_token_that_an_earlier_version_kept_counts_as_confirmed(tmp_path: Path) -> None:
    async with receiving(tmp_path) as service:
        await service.service.store.put_note("notion-verification-token", TOKEN)
    async with receiving(tmp_path) as service:
        assert (await lane(service))["state"] == "running"
        assert (await service.post(NOTION, event(), notion_signature(event(), TOKEN))).status == 202
        known = await (await service.get(TOKEN_PATH)).json()
        assert (known["confirmed"], known["learnt_at"]) == (True, None)


async def test_the_command_confirms_and_shows_what_is_not_confirmed(tmp_path: Path) -> None:
    async with receiving(tmp_path / "data", handshake="accept") as service:
        await shake(service)
        ran = await command(tmp_path, "notion-token", "--url", service.url)
        assert (ran.code, ran.out) == (0, f"{TOKEN}\n")
        assert "from 127.0.0.1 and is not confirmed" in ran.err
        ran = await command(tmp_path, "notion-token", "--confirm", "--url", service.url)
        assert (ran.code, ran.out, ran.err) == (0, f"{TOKEN}\n", "Confirmed.\n")
        ran = await command(tmp_path, "notion-token", "--confirm", "--forget", "--url", service.url)
        assert ran.code == 2
        assert (await lane(service))["state"] == "running"
