"""What a signature check does depends on nothing secret: the same steps on the same lengths, whatever was right.

``scripts/timing-test`` measures the same; here it is counted.
"""

import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import InvalidSignature
from hookbridge.sources import signatures
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.source import Source, unordered
from hookbridge.sources.supabase import SupabaseSource
from scripts.timing import wrong_in
from tests.support.scripts import script
from tests.support.signing import notion_signature, standard_webhook, webhook_signature

BODY = b'{"event_type":"update"}'
NOW = int(time.time())
PLAIN = ("a-first-secret-0", "a-second-secret0", "a-third-secret-0")
STANDARD = tuple("whsec_" + letters * 4 for letters in ("c2VjcmV0", "c2VjcmV1", "c2VjcmV2"))
TOKENS = ("secret_of_notion_0", "secret_of_notion_1", "secret_of_notion_2")
SECRETS = Secrets(webhook_secrets=(*PLAIN, *STANDARD), notion_webhook_secrets=TOKENS)

Trace = tuple[tuple[str, int, int], ...]
Signer = Callable[[str], Mapping[str, str]]


def plain(secret: str) -> Mapping[str, str]:
    return webhook_signature(BODY, secret)


def standard(secret: str) -> Mapping[str, str]:
    return standard_webhook(BODY, secret, message_id="msg_1", timestamp=NOW)


def notions(secret: str) -> Mapping[str, str]:
    return notion_signature(BODY, secret)


def bearer(secret: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {secret}"}


SCHEMES: Mapping[str, tuple[Signer, Sequence[str], str]] = {
    "X-Webhook-Signature": (plain, PLAIN, "a-wrong-secret-0"),
    "Standard Webhooks": (standard, STANDARD, "whsec_" + "c2VjcmV5" * 4),
    "X-Notion-Signature": (notions, TOKENS, "secret_of_nobody_0"),
    "Authorization": (bearer, PLAIN, "a-wrong-secret-0"),
}


def source_of(name: str) -> Source:
    config = SignaturesConfig(verify=True, static_token=name == "Authorization")
    if name == "X-Notion-Signature":
        return NotionSource(NotionConfig(), config, SECRETS, unordered, None)
    return SupabaseSource(SupabaseConfig(), config, SECRETS, unordered)


def traced(monkeypatch: pytest.MonkeyPatch, source: Source, headers: Mapping[str, str]) -> tuple[bool, Trace]:
    """Whether it passed, and each digest and comparison that was made, with the lengths it was made of."""
    steps: list[tuple[str, int, int]] = []

    class Watched:
        @staticmethod
        def digest(key: bytes, content: bytes, name: str) -> bytes:
            steps.append(("digest", len(key), len(content)))
            return hmac.digest(key, content, name)

        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            steps.append(("compare", len(one), len(other)))
            return hmac.compare_digest(one, other)

    with monkeypatch.context() as patched:
        patched.setattr(signatures, "hmac", Watched)
        try:
            source.authenticate(headers, BODY, NOW)
        except InvalidSignature:
            return False, tuple(steps)
    return True, tuple(steps)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_same_is_done_whichever_secret_fits_or_none(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    sign, right, wrong = SCHEMES[scheme]
    source = source_of(scheme)
    traces = {}
    for secret in (*right, wrong):
        passed, traces[secret] = traced(monkeypatch, source, sign(secret))
        assert passed == (secret in right)
    assert traces[wrong]
    assert len(set(traces.values())) == 1, traces


@pytest.mark.parametrize("scheme", ["X-Webhook-Signature", "X-Notion-Signature"])
def test_the_same_is_done_wherever_a_signature_is_wrong(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    sign, right, _ = SCHEMES[scheme]
    ((name, value),) = sign(right[0]).items()
    digest = bytes.fromhex(value.removeprefix("sha256="))
    source = source_of(scheme)
    found = {traced(monkeypatch, source, {name: wrong_in(digest, place).hex()}) for place in range(len(digest))}
    assert len(found) == 1
    assert not next(iter(found))[0]


def test_the_comparison_is_the_one_of_constant_time() -> None:
    module: Any = signatures
    assert module.hmac.compare_digest is hmac.compare_digest


async def test_the_measurement_has_a_row_for_each_scheme(tmp_path: Path) -> None:
    ran = await script(tmp_path, "scripts.timing", "--samples", "20", "--json")
    assert len(ran.lines) == 5
    assert {row["scheme"] for row in ran.lines} >= {"X-Webhook-Signature", "Standard Webhooks", "X-Notion-Signature"}
