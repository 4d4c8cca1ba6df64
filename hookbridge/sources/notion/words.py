"""The words by which search finds a page.

Pure.  Names, texts, numbers and dates are words; ids are not, and of a body what its reader sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from hookbridge.model import Columns
from hookbridge.names import dashed, is_uuid
from hookbridge.sources.notion.agreement import text_of
from hookbridge.sources.notion.plain_text import plain_text
from hookbridge.sources.notion.titles import is_title, properties_of, title_in
from hookbridge.sources.times import instant_in
from hookbridge.text import WORDS_MAX, Fields


def fields(page: Columns, index: tuple[str, ...] | None, body: str = "") -> Fields:
    """Give the text that search finds: of these properties, or of all that have some, and of the body's markdown.

    From a sender that sends plain values in place of a page, those.
    """
    properties = properties_of(page)
    chosen = properties if index is None else {name: properties[name] for name in index if name in properties}
    others = (value for value in chosen.values() if not is_title(value))
    properties_say = (text for value in others for text in texts(value) if text)
    return Fields.within(title_in(chosen), properties_say, plain_text(body, WORDS_MAX))


def texts(value: object) -> Iterable[str]:
    """Give what a property says in words."""
    if not isinstance(value, dict):
        return [value] if isinstance(value, str) and _is_said(value) else []
    kind = value.get("type")
    if not isinstance(kind, str):
        # A sender that trims leaves the type out too: the only member is the value.
        kind = next((name for name in value if name in SPEAKING), "")
    speak = SPEAKING.get(kind)
    return [] if speak is None else speak(value.get(kind))


def _is_said(text: str) -> bool:
    """Whether a plain value is more than an id, a time or a link."""
    return not (is_uuid(dashed(text)) or text.startswith(("http://", "https://")) or instant_in(text))


def _one(value: object) -> Iterable[str]:
    if isinstance(value, bool) or value is None:
        return []
    return [str(value)] if isinstance(value, str | int | float | Decimal) else []


def _names(values: object) -> Iterable[str]:
    """Give the names of options, people and files; an id is not a word."""
    entries = values if isinstance(values, list) else [values]
    return [entry["name"] for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]


def _dates(value: object) -> Iterable[str]:
    return [end for name in ("start", "end") if isinstance(end := _part(value, name), str)]


def _unique(value: object) -> Iterable[str]:
    number, prefix = _part(value, "number"), _part(value, "prefix")
    if number is None:
        return []
    return [f"{prefix}-{number}" if prefix else str(number)]


def _place(value: object) -> Iterable[str]:
    return [text for name in ("name", "address") for text in _one(_part(value, name))]


def _verification(value: object) -> Iterable[str]:
    """Give the state, who verified it, and until when."""
    return [*_one(_part(value, "state")), *_names(_part(value, "verified_by")), *_dates(_part(value, "date"))]


def _computed(value: object) -> Iterable[str]:
    """Give the words of a formula or a rollup: they hold a value with a type of its own."""
    kind = str(_part(value, "type"))
    inner = _part(value, kind)
    if kind == "array" and isinstance(inner, list):
        return [text for part in inner for text in texts(part)]
    return SPEAKING.get(kind, _one)(inner)


def _part(value: object, name: str) -> object:
    """Give a member of what should be an object; None of anything else."""
    return value.get(name) if isinstance(value, dict) else None


SPEAKING: Mapping[str, Callable[[object], Iterable[str]]] = {
    "title": lambda value: [text_of(value)],
    "rich_text": lambda value: [text_of(value)],
    "select": _names,
    "status": _names,
    "multi_select": _names,
    "people": _names,
    "files": _names,
    "email": _one,
    "phone_number": _one,
    "url": _one,
    "number": _one,
    "date": _dates,
    "unique_id": _unique,
    "place": _place,
    "verification": _verification,
    "created_by": _names,
    "last_edited_by": _names,
    "formula": _computed,
    "rollup": _computed,
}
"""What each type of property says; the other ones there are have no words, or repeat the page's own times."""
