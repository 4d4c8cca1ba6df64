"""The HTTP side of the PostgREST stand-in: `GET` and `HEAD /rest/v1/<table>`, `POST` (insert and upsert), and
`POST /rest/v1/rpc/<name>` for the outbox's two functions.

It parses, asks the state and words the answer; errors are raised as `WireError` and sent as they are.  Not here: PATCH,
DELETE, embedding of other tables, other stored procedures, operators for patterns and full text.

Sources: PostgREST documentation, "Tables and Views", "Pagination and Count", "Schemas"; exchanges recorded with
PostgREST 14 and the `supabase` client (tests/fixtures/supabase).
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import cast
from urllib.parse import parse_qsl, quote, unquote

from aiohttp import web

from hookbridge.standins.faults import Faults, html_reply
from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.database import Database
from hookbridge.standins.postgrest.errors import JSON_TYPE, SERVER, WireError
from hookbridge.standins.postgrest.jsonb import read_json
from hookbridge.standins.postgrest.keys import Keys
from hookbridge.standins.postgrest.query import Sorted, find, narrowed, parse_query
from hookbridge.standins.postgrest.statements import refuse_slow
from hookbridge.standins.postgrest.tables import Change, Table
from hookbridge.standins.server import Standin
from hookbridge.standins.wire import Reply

PREFIX = "/rest/v1/"
OPENAPI_TYPE = "application/openapi+json; charset=utf-8"
_WRITABLE = frozenset({"application/json", "text/csv", "application/x-www-form-urlencoded"})
_ONE_OBJECT = "application/vnd.pgrst.object+json"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class PostgrestStandin(Database, Standin):
    """A Supabase project's REST API on the loopback address, with real tables behind it.

        async with PostgrestStandin(key="sb_secret_x") as supabase:
            supabase.create_table("users", {"id": "bigint", "name": "text"})
            supabase.insert("users", {"id": 1, "name": "Ada"})
            client = await create_async_client(supabase.url, "sb_secret_x")

    `key` has the service role, `anon_key` the anonymous one.  `max_rows` cuts every answer, silently.  A proxy before
    it answers 414 to a path and query of more than `url_max` characters.
    """

    def __init__(
        self,
        *,
        key: str = "sb_secret_standin",
        anon_key: str | None = None,
        max_rows: int = 1000,
        url_max: int = 8_000,
        schemas: tuple[str, ...] = ("public",),
        gateway: bool = True,
        port: int = 0,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        Database.__init__(self, schemas, clock)
        self.keys = Keys(key, anon_key, gateway=gateway)
        Standin.__init__(self, port=port, faults=Faults(errors.own_error, lambda: self.keys.refused().reply))
        self.max_rows = max_rows
        self.url_max = url_max
        self._sorted: Sorted = {}

    async def answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        """Answer one request."""
        try:
            return self._answer(request, body)
        except WireError as refused:
            return refused.reply

    def _answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        if len(request.raw_path) > self.url_max:
            raise WireError(html_reply(HTTPStatus.REQUEST_URI_TOO_LONG))
        path, _, query_string = request.raw_path.partition("?")
        role = self.keys.role(request.headers)
        if not path.startswith(PREFIX):
            raise errors.gateway(404, "no Route matched with those values")
        name = unquote(path.removeprefix(PREFIX))
        if not name:
            # All of the OpenAPI description that anybody here asks for: that there is one.
            return Reply(status=200, body=b'{"swagger":"2.0"}', headers=self._headers(self.schemas[0], OPENAPI_TYPE))
        if "/" in name:
            first, _, rest = name.partition("/")
            if first != "rpc" or not rest or "/" in rest:
                raise errors.invalid_path()
            return self._call(request, role, rest, body)
        if request.method in {"GET", "HEAD"}:
            schema = request.headers.get("Accept-Profile", self.schemas[0])
            return self._read(request, self.requested(schema, name, role), query_string)
        media_type = request.headers.get("Content-Type", "application/json")
        if media_type.partition(";")[0].strip() not in _WRITABLE:
            raise errors.wrong_media_type(media_type)
        if request.method == "POST":
            schema = request.headers.get("Content-Profile", self.schemas[0])
            return self._write(request, self.requested(schema, name, role), body)
        raise errors.error(405, "PGRST117", f"Unsupported HTTP method: {request.method}")

    def _call(self, request: web.BaseRequest, role: str, name: str, body: bytes) -> Reply:
        """Call one of the outbox's functions: there are no others."""
        schema = request.headers.get("Content-Profile", self.schemas[0])
        if request.method != "POST" or not self.has_outbox or schema != self.schemas[0]:
            raise errors.unknown_function(schema, name)
        answer = self.outbox.call(role, schema, name, body)
        return Reply(status=200, body=answer, headers=self._headers(schema, JSON_TYPE))

    def _read(self, request: web.BaseRequest, table: Table, query_string: str) -> Reply:
        query = narrowed(parse_query(table, query_string), request.headers.get("Range", ""))
        counted = _preference(request, "count")
        size = self.max_rows if query.limit is None else min(query.limit, self.max_rows)
        exact = counted is not None and counted != "planned"
        refuse_slow(table, query, query.offset + size, counted=exact)
        found = find(table, query, self._sorted, most=None if exact else query.offset + size)
        window = found[query.offset : query.offset + size]
        # The planner guesses by its statistics, which know of no policy and little of a filter.
        planned = len(table.rows) if query.filter is None else -(-len(table.rows) // 3)
        total = None if counted is None else len(found) if exact else planned
        headers = self._headers(table.schema, JSON_TYPE)
        headers["Content-Range"] = _content_range(query.offset, len(window), total)
        headers["Content-Location"] = _content_location(table.name, query_string)
        zone = _preference(request, "timezone")
        if applied := [f"{name}={value}" for name, value in (("count", counted), ("timezone", zone)) if value]:
            headers["Preference-Applied"] = ", ".join(applied)  # every time is written in UTC anyway
        if total is not None and query.offset > total:
            refused = errors.beyond_the_end(query.offset, total).reply
            # The recorded 416 has the headers of a read and no Proxy-Status.
            return Reply(status=416, body=refused.body, headers=headers)
        if _ONE_OBJECT in request.headers.get("Accept", ""):
            if len(window) != 1:
                raise errors.not_one_row(len(window))
            headers["Content-Type"] = f"{_ONE_OBJECT}; charset=utf-8"
            return Reply(status=200, body=query.render(window[0]).encode(), headers=headers)
        status = 200 if total is None or len(window) >= total else 206
        body = b"" if request.method == "HEAD" else _rows(map(query.render, window))
        return Reply(status=status, body=body, headers=headers)

    def _headers(self, schema: str, media_type: str) -> dict[str, str]:
        headers = {"Server": SERVER, "Content-Type": media_type}
        if len(self.schemas) > 1:
            headers["Content-Profile"] = schema
        return headers

    def _write(self, request: web.BaseRequest, table: Table, body: bytes) -> Reply:
        """Insert one object or an array of them; one that fails keeps those before it (there is no transaction)."""
        merge = _preference(request, "resolution") == "merge-duplicates"
        changes = [self._write_row(table, values, merge=merge) for values in _objects(body)]
        headers = self._headers(table.schema, JSON_TYPE) | {"Content-Range": "*/*"}
        applied = [f"{name}={value}" for name in ("resolution", "return") if (value := _preference(request, name))]
        if applied:
            headers["Preference-Applied"] = ", ".join(applied)
        status = 201 if any(change.operation == "INSERT" for change in changes) else 200
        if _preference(request, "return") != "representation":
            return Reply(status=status, headers=headers)
        rows = [change.record for change in changes if change.record is not None]
        return Reply(status=status, body=_rows(row.compact(table.types) for row in rows), headers=headers)

    def _write_row(self, table: Table, values: Mapping[str, object], *, merge: bool) -> Change:
        old = table.find(values) if merge else None
        change = table.insert(values) if old is None else table.update(old, values)
        self.tell(change)
        return change


def _rows(texts: Iterable[str]) -> bytes:
    return ("[" + ", \n ".join(texts) + "]").encode()


def _objects(body: bytes) -> list[Mapping[str, object]]:
    try:
        parsed = read_json(body)
    except ValueError:
        raise errors.error(400, "PGRST102", "Empty or invalid json") from None
    rows = parsed if isinstance(parsed, list) else [parsed]
    if not all(isinstance(row, dict) for row in rows):
        raise errors.error(400, "PGRST102", "Empty or invalid json")
    return cast("list[Mapping[str, object]]", rows)


def _preference(request: web.BaseRequest, name: str) -> str | None:
    """The value of one preference of the `Prefer` headers."""
    for header in request.headers.getall("Prefer", []):
        for preference in header.split(","):
            key, _, value = preference.strip().partition("=")
            if key == name:
                return value
    return None


def _content_range(offset: int, rows: int, total: int | None) -> str:
    extent = f"{offset}-{offset + rows - 1}" if rows else "*"
    return f"{extent}/{'*' if total is None else total}"


def _content_location(table: str, query_string: str) -> str:
    """The path without its prefix; PostgREST sorts the parameters and escapes all it can.

    Its bytes beyond ASCII are written as UTF-8 twice, and values of one name are joined (recorded with 14.13).
    """
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        values.setdefault(_escaped(name), []).append(_escaped(value))
    parameters = "&".join(f"{name}={','.join(values[name])}" for name in sorted(values))
    return f"/{table}?{parameters}" if parameters else f"/{table}"


def _escaped(text: str) -> str:
    return quote(text.encode().decode("latin-1"), safe="")
