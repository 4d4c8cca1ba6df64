"""Who may send: every scheme against an independent signer, and every malformed header."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import InvalidSignature
from hookbridge.sources.signatures import HmacHex, Signed, StandardWebhooks
from hookbridge.sources.supabase import SupabaseSource
from tests.support.signing import standard_webhook, webhook_signature
from tests.support.tickets import counting

FIXTURES = Path(__file__).parents[1] / "fixtures" / "supabase"
SIGNED = sorted(FIXTURES.glob("signed_*.json"))

SECRET = "your-secret-key"
OLD_SECRET = "the-secret-before"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD_WHSEC = "whsec_" + base64.b64encode(b"the standard secret before").decode()
BODY = b'{"event_type":"insert"}'
NOW = 1_614_265_330

# The vector that the implementations of Standard Webhooks share.
VECTOR_BODY = b'{"test": 2432232314}'
VECTOR = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(NOW),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def signed(*secrets: str, static_token: bool = False) -> Signed:
    return Signed(SignaturesConfig(verify=True, tolerance_seconds=300, static_token=static_token), secrets)


def refused(schemes: Signed, headers: dict[str, str], body: bytes = BODY, now: float = NOW) -> str:
    """Why it was refused."""
    with pytest.raises(InvalidSignature) as error:
        schemes.authenticate(headers, body, now)
    return error.value.reason


@pytest.mark.parametrize("path", SIGNED, ids=lambda path: path.stem)
def test_a_signature_made_in_sql_fits_the_raw_bytes(path: Path) -> None:
    capture = json.loads(path.read_text(encoding="utf-8"))
    body = base64.b64decode(capture["body_base64"])
    signature = dict(capture["headers"])["X-Signature"]
    HmacHex(["topsecret"]).verify(signature, body)
    with pytest.raises(InvalidSignature):
        HmacHex(["topsecret"]).verify(signature, body.replace(b": ", b":"))


def test_there_are_captures_to_check() -> None:
    assert len(SIGNED) == 3


@pytest.mark.parametrize("prefix", ["", "sha256=", "SHA256=", "Sha256= "])
def test_the_guides_signature_is_taken_with_and_without_its_prefix(prefix: str) -> None:
    value = prefix + webhook_signature(BODY, SECRET)["X-Webhook-Signature"]
    signed(SECRET).authenticate({"X-Webhook-Signature": value}, BODY, NOW)
    signed(SECRET).authenticate({"X-Webhook-Signature": prefix + value.removeprefix(prefix).upper()}, BODY, NOW)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_either_secret_is_taken_while_rotating(secret: str) -> None:
    signed(SECRET, OLD_SECRET).authenticate(webhook_signature(BODY, secret), BODY, NOW)


@pytest.mark.parametrize("key", [b"a", b"of bytes", b"of some bytes"])
def test_a_standard_secret_is_taken_without_its_padding(key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    assert secret.endswith("=")
    headers = standard_webhook(BODY, secret, message_id="msg_1", timestamp=NOW)
    signed(secret.rstrip("=")).authenticate(headers, BODY, NOW)
    signed(secret).authenticate(headers, BODY, NOW)


def test_a_changed_body_is_refused() -> None:
    assert "does not match" in refused(signed(SECRET), webhook_signature(BODY, SECRET), BODY + b" ")


def test_a_signature_of_another_secret_is_refused() -> None:
    assert "does not match" in refused(signed(SECRET), webhook_signature(BODY, "another"))


def test_an_unsigned_request_is_refused() -> None:
    assert refused(signed(SECRET), {}) == "the request is not signed"


def test_without_any_secret_nothing_passes() -> None:
    for headers in ({}, webhook_signature(BODY, ""), {"X-Webhook-Signature": ""}, VECTOR, {"Authorization": "Bearer "}):
        assert refused(signed(), headers)
        assert refused(signed(static_token=True), headers)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha256=",
        "sha512=" + "0" * 64,
        "=" + "0" * 64,
        "zz" * 32,
        "é" * 64,
        "\udcff" * 64,
        "0" * 63,
        "0" * 65,
        "0" * 100_000,
        " " * 64,
    ],
)
def test_what_is_no_hex_signature_is_refused_like_a_wrong_one(value: str) -> None:
    assert refused(signed(SECRET), {"X-Webhook-Signature": value})


def test_spaces_among_the_digits_make_no_second_form_of_a_signature() -> None:
    digits = webhook_signature(BODY, SECRET)["X-Webhook-Signature"]
    assert refused(signed(SECRET), {"X-Webhook-Signature": digits[:2] + " " + digits[2:]})


def test_the_static_token_passes_only_where_it_is_switched_on() -> None:
    for headers in ({"X-Webhook-Signature": SECRET}, {"Authorization": f"Bearer {SECRET}"}):
        signed(SECRET, static_token=True).authenticate(headers, BODY, NOW)
        assert refused(signed(SECRET), headers)


@pytest.mark.parametrize("value", ["Bearer", "Bearer wrong", SECRET, f"Basic {SECRET}", f"Bearer {SECRET}x", "\udcff"])
def test_a_wrong_authorization_is_refused(value: str) -> None:
    assert refused(signed(SECRET, static_token=True), {"Authorization": value})


@pytest.mark.parametrize("value", ["a\udcffb", "aéb"])
def test_a_token_with_other_bytes_is_refused_and_never_taken_for_a_question_mark(value: str) -> None:
    assert refused(signed("a?b", static_token=True), {"X-Webhook-Signature": value})
    assert refused(signed(WHSEC), {**VECTOR, "webhook-id": value})


def test_a_token_that_is_not_ascii_is_taken() -> None:
    signed("clé", static_token=True).authenticate({"X-Webhook-Signature": "clé"}, BODY, NOW)


def test_a_computed_signature_also_passes_beside_the_static_token() -> None:
    signed(SECRET, static_token=True).authenticate(webhook_signature(BODY, SECRET), BODY, NOW)
    assert refused(signed(SECRET, static_token=True), {"X-Webhook-Signature": "wrong"})


def test_the_static_token_is_never_a_standard_secret() -> None:
    assert refused(signed(WHSEC, static_token=True), {"X-Webhook-Signature": WHSEC})


def test_the_shared_vector_of_standard_webhooks_passes() -> None:
    signed(WHSEC).authenticate(VECTOR, VECTOR_BODY, NOW)


def test_what_the_reference_implementation_signs_passes() -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    signature = standardwebhooks.Webhook(OLD_WHSEC).sign("msg_1", at, "Zoë 😀")
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(NOW), "webhook-signature": signature}
    signed(WHSEC, OLD_WHSEC).authenticate(headers, "Zoë 😀".encode(), NOW)
    assert refused(signed(WHSEC), headers, "Zoë 😀".encode())


def test_our_test_signer_agrees_with_the_reference_implementation() -> None:
    now = int(datetime.now(UTC).timestamp())
    headers = standard_webhook(BODY, WHSEC, message_id="msg_1", timestamp=now)
    assert standardwebhooks.Webhook(WHSEC).verify(BODY, headers) == json.loads(BODY)


@pytest.mark.parametrize("shift", [-300, 0, 300])
def test_the_timestamp_may_be_off_by_the_tolerance_both_ways(shift: int) -> None:
    signed(WHSEC).authenticate(VECTOR, VECTOR_BODY, NOW + shift)


@pytest.mark.parametrize("shift", [-300.001, 300.001, 86_400])
def test_a_timestamp_beyond_the_tolerance_is_refused(shift: float) -> None:
    assert "too far" in refused(signed(WHSEC), VECTOR, VECTOR_BODY, NOW + shift)


def test_one_good_signature_among_several_is_enough() -> None:
    right = VECTOR["webhook-signature"]
    several = f"v1a,xxxx v1,not-base64! v1,AAAA {right}"
    signed(WHSEC).authenticate({**VECTOR, "webhook-signature": several}, VECTOR_BODY, NOW)


@pytest.mark.parametrize("value", ["", " ", "v1", "v1,", "v1,é", "v2," + VECTOR["webhook-signature"][3:], "," * 9000])
def test_a_header_without_a_good_signature_is_refused(value: str) -> None:
    assert "no signature" in refused(signed(WHSEC), {**VECTOR, "webhook-signature": value}, VECTOR_BODY)


@pytest.mark.parametrize(
    "timestamp", ["", "NaN", "inf", "1e9", "-1", "+1614265330", "1_614_265_330", "١٦", "1614265330.0", "9" * 4000, " 1"]
)
def test_a_timestamp_that_is_not_plain_seconds_is_refused(timestamp: str) -> None:
    assert "not in seconds" in refused(signed(WHSEC), {**VECTOR, "webhook-timestamp": timestamp}, VECTOR_BODY)


@pytest.mark.parametrize("id_", ["", "x" * 257])
def test_an_id_that_is_missing_or_too_long_is_refused(id_: str) -> None:
    assert "webhook-id" in refused(signed(WHSEC), {**VECTOR, "webhook-id": id_}, VECTOR_BODY)


def test_another_id_needs_another_signature() -> None:
    assert "no signature" in refused(signed(WHSEC), {**VECTOR, "webhook-id": "msg_2"}, VECTOR_BODY)


def test_standard_headers_are_judged_first_so_that_a_right_signature_cannot_hide_a_wrong_one() -> None:
    both = {**VECTOR, "webhook-signature": "v1,AAAA", **webhook_signature(VECTOR_BODY, SECRET)}
    assert "no signature" in refused(signed(WHSEC, SECRET), both, VECTOR_BODY)
    assert "whsec_" in refused(signed(SECRET), both, VECTOR_BODY)


def test_an_id_alone_does_not_make_a_standard_webhook() -> None:
    signed(SECRET).authenticate({"webhook-id": "msg_1", **webhook_signature(BODY, SECRET)}, BODY, NOW)


def test_a_standard_secret_is_no_key_of_a_plain_signature() -> None:
    assert "no secret" in refused(signed(WHSEC), webhook_signature(BODY, WHSEC))


def test_header_names_may_come_in_any_case() -> None:
    headers = CIMultiDict({name.upper(): value for name, value in VECTOR.items()})
    signed(WHSEC).authenticate(headers, VECTOR_BODY, NOW)


@given(
    headers=st.dictionaries(
        st.sampled_from(["X-Webhook-Signature", "Authorization", *VECTOR]),
        st.one_of(st.text(st.characters()), st.sampled_from([*VECTOR.values(), "Bearer x", "sha256=" + "ab" * 32])),
    ),
    body=st.binary(max_size=50),
    static_token=st.booleans(),
)
def test_no_header_leads_to_anything_but_a_refusal(*, headers: dict[str, str], body: bytes, static_token: bool) -> None:
    with pytest.raises(InvalidSignature):
        signed(SECRET, WHSEC, static_token=static_token).authenticate(headers, body, NOW)


def test_the_tolerance_is_the_one_given() -> None:
    scheme = StandardWebhooks([WHSEC], 10)
    scheme.verify(VECTOR, VECTOR_BODY, NOW + 10)
    with pytest.raises(InvalidSignature):
        scheme.verify(VECTOR, VECTOR_BODY, NOW + 11)


def test_an_endpoint_asks_for_a_signature_only_when_verification_is_on() -> None:
    Signed(SignaturesConfig(verify=False), (SECRET,)).authenticate({}, BODY, NOW)
    endpoint = signed(SECRET)
    endpoint.authenticate(webhook_signature(BODY, SECRET), BODY, NOW)
    with pytest.raises(InvalidSignature):
        endpoint.authenticate({}, BODY, NOW)


def test_the_supabase_endpoint_fails_closed_without_a_secret_of_its_own() -> None:
    secrets = Secrets(notion_webhook_secrets=(SECRET,))
    endpoint = SupabaseSource(SupabaseConfig(), SignaturesConfig(verify=True), secrets, counting())
    with pytest.raises(InvalidSignature):
        endpoint.authenticate(webhook_signature(BODY, SECRET), BODY, NOW)
