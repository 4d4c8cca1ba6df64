"""The state of the Notion stand-in as its owner handles it: databases, their data sources, pages, access.

Everything is synchronous and takes effect at once; listeners have been told when the call returns.
Invariant: the times of pages and data sources are whole minutes, cut off and not rounded, as Notion shows them.
Trashing and restoring count as edits; moving, changes of access and `recompute()` leave `last_edited_time` alone, so
that whoever looks at times only does not see them.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import uuid4

from hookbridge.standins.notion.properties import Json, plain_text, property_id, shaped
from hookbridge.standins.notion.webhooks import Deliveries
from hookbridge.standins.wire import Listener, Webhook

BOT_ID = "00000000-0000-4000-8000-0000000000f1"
WORKSPACE_ID = "00000000-0000-4000-8000-0000000000f0"

Properties = Mapping[str, object]


class Page:
    """A page; its parent is a data source, another page, or (both None) the workspace."""

    def __init__(
        self, page_id: str, created: datetime, *, source: "DataSource | None", parent_page: str | None
    ) -> None:
        self.id = page_id
        self.created = self.edited = created
        self.source = source
        self.parent_page = parent_page
        self.properties: dict[str, dict[str, Json]] = {}
        self.in_trash = False
        self.markdown = ""
        """The body; links in it stand without signatures."""
        self.children: dict[str, Page] = {}

    @property
    def title(self) -> str:
        """The text of the title property."""
        for value in self.properties.values():
            if value["type"] == "title":
                return plain_text(value["title"])
        return ""


class DataSource:
    """A data source: a schema, and pages in the order of their creation."""

    def __init__(self, source_id: str, database: "Database", name: str, schema: dict[str, str], now: datetime) -> None:
        self.id = source_id
        self.database = database
        self.name = name
        self.schema = schema
        self.created = self.edited = now
        self.pages: dict[str, Page] = {}
        self.version = 0


class Database:
    """A database: a title and its data sources; unlike those of pages its times are exact."""

    def __init__(self, database_id: str, title: str, parent_page: str | None, now: datetime) -> None:
        self.id = database_id
        self.title = title
        self.parent_page = parent_page
        self.created = self.edited = now
        self.sources: list[DataSource] = []


def whole_minute(moment: datetime) -> datetime:
    """The time with its seconds cut off."""
    return moment.replace(second=0, microsecond=0)


def dashed(object_id: str) -> str:
    """The usual spelling of an id: lower case, with dashes."""
    bare = object_id.replace("-", "").lower()
    return re.sub(r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", r"\1-\2-\3-\4-\5", bare)


class Workspace:
    """Everything that the integration could see, and what is shared with it."""

    def __init__(self, clock: Callable[[], datetime], verification_token: str) -> None:
        self.databases: dict[str, Database] = {}
        self.sources: dict[str, DataSource] = {}
        self.pages: dict[str, Page] = {}
        self.revoked: set[str] = set()
        self.cursor_epoch = str(uuid4())
        self._clock = clock
        self.webhooks = Deliveries(clock, verification_token, integration_id=BOT_ID, workspace_id=WORKSPACE_ID)

    def create_database(
        self, title: str, schema: Mapping[str, str], *, parent_page: str | None = None, database_id: str | None = None
    ) -> str:
        """Create a database with one data source of the same name (see `data_source_ids()`); returns its id."""
        database = Database(_id(database_id), title, parent_page, self._clock())
        self.databases[database.id] = database
        self.webhooks.tell("database.created", database.id, {"parent": _page_parent(parent_page)})
        self.add_data_source(database.id, title, schema)
        return database.id

    def link_database(self, title: str, *, database_id: str | None = None) -> str:
        """Create a linked database, a view of another one: it is found, and has no data source; returns its id."""
        database = Database(_id(database_id), title, None, self._clock())
        self.databases[database.id] = database
        return database.id

    def add_data_source(
        self, database_id: str, name: str, schema: Mapping[str, str], *, data_source_id: str | None = None
    ) -> str:
        """Add a data source to a database and return its id; a schema without a title gets the title `Name`."""
        database = self.databases[dashed(database_id)]
        columns = dict(schema) if "title" in schema.values() else {"Name": "title", **schema}
        source = DataSource(_id(data_source_id), database, name, columns, whole_minute(self._clock()))
        database.sources.append(source)
        self.sources[source.id] = source
        self.webhooks.tell("data_source.created", source.id, {"parent": {"id": database.id, "type": "database"}})
        return source.id

    def data_source_ids(self, database_id: str) -> list[str]:
        """The ids of a database's data sources, in the order of their creation."""
        return [source.id for source in self.databases[dashed(database_id)].sources]

    def create_page(
        self,
        parent_id: str | None,
        properties: Properties | None = None,
        *,
        page_id: str | None = None,
        title: str | None = None,
        markdown: str = "",
    ) -> str:
        """Create a page in a data source, under a page, or (parent None) in the workspace; returns its id.

        In a data source every property of the schema gets a value; elsewhere a page only has a `title`.  A page that
        gets or loses a child is edited.
        """
        parent = None if parent_id is None else dashed(parent_id)
        source = self.sources.get(parent or "")
        page = Page(
            _id(page_id), whole_minute(self._clock()), source=source, parent_page=None if source is not None else parent
        )
        schema = source.schema if source is not None else {"title": "title"}
        given = dict(properties or {})
        if title is not None:
            given[next(name for name, kind in schema.items() if kind == "title")] = title
        _refuse_unknown(given, schema)
        page.properties = {name: shaped(name, kind, given.get(name)) for name, kind in schema.items()}
        page.markdown = markdown
        self.pages[page.id] = page
        self._join(page)
        self._tell(page, "page.created")
        self._parent_edited(page)
        return page.id

    def update_page(self, page_id: str, properties: Properties) -> None:
        """Edit properties: an edit time, and a webhook that names them."""
        page = self.pages[dashed(page_id)]
        self._set(page, properties)
        self._edited(page)
        names = [property_id(name, str(page.properties[name]["type"])) for name in properties]
        self._tell(page, "page.properties_updated", {"updated_properties": list[Json](names)})

    def recompute(self, page_id: str, properties: Properties) -> None:
        """Change properties as rollups and formulas change: without an edit time and without a webhook."""
        self._set(self.pages[dashed(page_id)], properties)

    def edit_content(self, page_id: str, markdown: str | None = None) -> None:
        """Edit the page's body: an edit time, and a webhook; without a text, in a way that markdown does not show."""
        page = self.pages[dashed(page_id)]
        page.markdown = page.markdown if markdown is None else markdown
        self._content_edited(page)

    def trash(self, page_id: str) -> None:
        """Put a page into the trash: queries no longer find it, retrieving it still answers."""
        self._trash(page_id, "page.deleted", in_trash=True)

    def restore(self, page_id: str) -> None:
        """Take a page out of the trash."""
        self._trash(page_id, "page.undeleted", in_trash=False)

    def remove(self, page_id: str) -> None:
        """Delete a page for good, as emptying the trash does: silently."""
        page = self.pages.pop(dashed(page_id))
        self._leave(page)

    def move_page(self, page_id: str, parent_id: str) -> None:
        """Move a page to another data source, whose schema it takes on, or under a page."""
        page, parent = self.pages[dashed(page_id)], dashed(parent_id)
        self._leave(page)
        self._parent_edited(page)
        page.source = self.sources.get(parent)
        page.parent_page = None if page.source is not None else parent
        if page.source is not None:
            kept = page.properties
            schema = page.source.schema
            page.properties = {name: kept.get(name) or shaped(name, kind, None) for name, kind in schema.items()}
        self._join(page)
        self._tell(page, "page.moved")
        self._parent_edited(page)

    def revoke(self, object_id: str) -> None:
        """Take the integration's access to a page, a data source or a database away; what is inside goes with it."""
        self.revoked.add(dashed(object_id))
        self._access_changed()

    def grant(self, object_id: str) -> None:
        """Give the access back."""
        self.revoked.discard(dashed(object_id))
        self._access_changed()

    def invalidate_cursors(self) -> None:
        """Make every cursor that was handed out invalid."""
        self.cursor_epoch = str(uuid4())

    def page_title(self, page_id: str) -> str:
        """The title of a page."""
        return self.pages[dashed(page_id)].title

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Subscribe: `callback` gets a signed integration webhook for each change; the returned function ends it."""
        return self.webhooks.listen(callback)

    def handshake(self) -> Webhook:
        """The request that presents the verification token of a new subscription."""
        return self.webhooks.handshake()

    def visible(self, page: Page) -> bool:
        """Whether the integration may see a page."""
        return page.id not in self.revoked and (page.source is None or self.visible_source(page.source))

    def visible_source(self, source: DataSource) -> bool:
        """Whether the integration may see a data source."""
        return self.revoked.isdisjoint((source.id, source.database.id))

    def _set(self, page: Page, properties: Properties) -> None:
        kinds = {name: str(value["type"]) for name, value in page.properties.items()}
        _refuse_unknown(properties, kinds)
        page.properties |= {name: shaped(name, kinds[name], value) for name, value in properties.items()}

    def _edited(self, page: Page) -> None:
        page.edited = whole_minute(self._clock())
        if page.source is not None:
            page.source.version += 1

    def _trash(self, page_id: str, event_type: str, *, in_trash: bool) -> None:
        page = self.pages[dashed(page_id)]
        page.in_trash = in_trash
        self._edited(page)
        self._tell(page, event_type)
        self._parent_edited(page)

    def _content_edited(self, page: Page) -> None:
        self._edited(page)
        self._tell(page, "page.content_updated", {"updated_blocks": [{"id": str(uuid4()), "type": "block"}]})

    def _parent_edited(self, page: Page) -> None:
        if (parent := self.pages.get(page.parent_page or "")) is not None:
            self._content_edited(parent)

    def _join(self, page: Page) -> None:
        if page.source is not None:
            page.source.pages[page.id] = page
            page.source.version += 1
        elif (parent := self.pages.get(page.parent_page or "")) is not None:
            parent.children[page.id] = page

    def _leave(self, page: Page) -> None:
        if page.source is not None:
            del page.source.pages[page.id]
            page.source.version += 1
        elif (parent := self.pages.get(page.parent_page or "")) is not None:
            del parent.children[page.id]

    def _access_changed(self) -> None:
        for source in self.sources.values():
            source.version += 1

    def _tell(self, page: Page, event_type: str, extra: dict[str, Json] | None = None) -> None:
        if not self.visible(page):
            return
        parent = _page_parent(page.parent_page)
        if page.source is not None:
            parent = {"id": page.source.database.id, "type": "database", "data_source_id": page.source.id}
        self.webhooks.tell(event_type, page.id, {"parent": parent, **(extra or {})})


def _id(given: str | None) -> str:
    return str(uuid4()) if given is None else dashed(given)


def _page_parent(parent_page: str | None) -> dict[str, Json]:
    if parent_page is None:
        return {"id": WORKSPACE_ID, "type": "space"}
    return {"id": parent_page, "type": "page"}


def _refuse_unknown(given: Mapping[str, object], schema: Mapping[str, str]) -> None:
    unknown = set(given) - set(schema)
    if unknown:
        message = f"no property {', '.join(sorted(unknown))}"
        raise KeyError(message)
