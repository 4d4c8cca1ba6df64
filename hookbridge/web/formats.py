"""The bodies of webhooks for ``/openapi.json``: what senders send, as structs that describe and decode nothing.

What is taken, and what is wrong with what is not, the sources' ``payloads`` and ``guide`` decide.  The tests hold these
against that: what is captured or shown of a format is what its struct says, and its required fields are those whose
absence is refused.  Every format may have further fields; they are kept and not looked at.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hookbridge.model import SourceName


class GuideMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to an event besides the record."""

    schema: str | None = None
    """Supabase: the table's schema; `public` without it."""


class GuideEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The guide's format, for senders of your own; both endpoints take it."""

    event_type: str
    """`insert`, `update` or `delete`, in upper or lower case."""
    source: SourceName
    """The endpoint's own: another one is refused."""
    table_name: str
    """Supabase: the table, `name` or `schema.name`. Notion: the database's id, with or without dashes."""
    record_id: str | int
    """The row's key, the parts of a composite one percent-encoded and joined by commas; or the page's id."""
    data: dict[str, Any] | None = None
    """The columns, or `properties`. Where the source can be read, it has the last word; else this is applied."""
    timestamp: str | None = None
    """When it happened, ISO 8601. With it, two equal bodies are one event; without it, they are two."""
    metadata: GuideMetadata | None = None
    """Further members are yours."""


class DatabaseWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """What Supabase's Database Webhooks send, and the trigger of `trigger-sql`."""

    type: Literal["INSERT", "UPDATE", "DELETE"]
    """What was done."""
    table: str
    """The table."""
    schema: str
    """Its schema."""
    record: dict[str, Any] | None = None
    """The row as it is now; null after DELETE. Its key columns have to be there."""
    old_record: dict[str, Any] | None = None
    """The row before; null after INSERT. A key that differs from `record`'s makes two events."""
    truncated: bool = False
    """Whether the rows have only their key columns, because they are too large to send."""


class NotionEntity(msgspec.Struct, frozen=True, kw_only=True):
    """What changed."""

    id: str
    """Its id."""
    type: str
    """`page`, or what carries no page to read: `database`, `data_source`, `comment`."""


class NotionParent(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page lies."""

    type: str | None = None
    """`database`, `data_source`, `page` and others."""
    id: str | None = None
    """Its id."""
    data_source_id: str | None = None
    """The data source of a page in a database."""


class NotionEventData(msgspec.Struct, frozen=True, kw_only=True):
    """What Notion says of the change; no content is among it."""

    parent: NotionParent | None = None
    """Where the page lies: it names the table."""


class NotionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What Notion's integration webhooks send. Types without a page to read are stored and ignored."""

    id: str
    """The event's id, the same whenever it is sent again: it counts once."""
    type: str
    """Such as `page.properties_updated` or `page.deleted`."""
    entity: NotionEntity
    """What changed."""
    timestamp: str | None = None
    """When it happened."""
    data: NotionEventData | None = None
    """What is said of it."""


class NotionAutomationSource(msgspec.Struct, frozen=True, kw_only=True):
    """Which automation sent it."""

    type: str = "automation"
    """Always `automation`."""
    event_id: str
    """The run's id: it counts once."""


class NotionPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page object."""

    id: str
    """The page's id."""
    parent: NotionParent | None = None
    """Where it lies: it names the table."""
    last_edited_time: str | None = None
    """When it was edited."""
    in_trash: bool = False
    """Whether it was deleted."""


class NotionAutomation(msgspec.Struct, frozen=True, kw_only=True):
    """What the action *Send webhook* of a Notion database automation sends."""

    source: NotionAutomationSource
    """Who sent it."""
    data: NotionPage
    """The page."""


class NotionHandshake(msgspec.Struct, frozen=True, kw_only=True):
    """What Notion sends once, when a webhook subscription is made; it is not an event."""

    verification_token: str
    """To be pasted into the subscription's form; from then on, the key of `X-Notion-Signature`."""


SUPABASE: tuple[type, ...] = (GuideEvent, DatabaseWebhook)
NOTION: tuple[type, ...] = (GuideEvent, NotionEvent, NotionAutomation, NotionHandshake)
EVENTS: tuple[type, ...] = (GuideEvent, DatabaseWebhook, NotionEvent, NotionAutomation)
"""What an operator can send by hand."""
