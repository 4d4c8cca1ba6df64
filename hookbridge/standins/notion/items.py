"""`GET /v1/pages/{id}/properties/{id}`: one property of a page, a list of items where it may have many references.

Of a rollup that shows the original, the items are those of all pages in one list, and the value in the end is an empty
array; a computed one has its value there.  Source: Notion API reference, "Retrieve a page property item".
"""

from collections.abc import Mapping

from hookbridge.standins.notion import errors
from hookbridge.standins.notion.properties import Json
from hookbridge.standins.notion.workspace import Page

MAX_PAGE_SIZE = 100
_LISTS = ("title", "rich_text", "people", "relation")


def property_answer(page: Page, property_id: str, query: Mapping[str, str]) -> dict[str, Json] | None:
    """The answer about one property; None when the page has none of that id."""
    value = next((one for one in page.properties.values() if one["id"] == property_id), None)
    if value is None:
        return None
    kind = str(value["type"])
    about: dict[str, Json] = {"id": property_id, "next_url": None, "type": kind, kind: {}}
    if kind == "rollup":
        rollup = value["rollup"]
        array = rollup.get("array") if isinstance(rollup, dict) else None
        items = [item for part in array for item in _items(property_id, part)] if isinstance(array, list) else []
        about["rollup"] = {**rollup, "array": []} if isinstance(rollup, dict) and array is not None else rollup
    elif kind in _LISTS:
        items = _items(property_id, value)
    else:
        return {"object": "property_item", **value}
    return _page_of(items, about, query)


def _items(property_id: str, value: Json) -> list[dict[str, Json]]:
    if not isinstance(value, dict):
        return []
    kind = str(value["type"])
    found = value.get(kind)
    each: list[Json] = found if kind in _LISTS and isinstance(found, list) else [found]
    return [{"object": "property_item", "id": property_id, "type": kind, kind: one} for one in each]


def _page_of(items: list[dict[str, Json]], about: dict[str, Json], query: Mapping[str, str]) -> dict[str, Json]:
    cursor = query.get("start_cursor", "0")
    if not cursor.isdigit():
        raise errors.invalid_cursor(cursor)
    start, size = int(cursor), min(int(query.get("page_size", MAX_PAGE_SIZE)), MAX_PAGE_SIZE)
    following = str(start + size) if start + size < len(items) else None
    return {
        "object": "list",
        "results": list[Json](items[start : start + size]),
        "next_cursor": following,
        "has_more": following is not None,
        "type": "property_item",
        "property_item": about,
    }
