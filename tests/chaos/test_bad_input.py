"""Bodies and headers that nobody sends on purpose: a delivery or a refusal, and whatever was taken can be applied."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import InvalidSignature, Refusal
from hookbridge.pipeline.receive import receive
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.kept import document_of
from hookbridge.sources.notion import NotionSource
from hookbridge.sources.notion import pages as notion_pages
from hookbridge.sources.source import Handshake, Source
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.sources.supabase import rows as supabase_rows
from tests.support.tickets import counting

TICKETS = counting()
SUPABASE = SupabaseSource(SupabaseConfig(), SignaturesConfig(), Secrets(), TICKETS)
NOTION = NotionSource(NotionConfig(), SignaturesConfig(), Secrets(), TICKETS, None)
FINGERPRINT = {"supabase": supabase_rows.fingerprint, "notion": notion_pages.fingerprint}
WHSEC = "whsec_" + "c2VjcmV0" * 4

# JSON as text, with what Python's own encoder would not write.
scalars = st.one_of(
    st.sampled_from(
        ["null", "true", "NaN", "-Infinity", "1e400", "-1e131071", "1e999999999", "-0", "0.1e-400", "01", "+1", ""]
    ),
    st.integers().map(str),
    st.integers(1, 6000).map(lambda digits: "9" * digits),
    st.text(max_size=12).map(json.dumps),
    st.sampled_from([r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', '"\x00"', r'"\x"', '"é"', '"', "'a'"]),
    st.sampled_from(['"2026-01-01T15:00:00Z"', '"9999-12-31T23:59:59-23:59"', '"0001-01-01"', '"2026-W01"', '"24:00"']),
)
GUIDE = ("event_type", "source", "table_name", "record_id", "data", "timestamp", "metadata", "schema")
OTHERS = ("type", "table", "record", "old_record", "id", "entity", "parent", "event_id", "verification_token", "a:b")
names = st.sampled_from((*GUIDE, *OTHERS))


def members(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An object; a name may stand in it twice."""
    pairs = st.lists(st.tuples(names.map(json.dumps), values), max_size=8)
    return pairs.map(lambda found: "{" + ",".join(f"{name}:{value}" for name, value in found) + "}")


anything = st.recursive(
    scalars,
    lambda inner: members(inner) | st.lists(inner, max_size=3).map(lambda found: "[" + ",".join(found) + "]"),
    max_leaves=12,
)
OVERRIDES = ("record_id", "table_name", "timestamp", "data", "metadata")


def guide(source: str, values: dict[str, str]) -> str:
    """A body that is right but for what is overridden."""
    right = {"event_type": '"update"', "source": f'"{source}"', "table_name": '"t"', "record_id": "1", "data": "{}"}
    return "{" + ",".join(f'"{name}":{value}' for name, value in {**right, **values}.items()) + "}"


def native(record: str, old: str) -> str:
    return f'{{"type":"UPDATE","schema":"public","table":"t","record":{record},"old_record":{old}}}'


def automation(page: str) -> str:
    return f'{{"source":{{"event_id":"1"}},"data":{page}}}'


overridden = st.dictionaries(st.sampled_from(OVERRIDES), anything, max_size=3)
rows = members(scalars).map(lambda row: '{"id":1,' + row[1:] if row != "{}" else '{"id":1}')
bodies = st.one_of(
    anything,
    overridden.map(lambda values: guide("supabase", values)),
    overridden.map(lambda values: guide("notion", values)),
    st.tuples(rows, rows).map(lambda both: native(*both)),
    rows.map(automation),
)
headers = st.dictionaries(
    st.sampled_from(["webhook-id", "Idempotency-Key", "X-Notion-Signature", "Authorization"]),
    st.text(max_size=300) | st.binary(max_size=20).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    max_size=2,
)
encode = msgspec.json.Encoder(decimal_format="number").encode


@pytest.mark.parametrize("source", [SUPABASE, NOTION], ids=["supabase", "notion"])
@given(text=bodies, given_headers=headers)
@example(text=guide("supabase", {"data": '{"a":1e999999999}'}), given_headers={})
@example(text=native('{"id":1e999999}', "null"), given_headers={})
@example(text="[" * 100_000, given_headers={})
def test_a_body_is_refused_or_can_be_applied(source: Source, text: str, given_headers: dict[str, str]) -> None:
    body = text.encode("utf-8", "surrogatepass")
    try:
        received = receive(source, given_headers, body, 0.0)
    except Refusal:
        return
    if isinstance(received, Handshake):
        return
    msgspec.json.encode(received.details)
    for event in received.events:
        assert str(event.record).encode()
        columns = source.columns_of(event)
        if columns is None:
            continue
        # What the steps do with it: written, read again, compared, hashed and made words of.
        again = decode_columns(encode(columns))
        assert source.agree(again, columns)
        FINGERPRINT[source.name](columns)
        document_of(source, event.record, columns, None)
        source.changed_at(event.record, columns)


signature_headers = st.dictionaries(
    st.sampled_from(
        [
            *("webhook-id", "webhook-timestamp", "webhook-signature"),
            *("X-Webhook-Signature", "X-Notion-Signature", "Authorization"),
        ]
    ),
    st.one_of(
        st.text(max_size=80),
        st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
        st.sampled_from(["0", "١٢٣", "-1", "1e3", "v1,", "v1,====", "v1," + "A" * 44, "sha256=" + "0" * 64, "Bearer "]),
        st.integers().map(str),
    ),
)


@given(given_headers=signature_headers, body=st.binary(max_size=50), static_token=st.booleans())
def test_headers_that_no_secret_made_are_an_invalid_signature(
    given_headers: dict[str, str], body: bytes, *, static_token: bool
) -> None:
    config = SignaturesConfig(verify=True, static_token=static_token)
    secrets = Secrets(
        webhook_secrets=("a-secret-nobody-guesses", WHSEC), notion_webhook_secrets=("secret_nobody_guesses",)
    )
    source: Source
    for source in (
        SupabaseSource(SupabaseConfig(), config, secrets, TICKETS),
        NotionSource(NotionConfig(), config, secrets, TICKETS, None),
        NotionSource(NotionConfig(), config, Secrets(webhook_secrets=("other",)), TICKETS, None),
    ):
        with pytest.raises(InvalidSignature):
            source.authenticate(given_headers, body, 0.0)


@pytest.mark.parametrize("depth", [10, 100, 500, 900, 1100, 100_000])
@pytest.mark.parametrize("shape", [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
def test_nesting_of_any_depth_is_refused_or_can_be_applied(depth: int, shape: tuple[str, str]) -> None:
    check: Callable[..., Any] = test_a_body_is_refused_or_can_be_applied.hypothesis.inner_test
    opening, closing = shape
    nested = opening * depth + "1" + closing * depth
    check(SUPABASE, guide("supabase", {"data": f'{{"a":{nested}}}'}), {})
    check(SUPABASE, native(f'{{"id":1,"a":{nested}}}', "null"), {})


def test_rows_that_differ_in_the_last_of_many_digits_differ() -> None:
    one, other = (decode_columns(b'{"n":1.%s%d}' % (b"0" * 40, digit)) for digit in (1, 2))
    assert supabase_rows.fingerprint(one) != supabase_rows.fingerprint(other)
