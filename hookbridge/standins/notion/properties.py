"""Property values: the shape that Notion gives to each property type, from plain Python values.

A schema names each property's type (`{"Name": "title", "Status": "select"}`).  A value may be plain (`"Open"`), or
already a dictionary of Notion's with a `type`, which is taken as it is.  What has many references is kept whole and cut
where a page is shown.  Source: Notion API reference, "Page properties"; recorded pages.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

REFERENCES_MAX = 25
"""References that a page object shows of one property."""

FILES = "https://prod-files-secure.s3.us-west-2.amazonaws.com/"
"""Where Notion keeps files; a link to one is signed where it is shown, in a body too."""


def property_id(name: str, kind: str) -> str:
    """The id of a property: `title` for the title, else four letters that stay the same for a name."""
    return "title" if kind == "title" else hashlib.sha256(name.encode()).hexdigest()[:4]


def rich_text(text: str) -> list[Json]:
    """A text as one unstyled span; an empty one has none."""
    style: dict[str, Json] = {
        "bold": False,
        "italic": False,
        "strikethrough": False,
        "underline": False,
        "code": False,
        "color": "default",
    }
    span: dict[str, Json] = {
        "type": "text",
        "text": {"content": text, "link": None},
        "annotations": style,
        "plain_text": text,
        "href": None,
    }
    return [span] if text else []


def plain_text(spans: Json) -> str:
    """The text of spans."""
    if not isinstance(spans, list):
        return ""
    return "".join(str(span.get("plain_text", "")) for span in spans if isinstance(span, dict))


def _option(value: object) -> Json:
    name = str(value)
    digest = hashlib.sha256(name.encode()).hexdigest()
    option_id = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    return {"id": option_id, "name": name, "color": "default"}


def _nullable(shape: Callable[[object], Json]) -> Callable[[object], Json]:
    return lambda value: None if value is None else shape(value)


def _each(shape: Callable[[object], Json]) -> Callable[[object], Json]:
    return lambda value: [shape(item) for item in cast("list[object]", value or [])]


def _file(value: object) -> Json:
    """A file that Notion keeps, for a name; its link is signed where it is shown."""
    if not isinstance(value, str):
        return cast("Json", value)
    url = f"{FILES}standin/{value}"
    return {"name": value, "type": "file", "file": {"url": url, "expiry_time": ""}}


_SHAPES: Mapping[str, Callable[[object], Json]] = {
    "title": lambda value: rich_text("" if value is None else str(value)),
    "rich_text": lambda value: rich_text("" if value is None else str(value)),
    "select": _nullable(_option),
    "status": _nullable(_option),
    "multi_select": _each(_option),
    "checkbox": lambda value: value is True,
    "date": _nullable(lambda value: {"start": str(value), "end": None, "time_zone": None}),
    "relation": _each(lambda value: {"id": str(value)}),
    "people": _each(lambda value: {"object": "user", "id": str(value)}),
    "files": _each(_file),
    "unique_id": lambda value: {"prefix": None, "number": cast("Json", value)},
    "formula": lambda value: {"type": "string", "string": cast("Json", value)},
    "rollup": lambda value: {"type": "number", "number": cast("Json", value), "function": "count"},
}


def shaped(name: str, kind: str, value: object) -> dict[str, Json]:
    """A property value as pages carry it."""
    if isinstance(value, dict) and "type" in value:
        return {"id": property_id(name, kind), **value}
    shape = _SHAPES.get(kind)
    plain = cast("Json", value) if shape is None else shape(value)
    return {"id": property_id(name, kind), "type": kind, kind: plain}


def shown(value: dict[str, Json]) -> dict[str, Json]:
    """A property value as a page object shows it, with 25 references; only a relation says whether it was cut."""
    kind = value["type"]
    inner = value.get(str(kind))
    if kind == "relation" and isinstance(inner, list):
        return {**value, "relation": inner[:REFERENCES_MAX], "has_more": len(inner) > REFERENCES_MAX}
    if kind == "people" and isinstance(inner, list):
        return {**value, "people": inner[:REFERENCES_MAX]}
    if kind == "rollup" and isinstance(inner, dict) and isinstance(array := inner.get("array"), list):
        return {**value, "rollup": {**inner, "array": array[:REFERENCES_MAX]}}
    return value


def schema_object(schema: Mapping[str, str]) -> dict[str, Json]:
    """The `properties` of a data source object."""
    return {
        name: {"id": property_id(name, kind), "name": name, "description": None, "type": kind, kind: {}}
        for name, kind in schema.items()
    }
