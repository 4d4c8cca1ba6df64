"""What another node has noted in the store counts here: Notion's token, its confirmation, an operator's pause."""

from pathlib import Path

import msgspec
import pytest

from hookbridge.errors import HandshakeRefused
from hookbridge.handshake import LOOK_SECONDS, Handshake, Learnt
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from tests.service.test_handshake import NOTION, OTHER, TOKEN, TOKEN_PATH, event, lane, receiving, shake
from tests.support.engines import opened_on
from tests.support.running import ADMIN, Running
from tests.support.signing import notion_signature


async def noted(service: Running, token: str | None, *, confirmed: bool = True) -> None:
    """Have another node learn this token, or forget the one that is known."""
    kept = None if token is None else Learnt(token=token, at=1.0, peer="192.0.2.7", confirmed=confirmed)
    note = None if kept is None else msgspec.json.encode(kept).decode()
    await service.service.store.put_note(note_names.NOTION_TOKEN, note)


async def test_an_event_that_another_nodes_token_signed_is_taken_at_once(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        await noted(service, TOKEN)
        answer = await service.post(NOTION, event(), notion_signature(event(), TOKEN))
        assert answer.status == 202


@pytest.mark.parametrize("signs", [OTHER, TOKEN])
async def test_the_token_that_replaced_ours_at_another_node_counts_and_ours_does_not(
    tmp_path: Path, signs: str
) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
        await noted(service, OTHER)
        assert (await service.post(NOTION, event(1), notion_signature(event(1), OTHER))).status == 202
        answer = await service.post(NOTION, event(2), notion_signature(event(2), signs))
        assert answer.status == (202 if signs == OTHER else 401)


async def test_the_test_endpoint_knows_another_nodes_token_as_well(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        await noted(service, TOKEN)
        answer = await service.post("/api/v1/webhooks/test", event(), notion_signature(event(), TOKEN))
        assert answer.status == 200


async def test_what_nobody_knows_is_refused_as_before(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        await noted(service, TOKEN)
        answer = await service.post(NOTION, event(), notion_signature(event(), OTHER))
        assert (answer.status, (await answer.json())["error"]) == (401, "invalid_signature")


async def test_a_handshake_that_another_node_has_taken_is_taken_again_with_where_it_came_from_first(
    tmp_path: Path,
) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        await noted(service, TOKEN, confirmed=False)
        assert (await shake(service))[0] == 200
        assert (await (await service.get(TOKEN_PATH)).json())["learnt_from"] == "192.0.2.7"
        assert (await shake(service, OTHER))[0] == 409


async def test_a_new_subscription_is_taken_where_another_node_has_forgotten_the_old_one(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
        await noted(service, None)
        assert (await shake(service, OTHER))[0] == 200
        assert (await (await service.get(TOKEN_PATH)).json())["verification_token"] == OTHER


async def test_a_token_that_another_node_has_forgotten_is_learnt_anew_when_it_comes_again(tmp_path: Path) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        assert (await shake(service))[0] == 200
        await noted(service, None)
        await service.service.holds.take_token(TOKEN, "192.0.2.9")
        assert await service.service.store.note(note_names.NOTION_TOKEN) is not None


@pytest.mark.parametrize("asked", ["show", "confirm"])
async def test_an_operator_is_shown_and_confirms_what_another_node_has_learnt(tmp_path: Path, asked: str) -> None:
    async with receiving(tmp_path, handshake="accept") as service:
        await noted(service, TOKEN, confirmed=False)
        if asked == "confirm":
            answer = await service.http.post(f"{TOKEN_PATH}/confirm", headers=ADMIN)
        else:
            answer = await service.get(TOKEN_PATH)
        said = await answer.json()
        assert (said["verification_token"], said["confirmed"]) == (TOKEN, asked == "confirm")
        assert (await lane(service))["state"] == ("running" if asked == "confirm" else "paused")


class Keys:
    """Takes the tokens that signatures are checked with."""

    token: str | None = None

    def learn(self, token: str) -> None:
        self.token = token

    def forget(self) -> None:
        self.token = None


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    return await opened_on("sqlite", tmp_path)


async def test_unknown_signatures_make_a_node_look_once_a_second_at_most(store: Store) -> None:
    seconds = [0.0]
    keys = Keys()
    handshake = Handshake(store, keys, None, (), lambda: 1.0, monotonic=lambda: seconds[0])
    assert await handshake.look_again() is False
    kept = msgspec.json.encode(Learnt(token=TOKEN)).decode()
    await store.put_note(note_names.NOTION_TOKEN, kept)
    seconds[0] = LOOK_SECONDS / 2
    assert (await handshake.look_again(), keys.token) == (False, None)
    seconds[0] = LOOK_SECONDS
    assert (await handshake.look_again(), keys.token) == (True, TOKEN)
    assert await handshake.look_again() is False
    with pytest.raises(HandshakeRefused):
        await handshake.accept(OTHER, None)
    await store.close()
