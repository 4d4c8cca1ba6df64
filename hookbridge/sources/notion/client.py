"""The one Notion client of the process.  What its SDK raises becomes one of our errors here and nowhere else.

Its own retries are off: ``pipeline/retry.py`` decides about those.  Every request has a permit of the budget, which a
``Retry-After`` halts; what reads pages takes its ticket behind that permit.  Wire format:
https://developers.notion.com/reference, version 2025-09-03; answers of 2026-03-11, which have no ``archived``, are
understood as well.  Invariant: no error shows the token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import httpx
import msgspec
from notion_client import AsyncClient
from notion_client.errors import (
    APIErrorCode,
    HTTPResponseError,
    InvalidPathParameterError,
    NotionClientErrorBase,
    RequestTimeoutError,
)

from hookbridge.config import NotionConfig
from hookbridge.errors import (
    ContentRefused,
    RecordImpossible,
    RecordUnreadable,
    SourceError,
    SourceRefused,
    SourceUnavailable,
)
from hookbridge.model import Columns
from hookbridge.names import dashed
from hookbridge.observe.redaction import SECRET
from hookbridge.settings.certificates import trusted, unreachable
from hookbridge.sources.notion.agreement import text_of
from hookbridge.sources.notion.budget import Budget, Urgency
from hookbridge.sources.source import Tickets
from hookbridge.sources.statuses import by_status, retry_after_seconds

PAGE_SIZE = 100
"""The most that one query gives."""
CONNECTIONS_MAX = 10
CONNECT_SECONDS_MAX = 5.0
RATE_LIMIT_SECONDS = 1.0
"""How long a rate limit without ``Retry-After`` is taken to last."""
SHOWN_MAX = 300

BY_CODE: Mapping[str, type[SourceError]] = {
    APIErrorCode.Unauthorized: SourceRefused,
    APIErrorCode.RestrictedResource: SourceRefused,
    APIErrorCode.RateLimited: SourceUnavailable,
    APIErrorCode.InternalServerError: SourceUnavailable,
    APIErrorCode.ServiceUnavailable: SourceUnavailable,
    APIErrorCode.GatewayTimeout: SourceUnavailable,
    APIErrorCode.ConflictError: RecordUnreadable,
    APIErrorCode.InvalidJSON: RecordUnreadable,
    APIErrorCode.InvalidRequest: RecordUnreadable,
    APIErrorCode.InvalidRequestURL: RecordImpossible,
    APIErrorCode.ValidationError: RecordImpossible,
    APIErrorCode.ObjectNotFound: RecordImpossible,
}
"""What each code of https://developers.notion.com/reference/status-codes means.  Where an absence is an answer,
``object_not_found`` is one and no error."""


BY_CODE_OF_BODIES: Mapping[str, type[SourceError]] = {**BY_CODE, APIErrorCode.RestrictedResource: ContentRefused}
"""Without the capability to read content pages can still be read."""

_HINTS: Mapping[str, str] = {
    APIErrorCode.Unauthorized: "check NOTION_TOKEN: the integration's token may have been replaced",
    APIErrorCode.RestrictedResource: "give the integration the capability to read content",
}
_BASE_URL_HINT = "check [notion] base_url: this is not an answer of Notion's API"


By = Literal["last_edited_time", "created_time"]
"""Times of a page by which it can be found and ordered; they are whole minutes."""


class Listing(msgspec.Struct, frozen=True):
    """One page of a query's results."""

    pages: tuple[Columns, ...]
    next_cursor: str | None
    cut: bool
    """Whether Notion ends here although there are more: a query gives 10,000 results at most."""
    ticket: int
    """Taken before it was asked for."""


class Database(msgspec.Struct, frozen=True):
    """What hookbridge reads of a database: https://developers.notion.com/reference/database."""

    title: str
    data_sources: tuple[str, ...]
    """Their ids."""


class DataSource(msgspec.Struct, frozen=True):
    """What hookbridge reads of a data source: https://developers.notion.com/reference/data-source."""

    title: str
    database: str | None
    """The id of the database in which it lies, where that is said."""


class Items(msgspec.Struct, frozen=True):
    """Some of what one property of a page holds."""

    items: tuple[Columns, ...]
    next_cursor: str | None
    rollup: Columns | None
    """What the answer says of a rollup as a whole; final in the last one."""


class NotionClient:
    """Reads; every method raises SourceError and nothing else of the outside."""

    def __init__(
        self, config: NotionConfig, token: str, budget: Budget, tickets: Tickets, *, clock: Callable[[], float]
    ) -> None:
        seconds = config.timeout_seconds
        limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
        self._http = httpx.AsyncClient(verify=trusted(), limits=limits)
        logger = logging.getLogger("notion_client")
        self._sdk = AsyncClient(
            client=self._http,
            auth=token,
            base_url=config.base_url.rstrip("/"),
            notion_version=config.api_version,
            retry=False,
            # What failed is told by whoever decides about it; the SDK would write its own lines to stderr.
            logger=logger,
            log_level=logging.CRITICAL,
        )
        # The SDK has one number for all of them, and replaces what the client was made with.
        self._http.timeout = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS_MAX))
        self._token = token
        self._seconds = seconds
        self._budget = budget
        self._tickets = tickets
        self._clock = clock

    async def page(self, page_id: str, urgency: Urgency) -> tuple[Columns | None, int]:
        """Read a page; None when there is none or it is not shared with the integration (Notion does not tell).

        Gives also the ticket of the read.
        """
        await self._budget.permit(urgency)
        ticket = await self._tickets()
        page = await self._ask(lambda: self._sdk.pages.retrieve(page_id=page_id), about=page_id)
        if page is None:
            return None, ticket
        _is_about("page", _whole(page), page_id)
        return page, ticket

    async def database(self, database_id: str, urgency: Urgency) -> Database | None:
        """Read a database; None when there is no such database."""
        await self._budget.permit(urgency)
        database = await self._ask(lambda: self._sdk.databases.retrieve(database_id=database_id), about=database_id)
        if database is None:
            return None
        _is_about("database", database, database_id)
        ids = [entry.get("id") for entry in _list(database, "data_sources")]
        if not all(isinstance(id_, str) for id_ in ids):
            raise SourceUnavailable("Notion answered with a data source without its id", hint=_BASE_URL_HINT)
        return Database(text_of(database.get("title")), tuple(map(str, ids)))

    async def data_source(self, data_source_id: str, urgency: Urgency) -> DataSource | None:
        """Read a data source; None when there is no such data source."""
        await self._budget.permit(urgency)
        source = await self._ask(
            lambda: self._sdk.data_sources.retrieve(data_source_id=data_source_id), about=data_source_id
        )
        if source is None:
            return None
        _is_about("data source", source, data_source_id)
        parent = source.get("parent")
        database = parent.get("database_id") if isinstance(parent, dict) else None
        return DataSource(text_of(source.get("title")), database if isinstance(database, str) else None)

    async def query(
        self,
        data_source_id: str,
        urgency: Urgency,
        *,
        by: By = "last_edited_time",
        descending: bool = False,
        since: str | None = None,
        cursor: str | None = None,
        limit: int = PAGE_SIZE,
    ) -> Listing | None:
        """Give pages of a data source in an order, from a time on; None when there is no such data source.

        Trashed pages are not among them.
        """
        body: dict[str, Any] = {"sorts": [{"timestamp": by, "direction": "descending" if descending else "ascending"}]}
        if since is not None:
            body["filter"] = {"timestamp": by, by: {"on_or_after": since}}
        if cursor is not None:
            body["start_cursor"] = cursor
        await self._budget.permit(urgency)
        ticket = await self._tickets()
        answer = await self._ask(
            lambda: self._sdk.data_sources.query(data_source_id=data_source_id, page_size=limit, **body),
            about=data_source_id,
        )
        if answer is None:
            return None
        pages = tuple(_timed(_whole(page)) for page in _list(answer, "results") if page.get("object") == "page")
        following = answer.get("next_cursor") if answer.get("has_more") else None
        status = answer.get("request_status")
        cut = isinstance(status, dict) and status.get("type") == "incomplete"
        return Listing(pages, following if isinstance(following, str) else None, cut, ticket)

    async def items(self, page_id: str, property_id: str, cursor: str | None, urgency: Urgency) -> Items | None:
        """Give items of a property that may have many; None when there is no such property, or it has no items.

        Wire format: https://developers.notion.com/reference/retrieve-a-page-property.
        """
        more = {} if cursor is None else {"start_cursor": cursor}
        await self._budget.permit(urgency)
        answer = await self._ask(
            lambda: self._sdk.pages.properties.retrieve(page_id, property_id, page_size=PAGE_SIZE, **more),
            about=page_id,
        )
        if answer is None or answer.get("object") != "list":
            return None
        items = tuple(_list(answer, "results"))
        following = answer.get("next_cursor") if answer.get("has_more") else None
        about = answer.get("property_item")
        rollup = about.get("rollup") if isinstance(about, dict) else None
        return Items(
            items, following if isinstance(following, str) else None, rollup if isinstance(rollup, dict) else None
        )

    async def markdown(self, id_: str, urgency: Urgency, *, of: str | None = None) -> Columns | None:
        """Give the answer about the body of a page, or of a block, ``of`` a page; None when there is no such one.

        Raises ContentRefused where bodies may not be read, RecordImpossible where this one has none.
        Wire format: https://developers.notion.com/reference/retrieve-page-markdown.
        """
        await self._budget.permit(urgency)
        answer = await self._ask(
            lambda: self._sdk.pages.retrieve_markdown(page_id=id_), about=id_, kinds=BY_CODE_OF_BODIES
        )
        if answer is not None:
            _is_about("the body of", answer, id_, *([] if of is None else [of]))
        return answer

    async def me(self) -> None:
        """Ask who we are: the cheapest question that needs the token."""
        await self._budget.permit()
        if await self._ask(self._sdk.users.me, about="users/me") is None:
            raise SourceUnavailable("Notion does not know the integration's own user", hint=_BASE_URL_HINT)

    async def close(self) -> None:
        """Close the connections.  Idempotent."""
        await self._sdk.aclose()

    async def _ask(
        self, request: Callable[[], Any], *, about: str, kinds: Mapping[str, type[SourceError]] = BY_CODE
    ) -> Columns | None:
        """Send one request within the time; None for ``object_not_found``."""
        try:
            async with asyncio.timeout(self._seconds):
                pending: Awaitable[Any] = request()
                answer = await pending
        except (NotionClientErrorBase, httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            if isinstance(error, HTTPResponseError) and error.code == APIErrorCode.ObjectNotFound:
                return None
            translated = translate(
                error, about=about, seconds=self._seconds, now=self._clock(), token=self._token, kinds=kinds
            )
            if isinstance(translated, SourceUnavailable) and translated.retry_after_seconds is not None:
                self._budget.halt(translated.retry_after_seconds)
            raise translated from None
        if not isinstance(answer, dict):
            raise SourceUnavailable("Notion answered with something other than an object", hint=_BASE_URL_HINT)
        return answer


def _is_about(kind: str, answer: Columns, *asked: str) -> None:
    """Hold what an answer is about, where it says it, against what was asked for.  Raises SourceUnavailable."""
    came = answer.get("id")
    if isinstance(came, str) and dashed(came) not in map(dashed, asked):
        raise SourceUnavailable(f"Notion answered with {kind} {came} where {asked[0]} was asked for")


def translate(
    error: Exception,
    *,
    about: str,
    seconds: float,
    now: float,
    token: str,
    kinds: Mapping[str, type[SourceError]] = BY_CODE,
) -> SourceError:
    """Say what an exception of the SDK means.

    ``about`` is the id that was asked for, ``seconds`` the time that was given, ``now`` epoch seconds; ``token`` is in
    no message.  ``kinds`` says what codes mean.
    """
    # A server may repeat what it was sent, and its words are stored and shown.  Cut in two, a token is not known.
    said = str(error).replace(token, SECRET)[:SHOWN_MAX]
    if isinstance(error, HTTPResponseError):
        return _response_error(error, said, about, now, kinds)
    if isinstance(error, InvalidPathParameterError):
        return RecordImpossible(f"Not an id of Notion's: {about[:SHOWN_MAX]}")
    if isinstance(error, RequestTimeoutError | TimeoutError | httpx.TimeoutException):
        return SourceUnavailable(f"Notion did not answer within {seconds:g} s")
    if isinstance(error, ValueError):
        return SourceUnavailable("Notion answered with something other than JSON", hint=_BASE_URL_HINT)
    message, hint = unreachable("Notion", error, clean=lambda text: text.replace(token, SECRET))
    return SourceUnavailable(message, hint=hint)


def _response_error(
    error: HTTPResponseError, said: str, about: str, now: float, kinds: Mapping[str, type[SourceError]]
) -> SourceError:
    code = error.code.value if isinstance(error.code, APIErrorCode) else None
    if code is None:
        kind = by_status(error.status)
        message, hint = f"Notion answered with status {error.status}", ""
        if kind is SourceUnavailable and error.status in range(300, 500):
            hint = _BASE_URL_HINT
    else:
        kind = kinds.get(code, RecordUnreadable)
        message, hint = f"Notion answered with {code}: {said}", _HINTS.get(code, "")
    # A refusal that names the page is about the page: others can be read.
    is_refusal = kind in (SourceRefused, ContentRefused) and error.status == httpx.codes.FORBIDDEN
    if is_refusal and _names(str(error), about):
        return RecordImpossible(message, hint=hint)
    if kind is SourceUnavailable:
        wait = retry_after_seconds(error.headers.get("retry-after", ""), now)
        if wait is None and error.status == httpx.codes.TOO_MANY_REQUESTS:
            wait = RATE_LIMIT_SECONDS
        return SourceUnavailable(message, retry_after_seconds=wait, hint=hint)
    return kind(message, hint=hint)


def _names(message: str, id_: str) -> bool:
    return id_ in message or id_.replace("-", "") in message


def _whole(page: Columns) -> Columns:
    """Insist on the properties: an integration that may not read content gets pages without them."""
    if page.get("object") != "page" or not isinstance(page.get("id"), str):
        raise SourceUnavailable("Notion answered with something other than a page", hint=_BASE_URL_HINT)
    if not isinstance(page.get("properties"), dict):
        raise SourceRefused(
            "Notion gives the integration pages without their properties", hint=_HINTS[APIErrorCode.RestrictedResource]
        )
    return page


def _timed(page: Columns) -> Columns:
    """Insist on the times by which pages are ordered."""
    if not all(isinstance(page.get(name), str) for name in ("created_time", "last_edited_time")):
        raise SourceUnavailable("Notion answered with a page without its times", hint=_BASE_URL_HINT)
    return page


def _list(answer: Columns, name: str) -> list[Columns]:
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise SourceUnavailable(f"Notion's answer has no {name}", hint=_BASE_URL_HINT)
    return found
