"""Who may send as Notion: the subscription's token signs, the first handshake is let in, nothing else passes."""

import hmac

import pytest

from hookbridge.config import Secrets, SignaturesConfig
from hookbridge.errors import HandshakeRefused, InvalidSignature
from hookbridge.sources.notion.signature import NotionSignature

ON = SignaturesConfig(verify=True)
BODY = b'{"id": "1"}'
HANDSHAKE = b'{"verification_token": "secret_learnt"}'


def signed(token: str, body: bytes = BODY) -> dict[str, str]:
    return {"X-Notion-Signature": "sha256=" + hmac.digest(token.encode(), body, "sha256").hex()}


def make(*tokens: str, learnt: str | None = None, config: SignaturesConfig = ON) -> NotionSignature:
    return NotionSignature(config, Secrets(notion_webhook_secrets=tokens, webhook_secrets=("plain",)), learnt)


@pytest.mark.parametrize("token", ["secret_old", "secret_new", "secret_learnt"])
def test_every_known_token_signs_while_they_are_rotated(token: str) -> None:
    make("secret_old", "secret_new", learnt="secret_learnt").authenticate(signed(token), BODY, 0.0)


@pytest.mark.parametrize(
    "headers",
    [
        signed("secret_other"),
        signed("secret_new", BODY + b" "),
        {"X-Notion-Signature": ""},
        {"X-Notion-Signature": "sha256="},
        {"X-Notion-Signature": "sha256=zz"},
        {"X-Notion-Signature": "secret_new"},
        {"X-Notion-Signature": "sha1=" + "0" * 40},
        {"X-Notion-Signature": "sha256=" + "é" * 64},
        {},
    ],
)
def test_nothing_else_passes(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignature):
        make("secret_new").authenticate(headers, BODY, 0.0)


def test_a_signature_of_notion_without_a_token_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        make().authenticate(signed(""), BODY, 0.0)


def test_a_token_is_learnt_and_forgotten() -> None:
    signature = make()
    signature.authenticate({}, HANDSHAKE, 0.0)
    signature.learn("secret_learnt")
    signature.authenticate(signed("secret_learnt"), BODY, 0.0)
    with pytest.raises(HandshakeRefused):
        signature.authenticate({}, HANDSHAKE, 0.0)
    signature.learn(None)
    with pytest.raises(InvalidSignature):
        signature.authenticate(signed("secret_learnt"), BODY, 0.0)
    signature.authenticate({}, HANDSHAKE, 0.0)


def test_a_handshake_is_refused_while_a_token_is_configured_even_with_verification_off() -> None:
    with pytest.raises(HandshakeRefused):
        make("secret_known", config=SignaturesConfig()).authenticate({}, HANDSHAKE, 0.0)


def test_other_senders_use_the_schemes_of_the_other_endpoint() -> None:
    header = {"X-Webhook-Signature": hmac.digest(b"plain", BODY, "sha256").hex()}
    make("secret_new").authenticate(header, BODY, 0.0)


def test_with_verification_off_everything_passes() -> None:
    make("secret_new", config=SignaturesConfig()).authenticate({}, BODY, 0.0)
