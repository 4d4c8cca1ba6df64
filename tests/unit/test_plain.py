"""What the front door takes for a plain webhook: one shape, and nothing beside it."""

import pytest

from hookbridge.web.door import HEAD_BYTES, plain

BODY = b'{"a": 1}'
HEAD = (
    b"POST /api/v1/webhooks/supabase HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"X-Signature: a b\r\nContent-Length: 8\r\n\r\n"
)
MANY = b"".join(b"X-%s: 1\r\n" % (b"a" * count) for count in range(1, 63))


def test_a_plain_webhook_is_its_path_its_headers_and_its_body_and_what_follows_is_left() -> None:
    found = plain(HEAD + BODY + b"POST /next")
    assert found is not None
    assert (found.path, found.body, found.size) == ("/api/v1/webhooks/supabase", BODY, len(HEAD + BODY))
    assert dict(found.headers)["X-Signature"] == found.headers["x-signature"] == "a b"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"GET"),
        (b"POST ", b"post "),
        (b"supabase", b"supabase?a=b"),
        (b"supabase", b"%73upabase"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"\r\n", b"\n"),
        (b"Host: localhost\r\n", b""),
        (b"Host:", b"Host :"),
        (b"Host: ", b"Host:"),
        (b"a b", b" a"),
        (b"a b", b"a "),
        (b"a b", b""),
        (b"a b", b"a\tb"),
        (b"a b", b"\xe9"),
        (b"a b", b"a\r\n b"),
        (b"X-Signature", b"X_Signature"),
        (b"X-Signature", b"HOST"),
        (b"X-Signature", b"content-length"),
        (b"X-Signature: a b", b"Connection: keep-alive"),
        (b"X-Signature: a b", b"transfer-encoding: chunked"),
        (b"X-Signature: a b", b"Expect: 100-continue"),
        (b"X-Signature: a b", b"Upgrade: h2c"),
        (b"X-Signature: a b", b"Content-Encoding: identity"),
        (b"application/json", b"application/json; charset=utf-8"),
        (b"Content-Length: 8\r\n", b""),
        (b"Content-Length: 8", b"Content-Length: 9"),
        (b"Content-Length: 8", b"Content-Length: +8"),
        (b"Content-Length: 8", b"Content-Length: 0000000008"),
        (b"Content-Length: 8", b"Content-Length: " + b"9" * 5_000),
        (b"X-Signature: a b\r\n", MANY),
        (b"a b", b"a" * HEAD_BYTES),
    ],
)
def test_whatever_is_otherwise_is_not(old: bytes, new: bytes) -> None:
    assert old in HEAD
    assert plain(HEAD.replace(old, new) + BODY) is None


def test_nothing_is_taken_before_it_is_here_completely() -> None:
    whole = HEAD + BODY
    assert [end for end in range(len(whole)) if plain(whole[:end])] == []
