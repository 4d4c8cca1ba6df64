"""The targets: functions of bytes that may refuse what they are given, and may do nothing else.

A target ends normally or raises one of our refusals, which it takes itself; whatever else comes out is a defect.
"""

from collections.abc import Callable, Mapping

from hookbridge.config import NotionConfig, Secrets, SignaturesConfig, SupabaseConfig, SupabaseTable
from hookbridge.errors import Refusal
from hookbridge.model import RecordKey
from hookbridge.sources import keys
from hookbridge.sources.notion import pages
from hookbridge.sources.notion import payloads as notion
from hookbridge.sources.notion.client import retry_after_seconds
from hookbridge.sources.notion.signature import NotionSignature
from hookbridge.sources.source import Delivery
from hookbridge.sources.supabase import payloads as supabase
from hookbridge.sources.supabase import rows
from hookbridge.sources.supabase.signature import SupabaseSignature

_SECRETS = Secrets(
    webhook_secrets=("plain", "whsec_c2VjcmV0LW9mLXR3ZW50eS1mb3VyLWI="), notion_webhook_secrets=("secret_x",)
)
_STRICT = SignaturesConfig(verify=True, static_token=True)
_TABLES = SupabaseConfig(tables=(SupabaseTable(name="lines", key=("order_id", "no")),))
_HEADERS = ("X-Webhook-Signature", "webhook-id", "webhook-timestamp", "webhook-signature", "Authorization")


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
                rows.words(columns, None)
                assert rows.agree(columns, columns)


def notion_body(data: bytes) -> None:
    """Decode a body for Notion, and what it says again."""
    try:
        delivery = notion.decode({}, data, NotionConfig())
    except Refusal:
        return
    for event in delivery.events if isinstance(delivery, Delivery) else ():
        assert RecordKey.parse(str(event.record)) == event.record
        columns = notion.columns_of(event)
        if columns is not None:
            pages.fingerprint(columns)


def signature(data: bytes) -> None:
    """Check signatures whose headers are anything: nothing that was not signed with a secret passes."""
    first, _, body = data.partition(b"\n\n")
    values = first.decode("utf-8", "surrogateescape").split("\n")
    headers = dict(zip(_HEADERS, values, strict=False))
    for source in (SupabaseSignature(_STRICT, _SECRETS), NotionSignature(_STRICT, _SECRETS, None)):
        try:
            source.authenticate(headers, body, 1_700_000_000.0)
        except Refusal:
            continue
        # Only the secret itself, where the static token is switched on.
        assert any(secret in first.decode("utf-8", "surrogateescape") for secret in _SECRETS.webhook_secrets)


def record_id(data: bytes) -> None:
    """Split ids into the values of their key columns and join them again."""
    text = data.decode("utf-8", "replace")
    for columns in (1, 2, 3):
        try:
            values = keys.values(text, columns)
        except ValueError:
            continue
        assert keys.values(keys.record_id(values), columns) == [keys.text(value) for value in values]
    keys.dashed(text)


def retry_after(data: bytes) -> None:
    """Read ``Retry-After``."""
    seconds = retry_after_seconds({"retry-after": data.decode("latin-1")}, 1_700_000_000.0)
    assert seconds is None or seconds >= 0


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "supabase": supabase_body,
    "notion": notion_body,
    "signature": signature,
    "record-id": record_id,
    "retry-after": retry_after,
}
