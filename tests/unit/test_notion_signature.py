"""Who may send to the Notion endpoint: Notion itself by its token, other senders by theirs, and a first handshake."""

import pytest
from multidict import CIMultiDict

from hookbridge.config import Secrets, SignaturesConfig
from hookbridge.errors import HandshakeRefused, InvalidSignature
from hookbridge.sources.notion.signature import NotionSignature
from tests.support.signing import notion_signature, webhook_signature

BODY = b'{"type": "page.created"}'
HANDSHAKE = b'{"verification_token": "secret_first-of-notion"}'
NOW = 1_700_000_000.0


def signature(
    *tokens: str, learnt: str | None = None, secrets: tuple[str, ...] = (), verify: bool = True, static: bool = False
) -> NotionSignature:
    config = SignaturesConfig(verify=verify, static_token=static)
    known = Secrets(notion_webhook_secrets=tokens, webhook_secrets=secrets)
    return NotionSignature(config, known, learnt, handshakes=True)


def refused(one: NotionSignature, headers: dict[str, str], body: bytes = BODY) -> str:
    with pytest.raises(InvalidSignature) as error:
        one.authenticate(headers, body, NOW)
    return error.value.reason


@pytest.mark.parametrize("token", ["new", "old", "learnt"])
def test_every_known_token_is_taken_while_rotating(token: str) -> None:
    signature("new", "old", learnt="learnt").authenticate(notion_signature(BODY, token), BODY, NOW)


def test_the_headers_case_does_not_matter() -> None:
    (value,) = notion_signature(BODY, "token").values()
    signature("token").authenticate(CIMultiDict({"x-notion-signature": value}), BODY, NOW)


def test_the_raw_bytes_are_signed() -> None:
    assert "does not match" in refused(signature("token"), notion_signature(BODY, "token"), BODY.replace(b": ", b":"))


def test_a_token_that_nobody_knows_is_refused() -> None:
    assert "does not match" in refused(signature("token"), notion_signature(BODY, "another"))


@pytest.mark.parametrize("value", ["", "sha256=", "sha256=" + "0" * 63, "sha256=" + "0" * 65, "sha1=" + "0" * 40])
def test_a_signature_of_another_length_is_refused(value: str) -> None:
    assert "64 digits" in refused(signature("token"), {"X-Notion-Signature": value})


@pytest.mark.parametrize("value", ["g" * 64, "sha256=" + "é" * 64, "0x" * 32])
def test_a_signature_that_is_not_hexadecimal_is_refused(value: str) -> None:
    assert "not hexadecimal" in refused(signature("token"), {"X-Notion-Signature": value})


def test_without_a_header_nothing_passes() -> None:
    assert refused(signature("token"), {}) == "the request is not signed"


def test_before_a_token_is_known_a_signed_event_is_refused_with_the_reason() -> None:
    assert "no verification token" in refused(signature(), notion_signature(BODY, "token"))


def test_notions_signature_is_judged_first_so_that_a_wrong_one_cannot_hide() -> None:
    headers = {**notion_signature(BODY, "wrong"), **webhook_signature(BODY, "secret")}
    assert "does not match" in refused(signature("token", secrets=("secret",)), headers)


def test_other_senders_sign_with_the_webhook_secret() -> None:
    one = signature("token", secrets=("secret",))
    one.authenticate(webhook_signature(BODY, "secret"), BODY, NOW)
    assert "does not match" in refused(one, webhook_signature(BODY, "token"))


def test_an_automations_static_header_counts_only_where_it_is_switched_on() -> None:
    headers = {"X-Webhook-Signature": "secret"}
    signature(secrets=("secret",), static=True).authenticate(headers, BODY, NOW)
    refused(signature(secrets=("secret",)), headers)


def test_a_first_handshake_passes_unsigned_and_a_second_does_not() -> None:
    one = signature()
    one.authenticate({}, HANDSHAKE, NOW)
    one.learn("secret_first-of-notion")
    with pytest.raises(HandshakeRefused):
        one.authenticate({}, HANDSHAKE, NOW)
    one.authenticate(notion_signature(BODY, "secret_first-of-notion"), BODY, NOW)


def test_a_configured_token_refuses_every_handshake_also_while_nothing_is_verified() -> None:
    for verify in (True, False):
        with pytest.raises(HandshakeRefused):
            signature("token", verify=verify).authenticate({}, HANDSHAKE, NOW)


def test_a_forgotten_token_is_a_token_no_more() -> None:
    one = signature(learnt="learnt")
    one.learn(None)
    assert "no verification token" in refused(one, notion_signature(BODY, "learnt"))
    one.authenticate({}, HANDSHAKE, NOW)


def test_with_verification_off_anybody_may_send() -> None:
    signature(verify=False).authenticate({}, BODY, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b'{"verification_token": "secret_of-notion-t", "type": "page.created"}',
        b'{"verification_token": ""}',
        b'{"verification_token": "secret_of-15-ch"}',
        b'{"verification_token": 1}',
        b'{"verification_token": "\\u0000"}',
        b'{"verification_token": "' + b"t" * 600 + b'"}',
        b'{"verification_token": "secret_of-notion-t"}' + b" " * 5000,
        b'[{"verification_token": "secret_of-notion-t"}]',
    ],
)
def test_what_only_resembles_a_handshake_needs_a_signature(body: bytes) -> None:
    assert refused(signature(), {}, body) == "the request is not signed"
