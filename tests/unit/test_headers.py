"""What is kept of a request's headers."""

import json

from multidict import CIMultiDict

from hookbridge.pipeline.headers import KEPT_MAX, MASKED, VALUE_MAX, kept


def test_only_what_is_known_to_be_harmless_keeps_its_value() -> None:
    headers = CIMultiDict({"Content-Type": "application/json", "X-Webhook-Signature": "sha256=ab", "X-Odd": "secret"})
    assert json.loads(kept(headers)) == {
        "content-type": "application/json",
        "x-webhook-signature": MASKED,
        "x-odd": MASKED,
    }


def test_a_value_that_is_no_unicode_is_masked() -> None:
    assert json.loads(kept({"User-Agent": "a\udcff"})) == {"user-agent": MASKED}


def test_many_and_long_headers_are_cut() -> None:
    shown = json.loads(kept({f"x-{number}": "v" for number in range(1000)}))
    assert len(shown) == KEPT_MAX
    assert json.loads(kept({"User-Agent": "a" * 5000})) == {"user-agent": "a" * VALUE_MAX}
