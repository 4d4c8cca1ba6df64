"""`POST /v1/data_sources/{id}/query`: filters and sorts on timestamps, paging by cursor, the limit on results.

A cursor names the first row of the next page, so a row that moves in the order takes the cursor with it, and a row that
leaves the result (trashed, moved away, edited out of the filter) makes it invalid.
Filters and sorts on properties are refused: nothing here needs them.

Sources: Notion API reference, "Query a data source", "Filter", "Pagination"; recorded queries.
"""

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from hookbridge.standins.notion import errors
from hookbridge.standins.notion.workspace import DataSource, Page, Workspace

MAX_PAGE_SIZE = 100
_TIMES: Mapping[str, Callable[[Page], datetime]] = {
    "created_time": lambda page: page.created,
    "last_edited_time": lambda page: page.edited,
}
_COMPARISONS: Mapping[str, Callable[[datetime, datetime], bool]] = {
    "equals": operator.eq,
    "before": operator.lt,
    "after": operator.gt,
    "on_or_before": operator.le,
    "on_or_after": operator.ge,
}

Matches = Callable[[Page], bool]


class Listing(msgspec.Struct, frozen=True):
    """One page of results."""

    pages: list[Page]
    next_cursor: str | None
    limit_reached: bool


class QueryEngine:
    """Answers queries over one workspace; keeps each data source's order until the data source changes."""

    def __init__(self, workspace: Workspace, result_limit: int) -> None:
        self._workspace = workspace
        self._result_limit = result_limit
        self._kept: dict[tuple[str, str], tuple[int, list[Page]]] = {}

    def run(self, source: DataSource, body: Mapping[str, Any]) -> Listing:
        """The page of results that a request body asks for; raises NotionError for a bad one."""
        size = _page_size(body.get("page_size", MAX_PAGE_SIZE))
        matches = parse_filter(body["filter"]) if body.get("filter") else None
        rows = self._ordered(source, body.get("sorts") or [])
        if matches is not None:
            rows = [page for page in rows if matches(page)]
        start = self._start(rows, body.get("start_cursor"))
        end = min(start + size, self._result_limit)
        limit_reached = end == self._result_limit and len(rows) > end
        more = end < len(rows) and not limit_reached
        cursor = f"s:{self._workspace.cursor_epoch}:{rows[end].id}" if more else None
        return Listing(rows[start:end], cursor, limit_reached)

    def _ordered(self, source: DataSource, sorts: list[Any]) -> list[Page]:
        name = (source.id, repr(sorts))
        version, rows = self._kept.get(name, (-1, []))
        if version == source.version:
            return rows
        visible = self._workspace.visible
        rows = [page for page in reversed(source.pages.values()) if not page.in_trash and visible(page)]
        for index, sort in reversed(list(enumerate(sorts))):
            rows.sort(key=_sort_key(index, sort), reverse=sort.get("direction") == "descending")
        self._kept[name] = (source.version, rows)
        return rows

    def _start(self, rows: list[Page], cursor: object) -> int:
        if cursor is None:
            return 0
        epoch, _, page_id = str(cursor).removeprefix("s:").partition(":")
        if epoch == self._workspace.cursor_epoch:
            for index, page in enumerate(rows):
                if page.id == page_id:
                    return index
        raise errors.invalid_cursor(str(cursor))


def _page_size(size: object) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise errors.validation(
            f"body failed validation: body.page_size should be a number ≥ `1`, instead was `{size}`."
        )
    if size > MAX_PAGE_SIZE:
        raise errors.validation(f"body failed validation: body.page_size should be ≤ `100`, instead was `{size}`.")
    return size


def _sort_key(index: int, sort: object) -> Callable[[Page], datetime]:
    if isinstance(sort, dict) and sort.get("timestamp") in _TIMES:
        return _TIMES[sort["timestamp"]]
    raise errors.validation(f"body failed validation: body.sorts[{index}].timestamp should be defined.")


def parse_filter(given: object) -> Matches:
    """A filter object as a predicate: `and`, `or`, and comparisons of the two timestamps."""
    if not isinstance(given, dict):
        raise errors.validation("body failed validation: body.filter should be an object.")
    for word, combine in (("and", all), ("or", any)):
        if word in given:
            return _compound(combine, [parse_filter(part) for part in given[word]])
    timestamp = str(given.get("timestamp"))
    conditions = given.get(timestamp)
    if timestamp not in _TIMES or not isinstance(conditions, dict):
        raise errors.validation("body failed validation: body.filter.timestamp should be defined.")
    comparisons = [_comparison(_TIMES[timestamp], word, value) for word, value in conditions.items()]
    return _compound(all, comparisons)


def _compound(combine: Callable[[Any], bool], parts: list[Matches]) -> Matches:
    if len(parts) == 1:
        return parts[0]
    return lambda page: combine(part(page) for part in parts)


def _comparison(time_of: Callable[[Page], datetime], word: str, value: object) -> Matches:
    compare = _COMPARISONS.get(word)
    if compare is None:
        raise errors.validation(f"body failed validation: body.filter.{word} is not a condition of a timestamp.")
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise errors.validation(
            f"body failed validation: body.filter.{word} should be a valid ISO 8601 date string, instead was `{value}`."
        ) from None
    wanted = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return lambda page: compare(time_of(page), wanted)
