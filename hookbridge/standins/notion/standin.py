"""The HTTP side of the Notion stand-in: the endpoints that read pages, data sources and databases.

It checks token, version, path and ids in that order, asks the state and shows objects; errors are raised as
`NotionError` and sent as they are.  Nothing can be written over HTTP but the body of a page.

Sources: Notion API reference for versions 2025-09-03 and 2026-03-11; recorded exchanges.
"""

import itertools
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from aiohttp import web

from hookbridge.standins.faults import Faults
from hookbridge.standins.notion import bodies, errors, items, links, objects
from hookbridge.standins.notion.budget import TokenBucket
from hookbridge.standins.notion.properties import Json
from hookbridge.standins.notion.query import QueryEngine
from hookbridge.standins.notion.workspace import BOT_ID, DataSource, Page, Workspace, dashed
from hookbridge.standins.server import Standin
from hookbridge.standins.wire import Reply

_PATH = re.compile(r"/v1/(pages|databases|data_sources|users)/([^/?]+)(/query)?")
_MARKDOWN_PATH = re.compile(r"/v1/pages/([^/?]+)/markdown")
_PROPERTY_PATH = re.compile(r"/v1/pages/([^/?]+)/properties/([^/?]+)")
_KINDS = {"pages": "page", "databases": "database", "data_sources": "data_source", "users": "user"}
# As the library behind Notion's validation has it: versions 1 to 8 of the RFC variant, and the nil uuid.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_NIL = "00000000-0000-0000-0000-000000000000"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class NotionStandin(Workspace, Standin):
    """Notion's API on the loopback address, with a real workspace behind it.

        async with NotionStandin(token="ntn_x") as notion:
            database = notion.create_database("Tasks", {"Name": "title", "Status": "select"})
            (source,) = notion.data_source_ids(database)
            notion.create_page(source, {"Name": "Write", "Status": "Open"})
            client = AsyncClient(auth="ntn_x", base_url=notion.url)

    `clock` gives the times of pages and drives the rate limit.  `result_limit` is the most that one query gives out,
    `blocks_max` the most blocks that one answer about a body shows.  `bodies_readable = False` takes the capability to
    read content away, where bodies are concerned.
    """

    def __init__(
        self,
        *,
        token: str = "ntn_standin",  # noqa: S107 - made up, for a local server
        verification_token: str = "secret_of-the-stand-in-as-long-as-those-of-Notion",  # noqa: S107 - likewise
        integration: str = "hookbridge",
        result_limit: int = 10_000,
        port: int = 0,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        Workspace.__init__(self, clock, verification_token)
        Standin.__init__(self, port=port, faults=Faults(errors.own_error, lambda: errors.unauthorized().reply))
        self.integration = integration
        self.blocks_max = bodies.BLOCKS_MAX
        self.bodies_readable = True
        self._parts: dict[str, bodies.Part] = {}
        self._token = token
        self._engine = QueryEngine(self, result_limit)
        self._bucket: TokenBucket | None = None
        self._signatures = itertools.count(1)

    def limit_rate(self, *, per_second: float = 3.0, burst: int = 3) -> None:
        """Switch the rate limit on: 429 with `Retry-After` once the bucket is empty."""
        self._bucket = TokenBucket(self._clock, per_second=per_second, burst=burst)

    def unlimit_rate(self) -> None:
        """Switch the rate limit off."""
        self._bucket = None

    async def answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        """Answer one request."""
        try:
            shown = self._answer(request, body)
        except errors.NotionError as refused:
            return refused.reply
        request_id = str(uuid4())
        headers = {"Content-Type": errors.JSON_TYPE, "x-notion-request-id": request_id}
        body = _encoded(shown | {"request_id": request_id})
        if b'"expiry_time"' in body:
            body = msgspec.json.encode(links.signed(msgspec.json.decode(body), self._clock(), next(self._signatures)))
        return Reply(status=200, body=body, headers=headers)

    def _answer(self, request: web.BaseRequest, body: bytes) -> dict[str, Json]:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            raise errors.unauthorized()
        version = request.headers.get("Notion-Version")
        if version is None:
            raise errors.missing_version()
        wait = self._bucket.take() if self._bucket else 0
        if wait:
            raise errors.rate_limited(wait)
        if (of := _PROPERTY_PATH.fullmatch(request.path)) and request.method == "GET":
            return self._property(_object_id("pages", of[1]), of[2], request.query)
        if (of := _MARKDOWN_PATH.fullmatch(request.path)) and request.method in {"GET", "PATCH"}:
            return self._body(_object_id("pages", of[1]), _parsed(body) if request.method == "PATCH" else None)
        path = _PATH.fullmatch(request.path)
        expected = "POST" if path and path[3] else "GET"
        if path is None or request.method != expected:
            raise errors.invalid_url()
        if path[3]:
            return self._query(path[1], path[2], body, version)
        return self._retrieve(path[1], path[2], version)

    def _retrieve(self, collection: str, text: str, version: str) -> dict[str, Json]:
        if (collection, text) == ("users", "me"):
            return objects.bot_object(self.integration)
        object_id = _object_id(collection, text)
        if collection == "pages":
            return self._page(object_id, version)
        if collection == "data_sources":
            return objects.data_source_object(self._source(object_id), version)
        if collection == "databases":
            return self._database(object_id, version)
        if object_id == BOT_ID:
            return objects.bot_object(self.integration)
        raise errors.user_not_found(object_id, BOT_ID)

    def _page(self, page_id: str, version: str) -> dict[str, Json]:
        return objects.page_object(self._found(page_id), version)

    def _found(self, page_id: str) -> Page:
        page = self.pages.get(page_id)
        if page is not None and self.visible(page):
            return page
        if page_id in self.databases and page_id not in self.revoked:
            hint = "Use the retrieve database API instead."
            raise errors.validation(f"Provided ID {page_id} is a database, not a page. {hint}")
        raise self._missing("page", page_id)

    def _property(self, page_id: str, property_id: str, query: Mapping[str, str]) -> dict[str, Json]:
        answer = items.property_answer(self._found(page_id), property_id, query)
        if answer is None:
            raise self._missing("property", property_id)
        return answer

    def _body(self, object_id: str, command: Mapping[str, Any] | None) -> dict[str, Json]:
        if not self.bodies_readable:
            raise errors.restricted()
        part = self._parts.get(object_id)
        if part is not None and self.visible(part.page) and command is None:
            shown = bodies.subtree(part, self.blocks_max)
        else:
            page = self._found(object_id)
            if command is not None:
                self.edit_content(page.id, bodies.edited(page.markdown, command))
            shown = bodies.whole(page, self.blocks_max, self.visible)
        self._parts |= {one.id: one for one in shown.parts}
        answer = bodies.answer(object_id, shown)
        return answer | {"markdown": links.signed_in(shown.markdown, self._clock(), next(self._signatures))}

    def _database(self, database_id: str, version: str) -> dict[str, Json]:
        database = self.databases.get(database_id)
        if database is None or database_id in self.revoked:
            raise self._missing("database", database_id)
        return objects.database_object(database, list(filter(self.visible_source, database.sources)), version)

    def _source(self, source_id: str) -> DataSource:
        source = self.sources.get(source_id)
        if source is None or not self.visible_source(source):
            raise self._missing("data_source", source_id)
        return source

    def _missing(self, kind: str, object_id: str) -> errors.NotionError:
        return errors.not_found(kind, object_id, self.integration, BOT_ID)

    def _query(self, collection: str, text: str, body: bytes, version: str) -> dict[str, Json]:
        if collection != "data_sources":
            raise errors.invalid_url()
        source = self._source(_object_id(collection, text))
        listing = self._engine.run(source, _parsed(body))
        answer: dict[str, Json] = {
            "object": "list",
            "results": [objects.page_object(page, version) for page in listing.pages],
            "next_cursor": listing.next_cursor,
            "has_more": listing.next_cursor is not None,
            "type": "page_or_data_source",
            "page_or_data_source": {},
        }
        if listing.limit_reached:
            answer["request_status"] = {"type": "incomplete", "incomplete_reason": "query_result_limit_reached"}
        return answer


def _object_id(collection: str, text: str) -> str:
    """The id in a path, in its usual spelling."""
    object_id = dashed(text)
    if _UUID.fullmatch(object_id) or object_id == _NIL:
        return object_id
    raise errors.bad_uuid(f"{_KINDS[collection]}_id", text)


def _encoded(value: dict[str, Json]) -> bytes:
    """As JavaScript encodes it: half of a surrogate pair stands as an escape."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value).encode()


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        raise errors.invalid_json() from None
    if not isinstance(parsed, dict):
        raise errors.validation("body failed validation: body should be an object.")
    return parsed
