"""The targets: functions of bytes that may refuse what they are given, and may do nothing else.

A target ends normally or raises one of our refusals, which it takes itself; whatever else comes out is a defect.  Here
is what senders and operators write; ``answers`` has what the sources do.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from yarl import URL

from hookbridge import names
from hookbridge.config import NotionConfig, Secrets, SignaturesConfig, SupabaseConfig, SupabaseTable
from hookbridge.errors import HandshakeRefused, InvalidSignature, Refusal
from hookbridge.model import RecordKey
from hookbridge.pipeline.headers import kept
from hookbridge.sources import ids
from hookbridge.sources.notion import NotionSource, pages, words
from hookbridge.sources.notion import payloads as notion
from hookbridge.sources.notion.places import Places
from hookbridge.sources.notion.signature import handshake_of
from hookbridge.sources.source import Delivery, Source, unordered
from hookbridge.sources.statuses import retry_after_seconds
from hookbridge.sources.supabase import SupabaseSource, rows
from hookbridge.sources.supabase import agreement as row_agreement
from hookbridge.sources.supabase import payloads as supabase
from hookbridge.sources.supabase import words as row_words
from hookbridge.web import parameters
from hookbridge.web.routes import ROUTES
from scripts.fuzzing import answers

_SECRETS = Secrets(
    webhook_secrets=("plain", "whsec_c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWI="), notion_webhook_secrets=("secret_x",)
)
_STRICT = SignaturesConfig(verify=True, static_token=True)
_TABLES = SupabaseConfig(tables=(SupabaseTable(name="lines", key=("order_id", "no")),))
_HEADERS = (
    "X-Webhook-Signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "Authorization",
    "X-Notion-Signature",
)
_NOW = 1_700_000_000.0
_GUIDED = b'{"event_type":"update","source":"%s","table_name":"t","record_id":"1","data":{}}'

_SUPABASE = SupabaseSource(SupabaseConfig(), _STRICT, _SECRETS, unordered)
_PLACES = Places(NotionConfig(unlisted_databases="ignore"), readable=True)
_NOTION = NotionSource(NotionConfig(), _STRICT, _SECRETS, unordered, None)
_UNKNOWN = NotionSource(NotionConfig(handshake="accept"), _STRICT, Secrets(webhook_secrets=("plain",)), unordered, None)
"""No verification token is known yet."""


def supabase_body(data: bytes) -> None:
    """Decode a body for Supabase, and what it says again."""
    for config in (SupabaseConfig(), _TABLES):
        try:
            delivery = supabase.decode({}, data, config)
        except Refusal:
            continue
        for event in delivery.events:
            assert RecordKey.parse(str(event.record)) == event.record
            columns = supabase.columns_of(event)
            if columns is not None:
                rows.fingerprint(columns)
                row_words.fields(columns, None, None)
                assert row_agreement.agree(columns, columns)


def notion_body(data: bytes) -> None:
    """Decode a body for Notion, and what it says again."""
    try:
        delivery = notion.decode({}, data, _PLACES)
    except Refusal:
        return
    for event in delivery.events if isinstance(delivery, Delivery) else ():
        assert RecordKey.parse(str(event.record)) == event.record
        columns = notion.columns_of(event)
        if columns is not None:
            pages.fingerprint(columns)
            words.fields(columns, None)
            _PLACES.name(event.record.table, columns.get("parent"))


def signature(data: bytes) -> None:
    """Check signatures whose headers are anything: nothing that was not signed with a secret passes, at either source.

    Each line before an empty one is a header; a dash is a header that is not there.
    """
    first, _, body = data.partition(b"\n\n")
    text = first.decode("utf-8", "surrogateescape")
    headers = {name: value for name, value in zip(_HEADERS, text.split("\n"), strict=False) if value != "-"}
    for source in (_SUPABASE, _NOTION):
        try:
            source.authenticate(headers, body, _NOW)
        except Refusal:
            continue
        # Only the secret itself, where the static token is switched on.
        assert any(secret in text for secret in _SECRETS.webhook_secrets)


def right_signature(data: bytes) -> None:
    """Sign any bytes as senders do: that passes, and with one bit of difference it does not."""
    for source, header, secret in (
        (_SUPABASE, "X-Webhook-Signature", "plain"),
        (_NOTION, "X-Webhook-Signature", "plain"),
        (_NOTION, "X-Notion-Signature", "secret_x"),
    ):
        if handshake_of(data) is not None:
            return
        digest = hmac.new(secret.encode(), data, hashlib.sha256)
        source.authenticate({header: "sha256=" + digest.hexdigest()}, data, _NOW)
        wrong = bytearray(digest.digest())
        wrong[len(data) % len(wrong)] ^= 1
        try:
            source.authenticate({header: wrong.hex()}, data, _NOW)
        except InvalidSignature:
            continue
        raise AssertionError(f"{header} passed although it was wrong")


def handshake(data: bytes) -> None:
    """Present bodies without a signature: only a handshake passes, and only while no token is known."""
    for source, is_known in ((_NOTION, True), (_UNKNOWN, False)):
        try:
            source.authenticate({}, data, _NOW)
        except HandshakeRefused:
            assert is_known
        except InvalidSignature:
            continue
        else:
            assert handshake_of(data) is not None
            assert not is_known


def identity(data: bytes) -> None:
    """Name events by headers: the same names the same event, and whatever is there is kept for operators to read."""
    first, second, body = (*data.split(b"\n", 2), b"", b"")[:3]
    headers = {
        name: value.decode("utf-8", "surrogateescape")
        for name, value in (("webhook-id", first), ("Idempotency-Key", second))
        if value
    }
    kept(headers)
    source: Source
    for name, source in (("supabase", _SUPABASE), ("notion", _NOTION)):
        for text in (body, _GUIDED % name.encode()):
            try:
                once, again = source.decode(headers, text), source.decode(headers, text)
            except Refusal:
                continue
            assert once == again
            if isinstance(once, Delivery) and headers and text is not body:
                assert all(event.identity for event in once.events)


def record_id(data: bytes) -> None:
    """Split ids into the values of their key columns and join them again."""
    text = data.decode("utf-8", "replace")
    for columns in (1, 2, 3):
        try:
            values = ids.values(text, columns)
        except ValueError:
            continue
        assert ids.values(ids.record_id(values), columns) == [ids.text(value) for value in values]
    names.dashed(text)


def record_name(data: bytes) -> None:
    """Read the names of records, which are also the cursors of lists of records."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        record = RecordKey.parse(text)
    except ValueError:
        return
    assert str(record) == text
    source: Source = _SUPABASE if record.source == "supabase" else _NOTION
    try:
        named = source.key(record.table, record.id)
    except Refusal:
        return
    assert RecordKey.parse(str(named)) == named


def question(data: bytes) -> None:
    """Ask operators' questions: every query and body of the route table takes it or says what is wrong."""
    # As aiohttp gives it: other bytes end the request before it has a query.
    asked = URL.build(path="/", query_string=data.decode("ascii", "ignore"), encoded=True)
    request: Any = SimpleNamespace(query=asked.query)
    for route in ROUTES:
        try:
            if route.query is not None:
                parameters.query(request, route.query)
        except Refusal:
            pass
        for kind in route.request.bodies if route.request is not None else ():
            try:
                if kind is not dict:
                    parameters.json_body(data, kind)
            except Refusal:
                pass


def retry_after(data: bytes) -> None:
    """Read ``Retry-After``."""
    seconds = retry_after_seconds(data.decode("latin-1"), _NOW)
    assert seconds is None or seconds >= 0


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "supabase": supabase_body,
    "notion": notion_body,
    "signature": signature,
    "right-signature": right_signature,
    "handshake": handshake,
    "identity": identity,
    "record-id": record_id,
    "record-name": record_name,
    "question": question,
    "retry-after": retry_after,
    "supabase-answer": answers.supabase,
    "notion-answer": answers.notion,
    "cursor": answers.cursor,
}
