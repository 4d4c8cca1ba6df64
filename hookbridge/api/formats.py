"""The bodies of webhooks for ``/openapi.json``: what senders send, as structs that describe and decode nothing.

What is taken, and what is wrong with what is not, the sources' ``payloads`` and ``guide`` decide.  The tests hold these
against that: what is captured or shown of a format is what its struct says, and its required fields are those whose
absence is refused.  Every format may have further fields; they are kept and not looked at.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from hookbridge.api.fields import means
from hookbridge.model import SourceName


class GuideMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What belongs to an event besides the record."""

    schema: Annotated[str | None, means("Supabase: the table's schema; `public` without it.")] = None


class GuideEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The guide's format, for senders of your own; both endpoints take it."""

    event_type: Annotated[str, means("`insert`, `update` or `delete`, in upper or lower case.")]
    source: Annotated[SourceName, means("The endpoint's own: another one is refused.")]
    table_name: Annotated[
        str, means("Supabase: the table, `name` or `schema.name`. Notion: the database's id, with or without dashes.")
    ]
    record_id: Annotated[
        str | int,
        means("The row's key, the parts of a composite one percent-encoded and joined by commas; or the page's id."),
    ]
    data: Annotated[
        dict[str, Any] | None,
        means(
            "The columns, or `properties`. Where the source can be read, it has the last word; else this is applied."
        ),
    ] = None
    timestamp: Annotated[
        str | None,
        means("When it happened, ISO 8601. With it, two equal bodies are one event; without it, they are two."),
    ] = None
    metadata: Annotated[GuideMetadata | None, means("Further members are yours.")] = None


class DatabaseWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """What Supabase's Database Webhooks send, and the trigger of `trigger-sql`."""

    type: Annotated[Literal["INSERT", "UPDATE", "DELETE"], means("What was done.")]
    table: Annotated[str, means("The table.")]
    schema: Annotated[str, means("Its schema.")]
    record: Annotated[
        dict[str, Any] | None, means("The row as it is now; null after DELETE. Its key columns have to be there.")
    ] = None
    old_record: Annotated[
        dict[str, Any] | None,
        means("The row before; null after INSERT. A key that differs from `record`'s makes two events."),
    ] = None
    truncated: Annotated[
        bool, means("Whether the rows have only their key columns, because they are too large to send.")
    ] = False


class NotionEntity(msgspec.Struct, frozen=True, kw_only=True):
    """What changed."""

    id: Annotated[str, means("Its id.")]
    type: Annotated[str, means("`page`, or what carries no page to read: `database`, `data_source`, `comment`.")]


class NotionParent(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page lies."""

    type: Annotated[str | None, means("`database`, `data_source`, `page` and others.")] = None
    id: Annotated[str | None, means("Its id.")] = None
    data_source_id: Annotated[str | None, means("The data source of a page in a database.")] = None


class NotionEventData(msgspec.Struct, frozen=True, kw_only=True):
    """What Notion says of the change; no content is among it."""

    parent: Annotated[NotionParent | None, means("Where the page lies: it names the table.")] = None


class NotionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What Notion's integration webhooks send. Types without a page to read are stored and ignored."""

    id: Annotated[str, means("The event's id, the same whenever it is sent again: it counts once.")]
    type: Annotated[str, means("Such as `page.properties_updated` or `page.deleted`.")]
    entity: Annotated[NotionEntity, means("What changed.")]
    timestamp: Annotated[str | None, means("When it happened.")] = None
    data: Annotated[NotionEventData | None, means("What is said of it.")] = None


class NotionAutomationSource(msgspec.Struct, frozen=True, kw_only=True):
    """Which automation sent it."""

    type: Annotated[str, means("Always `automation`.")] = "automation"
    event_id: Annotated[str, means("The run's id: it counts once.")]


class NotionPage(msgspec.Struct, frozen=True, kw_only=True):
    """The page object."""

    id: Annotated[str, means("The page's id.")]
    parent: Annotated[NotionParent | None, means("Where it lies: it names the table.")] = None
    last_edited_time: Annotated[str | None, means("When it was edited.")] = None
    in_trash: Annotated[bool, means("Whether it was deleted.")] = False


class NotionAutomation(msgspec.Struct, frozen=True, kw_only=True):
    """What the action *Send webhook* of a Notion database automation sends."""

    source: Annotated[NotionAutomationSource, means("Who sent it.")]
    data: Annotated[NotionPage, means("The page.")]


class NotionHandshake(msgspec.Struct, frozen=True, kw_only=True):
    """What Notion sends once, when a webhook subscription is made; it is not an event."""

    verification_token: Annotated[
        str, means("To be pasted into the subscription's form; from then on, the key of `X-Notion-Signature`.")
    ]


SUPABASE: tuple[type, ...] = (GuideEvent, DatabaseWebhook)
NOTION: tuple[type, ...] = (GuideEvent, NotionEvent, NotionAutomation, NotionHandshake)
EVENTS: tuple[type, ...] = (GuideEvent, DatabaseWebhook, NotionEvent, NotionAutomation)
"""What an operator can send by hand."""
