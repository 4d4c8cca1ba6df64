"""What senders are answered, and the headers that they may send."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from hookbridge.api.fields import EventType, Message, RecordId, SendersTime, Source, TableName, means
from hookbridge.model import SourceName

_Name = Annotated[str, Meta(min_length=1, max_length=256)]
_Text = Annotated[str, Meta(min_length=1)]
_Seconds = Annotated[str, Meta(pattern="^[0-9]{1,11}$")]
_Span = Annotated[str, Meta(pattern="^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")]

ACK_HEADERS = {
    "X-Hookbridge-Event": "The event's id in the inbox; two, separated by a comma, where a key changed",
    "X-Hookbridge-Duplicate": "`true` when the event was known already",
}
"""The headers of a 202, with what they mean."""


class NamingHeaders(msgspec.Struct, frozen=True, kw_only=True):
    """The headers that name an event."""

    idempotency_key: Annotated[
        _Name | msgspec.UnsetType,
        means(
            "The event's name, chosen by the sender: a second one with the same name at this endpoint is acknowledged"
            " and counted as a duplicate, unless the first is a dead letter, which is opened again.",
            "order-42-paid",
        ),
    ] = field(default=msgspec.UNSET, name="Idempotency-Key")
    webhook_id: Annotated[
        _Name | msgspec.UnsetType,
        means(
            "Standard Webhooks: the message's id. It is a name like `Idempotency-Key`, and counts before that one.",
            "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        ),
    ] = field(default=msgspec.UNSET, name="webhook-id")


class SignedHeaders(NamingHeaders, frozen=True, kw_only=True):
    """Those that a sender signs with, too."""

    webhook_timestamp: Annotated[
        _Seconds | msgspec.UnsetType,
        means(
            "Standard Webhooks: when it was signed, in seconds since 1970. One that is more than"
            " `[signatures] tolerance_seconds` away from now is refused.",
            "1767279600",
        ),
    ] = field(default=msgspec.UNSET, name="webhook-timestamp")
    webhook_signature: Annotated[
        _Text | msgspec.UnsetType,
        means(
            "Standard Webhooks: `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`; several with spaces"
            " between them while a secret is rotated.",
            "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
        ),
    ] = field(default=msgspec.UNSET, name="webhook-signature")


class WebhookHeaders(SignedHeaders, frozen=True, kw_only=True):
    """All that a webhook may have."""

    traceparent: Annotated[
        _Span | msgspec.UnsetType,
        means(
            "W3C Trace Context: the sender's span, which becomes the parent of the event's trace where traces are on.",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ] = msgspec.UNSET


class AckDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The guide's `details` of an ack, with every value as the sender wrote it (`event_type` in lower case).

    `database_id` stands in place of `table_name` for Notion.
    """

    event_type: EventType
    source: Source
    record_id: RecordId
    table_name: TableName | msgspec.UnsetType = msgspec.UNSET
    database_id: Annotated[str | msgspec.UnsetType, means("The Notion database, as the sender wrote it.")] = (
        msgspec.UNSET
    )
    timestamp: SendersTime


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was taken: stored, only checked, or Notion's handshake."""

    status: Annotated[
        Literal["accepted", "valid", "verification_token_stored"], means("What became of it.", "accepted")
    ]
    message: Message


class Accepted(Taken, frozen=True, kw_only=True):
    """The guide's 202: the events of this request are on disk."""

    status: Annotated[Literal["accepted"], means("Always `accepted`.")] = "accepted"
    message: Message = "Webhook payload received and queued for processing"
    details: Annotated[AckDetails, means("What was understood, as the sender wrote it.")]


class HandshakeStored(Taken, frozen=True, kw_only=True):
    """The answer to Notion's verification handshake."""

    status: Annotated[Literal["verification_token_stored"], means("Always `verification_token_stored`.")] = (
        "verification_token_stored"
    )
    message: Annotated[str, means("A sentence for people.")] = (
        "GET /api/v1/notion/verification-token shows the token; paste it into the form of the subscription in Notion"
    )


class TrialQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For a payload that does not name its source: whose it is."""

    source: Annotated[SourceName | None, means("The source, where the payload does not name it.", "supabase")] = None


class ParsedPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What was understood of a payload, in the guide's fields."""

    event_type: EventType
    source: Source
    table_name: TableName
    record_id: RecordId
    data: Annotated[
        dict[str, Any] | None, means("The record's columns or page object; null where the payload has none.")
    ]
    timestamp: SendersTime
    metadata: Annotated[dict[str, Any], means("As the sender wrote it.")]


class Trial(Taken, frozen=True, kw_only=True, omit_defaults=True):
    """The guide's answer. Nothing was stored."""

    status: Annotated[Literal["valid"], means("Always `valid`; what is not valid is refused.")]
    message: Message
    parsed_payload: Annotated[ParsedPayload | None, means("What was understood; null for a handshake.")]
    would_be_processed: Annotated[bool, means("Whether its endpoint would process it.")]
    reason: Annotated[str | None, means("Why it would not be processed.")] = None
    records: Annotated[tuple[str, ...], means("The records that would be read: two where a key changed.")] = ()
