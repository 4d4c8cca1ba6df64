"""What a person reads of a page's properties.

Pure.  Shapes: https://developers.notion.com/reference/page-property-values.
"""

from __future__ import annotations

from hookbridge.model import Columns
from hookbridge.sources.notion.titles import is_title, properties_of
from hookbridge.sources.notion.words import texts


def shown(page: Columns) -> dict[str, str | None]:
    """Give a text for each property, the title's first; None for one that is empty."""
    properties = sorted(properties_of(page).items(), key=lambda named: not is_title(named[1]))
    return {name: _text(value) or None for name, value in properties}


def _text(value: object) -> str:
    if not isinstance(value, dict):
        return _plain(value)
    kind = value.get("type")
    inner = value.get(kind) if isinstance(kind, str) else None
    if kind in {"formula", "rollup"} and isinstance(inner, dict):
        parts = inner.get("array") if inner.get("type") == "array" else [inner]
        return ", ".join(filter(None, map(_text, parts if isinstance(parts, list) else [])))
    if kind == "relation" and isinstance(inner, list):
        return _number_of_pages(len(inner), more=value.get("has_more") is True)
    between = " → " if kind == "date" else ", "
    return between.join(filter(None, texts(value))) or _plain(inner)


def _plain(value: object) -> str:
    """Write what is no text: a checkbox, a time; of anything deeper nothing that a person would read."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _number_of_pages(number: int, *, more: bool) -> str:
    """Say how many pages a relation names: their titles are in other records."""
    if number == 0:
        return ""
    return f"{number}{' or more' if more else ''} {'page' if number == 1 and not more else 'pages'}"
