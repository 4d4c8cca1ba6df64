"""The one Supabase client of the process.  What its SDK raises becomes one of our errors here and nowhere else.

Its own retries are off: ``pipeline/retry.py`` decides about those.  The SDK parses numbers as floats and hides the
status of an error, so the raw answer is kept beside what it returns.  Wire format: https://docs.postgrest.org, with its
errors at https://docs.postgrest.org/en/stable/references/errors.html.  Invariants: no error shows the key; no table's
name leads to another path than a table's.
"""

from __future__ import annotations

import contextvars
import re
import time
from collections.abc import Mapping
from http import HTTPStatus

import httpx
import msgspec
from postgrest import APIError, AsyncRequestBuilder, AsyncSelectRequestBuilder, CountMethod
from supabase import AsyncClient, AsyncClientOptions
from supabase.client import SupabaseException

from hookbridge.errors import (
    PullRefused,
    RecordImpossible,
    RecordUnreadable,
    SourceError,
    SourceRefused,
    SourceUnavailable,
    StartupError,
    TableUnreadable,
)
from hookbridge.observe.redaction import SECRET
from hookbridge.settings.certificates import trusted, unreachable
from hookbridge.sources.statuses import by_status, retry_after_seconds
from hookbridge.sources.supabase import filters
from hookbridge.sources.supabase.answers import Rows, rows_in
from hookbridge.sources.supabase.pull.taken import RUN_AGAIN
from hookbridge.sources.supabase.turns import Turns

_NO_PARTS = frozenset(("", ".", ".."))
"""What a path has between its slashes where it names nothing, or where it goes up."""

CONNECT_SECONDS_MAX = 5.0
CONNECTIONS_MAX = 10
SHOWN_MAX = 300


class ValueImpossible(RecordImpossible):
    """One of the values in the request is none of its column's type."""


UNREADABLE = frozenset(
    ((404, "PGRST205"), (406, "PGRST106"), (404, "42P01"), (403, "42501"), (401, "42501"), (400, "42703")),
)
"""The table or one of its columns is not there, or not ours to read.  A code is read with the status that PostgREST
gives it, because either alone has two meanings: 22023 with 401 is a role that does not exist, with 400 a zone or a byte
that does not.  A table that is not granted answers 403, and 401 where the key's role is ``anon``."""

_INVALID_VALUES = frozenset(("22003", "22007", "22008", "22009", "22021", "22023", "22P02", "22P03"))
"""With 400: what was asked for is no value of its column (out of range, no such time or zone, malformed).  The other
data exceptions speak of what the rows hold, as a view's division by zero does (22012)."""

_SQLSTATE = re.compile(r"(?=.*\d)(?!PT)[0-9A-Z]{5}")
"""A code of PostgreSQL's.  ``PT…`` is none: with it a project's own function sets the status."""

_OF_THE_SERVER = re.compile(r"08|0P|28|3D|53|57P|58")
"""The classes of a database that serves nobody: connections, roles, authorization, the database itself, resources,
shutdown, i/o."""

_OF_THE_QUERY = frozenset((403, 404, 500))
"""Any other named code that comes with one of these is the database's word on this query: a policy that fails, a view
that is broken, a foreign server that is down."""


_HINTS: Mapping[str, str] = {
    "PGRST205": "check the table's name and schema; is it exposed by the Data API? Of a partition that a webhook names,"
    " the partitioned table is: say so with partitions in [[supabase.tables]]",
    "PGRST106": "add the schema to the exposed schemas of the Data API",
    "42501": "grant select on the table, or use a secret key",
    "57014": "does the table have an index on its key, and one on changed_at and the key? docs/supabase.md has them",
    "42703": "check key and changed_at in [[supabase.tables]]",
}

_CALL_HINTS: Mapping[tuple[int, str], str] = {
    (404, "PGRST202"): f"{RUN_AGAIN}; where that was done just now: notify pgrst, 'reload schema';",
    (404, "42883"): RUN_AGAIN,
    (404, "42P01"): RUN_AGAIN,
    (400, "3F000"): RUN_AGAIN,
    (406, "PGRST106"): "add the schema to the exposed schemas of the Data API, or correct [supabase] api_schema",
    (403, "42501"): f"set SUPABASE_KEY to a secret key (sb_secret_…), or {RUN_AGAIN}",
    (401, "42501"): f"set SUPABASE_KEY to a secret key (sb_secret_…), or {RUN_AGAIN}",
}
"""Of our functions: what is not there, or not for us, until somebody acts."""


class _Said(msgspec.Struct, frozen=True):
    """The body of an error, as far as it is one of PostgREST's."""

    code: str | None = None
    message: str = ""


_answer: contextvars.ContextVar[list[httpx.Response] | None] = contextvars.ContextVar("answer", default=None)
_total = re.compile(r"/(\d+)$")


class SupabaseClient:
    """Reads; every method raises SourceError and nothing else of the outside."""

    def __init__(self, url: str, key: str, timeout_seconds: float) -> None:
        self._key = key
        self._turns = Turns(CONNECTIONS_MAX, timeout_seconds)
        timeout = httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, CONNECT_SECONDS_MAX))
        limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
        self._http = httpx.AsyncClient(
            verify=trusted(),
            timeout=timeout,
            limits=limits,
            event_hooks={"request": [_in_utc], "response": [self._turns.heard, _keep]},
        )
        options = AsyncClientOptions(
            httpx_client=self._http, postgrest_client_retry=False, auto_refresh_token=False, persist_session=False
        )
        try:
            self._sdk = AsyncClient(url, key, options)
        except SupabaseException as error:
            raise StartupError(f"Supabase's client refuses the credentials: {error}", hint="check .env") from None

    async def rows(self, schema: str, table: str, condition: str) -> Rows:
        """Read the rows of a condition, with their exact number.  Raises SourceError."""
        query = self._of(schema, table).select("*", count=CountMethod.exact)
        return _rows_of(await self._ask(query.or_(condition)))

    async def slice(self, schema: str, table: str, asked: filters.Asked) -> Rows:
        """Read rows in an order, from a place on.  Raises SourceError."""
        count = None if asked.count is None else CountMethod(asked.count)
        query = self._of(schema, table).select("*", count=count)
        if asked.after:
            query = query.or_(filters.behind(asked.order, asked.after, asked.within))
        elif asked.since is not None:
            query = query.or_(filters.since(*asked.since))
        if asked.descending:
            query = query.or_(filters.filled(asked.order[0]))
        for column in asked.order:
            # An index in ascending order has nulls last, and read backwards first: no index gives any other order.
            query = query.order(filters.name(column), desc=asked.descending, nullsfirst=asked.descending)
        response = await self._ask(query.limit(asked.limit))
        return Rows(_rows_in(response), _total_of(response) or 0)

    async def probe(self, schema: str, table: str) -> None:
        """Ask for one row of a table.  Returns when the source answered; raises SourceError."""
        try:
            await self._ask(self._of(schema, table).select("*").limit(1))
        except (RecordImpossible, RecordUnreadable):
            return  # an answer about the table is an answer

    async def call(self, schema: str, function: str, arguments: bytes) -> bytes:
        """Call one of our functions there with JSON, and give its JSON.  Raises PullRefused or another SourceError.

        Not by the SDK, which would make objects of megabytes that nobody looks at.
        """
        api = self._sdk.schema(schema)
        try:
            async with self._turns():
                response = await self._http.post(
                    str(api.base_url.joinpath("rpc", function)),
                    content=arguments,
                    headers={**api.headers, "Content-Type": "application/json"},
                )
        except TimeoutError:
            raise _late() from None
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        if not response.is_success:
            raise self._refusal(response)
        if "json" not in response.headers.get("Content-Type", ""):
            raise _not_json(response)
        return response.content

    def _refusal(self, response: httpx.Response) -> SourceError:
        try:
            said = msgspec.json.decode(response.content, type=_Said)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = _Said()
        error = _classified([response], said.code, said.message.replace(self._key, SECRET) or None)
        hint = _CALL_HINTS.get((response.status_code, said.code or ""))
        return error if hint is None else PullRefused(error.message, hint=hint)

    def _of(self, schema: str, table: str) -> AsyncRequestBuilder:
        """Address a table.  Raises TableUnreadable: a name that is more than one part of a path leads elsewhere.

        A webhook brought it, and the key opens the whole project: its users, its functions.
        """
        if "/" in table or table in _NO_PARTS:
            raise TableUnreadable("The Data API has no address for a table of this name")
        return self._sdk.schema(schema).table(table)

    async def _ask(self, query: AsyncSelectRequestBuilder) -> httpx.Response:
        kept: list[httpx.Response] = []
        token = _answer.set(kept)
        try:
            # httpx's own times begin anew with each byte: an answer that drips would be waited for without an end.
            async with self._turns():
                await query.execute()
        except TimeoutError:
            raise _late() from None
        except APIError as error:
            # A server may repeat what it was sent, and its words are stored and shown.
            said = None if error.message is None else str(error.message).replace(self._key, SECRET)
            raise _classified(kept, error.code, said) from None
        except httpx.HTTPError as error:
            raise _unreachable(error) from None
        except (ValueError, RecursionError, httpx.InvalidURL):
            # The SDK could not read the answer.  Of an error its status is left; a success is read here, row by row.
            if not kept or not kept[-1].is_success:
                raise _classified(kept, None, None) from None
        finally:
            _answer.reset(token)
        return kept[-1]

    async def close(self) -> None:
        """Close the connections.  Idempotent."""
        await self._http.aclose()


def _rows_of(response: httpx.Response) -> Rows:
    """Give rows with their exact number."""
    rows, total = _rows_in(response), _total_of(response)
    if total is None:
        # Whether it was cut would show nowhere, and what is missing in it would be taken for gone.
        raise SourceUnavailable(
            "Supabase was asked how many rows there are and did not say",
            hint="is there a proxy before it that drops Content-Range or Prefer?",
        )
    return Rows(rows, total)


def _rows_in(response: httpx.Response) -> tuple[bytes, ...]:
    try:
        return rows_in(response.content)
    except ValueError:
        raise _not_json(response) from None


def _total_of(response: httpx.Response) -> int | None:
    found = _total.search(response.headers.get("Content-Range", ""))
    return None if found is None else int(found[1])


async def _in_utc(request: httpx.Request) -> None:
    """Have times written in UTC whatever the database's zone is: as a key's text they name a record.

    https://docs.postgrest.org/en/v12/references/api/preferences.html#timezone; a server before 12 ignores it.
    """
    asked = request.headers.get("Prefer")
    request.headers["Prefer"] = f"{asked}, timezone=UTC" if asked else "timezone=UTC"


async def _keep(response: httpx.Response) -> None:
    kept = _answer.get()
    if kept is not None:
        kept.append(response)


def _classified(kept: list[httpx.Response], code: str | None, message: str | None) -> SourceError:
    if not kept:
        return SourceUnavailable("Supabase gave no answer that can be read")
    response = kept[-1]
    kind = _kind(str(code), response.status_code)
    said = (message or response.reason_phrase or "no reason")[:SHOWN_MAX]
    # What is no code of theirs may be anything, and any length.
    known = f" {code}" if re.fullmatch(r"PGRST\d{1,9}|[0-9A-Z]{5}", str(code)) else ""
    text = f"Supabase answered {response.status_code}{known}: {said}"
    if kind is SourceUnavailable:
        wait = retry_after_seconds(response.headers.get("Retry-After", ""), time.time())
        return SourceUnavailable(text, retry_after_seconds=wait)
    if kind is SourceRefused:
        return SourceRefused(text, hint="check SUPABASE_KEY: the key may have been replaced")
    return kind(text, hint=_HINTS.get(str(code), ""))


def _kind(code: str, status: int) -> type[SourceError]:
    """Say what an answer means: only a 401, and a 403 that names no code, refuse the key."""
    if (status, code) in UNREADABLE:
        return TableUnreadable
    if status == HTTPStatus.BAD_REQUEST and code in _INVALID_VALUES:
        return ValueImpossible
    if status in _OF_THE_QUERY and _SQLSTATE.fullmatch(code):
        return SourceUnavailable if _OF_THE_SERVER.match(code) else RecordUnreadable
    return by_status(status)


def _not_json(response: httpx.Response) -> SourceUnavailable:
    return SourceUnavailable(
        f"Supabase answered {response.status_code} with something that is no list of rows",
        hint="check SUPABASE_URL: this is not an answer of its Data API",
    )


def _late() -> SourceUnavailable:
    return SourceUnavailable("Supabase did not answer in time")


def _unreachable(error: httpx.HTTPError) -> SourceUnavailable:
    if isinstance(error, httpx.TimeoutException):
        return _late()
    message, hint = unreachable("Supabase", error)
    return SourceUnavailable(message, hint=hint)
