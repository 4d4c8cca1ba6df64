"""What the API shows of the state: page, data source, database and user objects, by API version.

2026-03-11 dropped `archived`; before, it repeats `in_trash`.  Sources: Notion API reference; recorded objects.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from hookbridge.standins.notion.properties import Json, rich_text, schema_object, shown
from hookbridge.standins.notion.workspace import BOT_ID, WORKSPACE_ID, Database, DataSource, Page

_WITHOUT_ARCHIVED = "2026-03-11"


def minute_text(moment: datetime) -> str:
    """A page's time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:00.000Z")


def _exact_text(moment: datetime) -> str:
    """A database's time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def page_object(page: Page, version: str) -> dict[str, Json]:
    """A page with its properties."""
    answer: dict[str, Json] = {
        "object": "page",
        "id": page.id,
        "created_time": minute_text(page.created),
        "last_edited_time": minute_text(page.edited),
        "created_by": _bot(),
        "last_edited_by": _bot(),
        "cover": None,
        "icon": None,
        "parent": _parent_of(page),
        "in_trash": page.in_trash,
        "is_archived": False,
        "is_locked": False,
        "properties": {name: _current(page, value) for name, value in page.properties.items()},
        "url": _url(page.title, page.id),
        "public_url": None,
    }
    return answer | _archived(version, in_trash=page.in_trash)


def data_source_object(source: DataSource, version: str) -> dict[str, Json]:
    """A data source with its schema."""
    answer: dict[str, Json] = {
        "object": "data_source",
        "id": source.id,
        "cover": None,
        "icon": None,
        "created_time": minute_text(source.created),
        "created_by": _bot(),
        "last_edited_by": _bot(),
        "last_edited_time": minute_text(source.edited),
        "title": rich_text(source.name),
        "description": [],
        "is_inline": False,
        "properties": schema_object(source.schema),
        "parent": {"type": "database_id", "database_id": source.database.id},
        "database_parent": _page_or_workspace(source.database.parent_page),
        "url": _url("", source.database.id),
        "public_url": None,
        "in_trash": False,
    }
    return answer | _archived(version, in_trash=False)


def database_object(database: Database, visible: list[DataSource], version: str) -> dict[str, Json]:
    """A database with the data sources that the integration may see."""
    answer: dict[str, Json] = {
        "object": "database",
        "id": database.id,
        "title": rich_text(database.title),
        "description": [],
        "parent": _page_or_workspace(database.parent_page),
        "is_inline": False,
        "in_trash": False,
        "is_locked": False,
        "created_time": _exact_text(database.created),
        "last_edited_time": _exact_text(database.edited),
        "data_sources": [dict[str, Json](id=source.id, name=source.name) for source in visible],
        "icon": None,
        "cover": None,
        "url": _url("", database.id),
        "public_url": None,
    }
    return answer | _archived(version, in_trash=False)


def bot_object(name: str) -> dict[str, Json]:
    """The integration's own user."""
    return {
        "object": "user",
        "id": BOT_ID,
        "name": name,
        "avatar_url": None,
        "type": "bot",
        "bot": {
            "owner": {"type": "workspace", "workspace": True},
            "workspace_name": "Stand-in",
            "workspace_id": WORKSPACE_ID,
            "workspace_limits": {"max_file_upload_size_in_bytes": 5242880},
        },
    }


def _bot() -> dict[str, Json]:
    return {"object": "user", "id": BOT_ID}


def _archived(version: str, *, in_trash: bool) -> dict[str, Json]:
    return {} if version >= _WITHOUT_ARCHIVED else {"archived": in_trash}


def _current(page: Page, value: Mapping[str, Json]) -> dict[str, Json]:
    """A property value; the times and users of the page itself are taken from it."""
    kind = value["type"]
    if kind == "created_time":
        return {**value, "created_time": minute_text(page.created)}
    if kind == "last_edited_time":
        return {**value, "last_edited_time": minute_text(page.edited)}
    if kind in {"created_by", "last_edited_by"}:
        return {**value, str(kind): _bot()}
    return shown(dict(value))


def _parent_of(page: Page) -> dict[str, Json]:
    if page.source is not None:
        return {
            "type": "data_source_id",
            "data_source_id": page.source.id,
            "database_id": page.source.database.id,
        }
    return _page_or_workspace(page.parent_page)


def _page_or_workspace(page_id: str | None) -> dict[str, Json]:
    if page_id is None:
        return {"type": "workspace", "workspace": True}
    return {"type": "page_id", "page_id": page_id}


def _url(title: str, object_id: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")
    bare = object_id.replace("-", "")
    return f"https://app.notion.com/p/{slug}-{bare}" if slug else f"https://app.notion.com/p/{bare}"
