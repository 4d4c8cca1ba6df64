"""Whether the properties that an event claims are those that the page has.

Pure.  Senders trim properties, and some send plain values: what is claimed is reduced to what a person would compare,
and what is not claimed is not compared.  Shapes: https://developers.notion.com/reference/page-property-values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from hookbridge.model import Columns
from hookbridge.names import dashed
from hookbridge.sources.notion.cuts import is_cut
from hookbridge.sources.notion.pages import is_gone, without_signature
from hookbridge.sources.times import same_instant


def agree(truth: Columns, claimed: Columns) -> bool:
    """Whether the properties that are claimed mean what the page's mean; what is not claimed is not compared."""
    if is_gone(claimed):
        return False  # a page that is gone has no truth to compare with
    wanted, known = claimed.get("properties"), truth.get("properties")
    if not isinstance(wanted, dict) or not isinstance(known, dict):
        return True
    return all(name in known and _same_property(known[name], value) for name, value in wanted.items())


def _same_property(truth: object, claimed: object) -> bool:
    if not isinstance(truth, dict) or not isinstance(kind := truth.get("type"), str):
        return _same(truth, claimed)
    if isinstance(claimed, dict):
        if kind not in claimed:
            # Another type, or a property whose value was trimmed away.
            return bool(claimed.get("type", kind) == kind)
        if is_cut(truth) or is_cut(claimed):
            return True  # neither knows the other's rest
        claimed = claimed[kind]
    return _same(_meaning(kind, truth.get(kind)), _meaning(kind, claimed))


def _meaning(kind: str, value: object) -> object:
    """Reduce a property's value to what a person would compare."""
    meaning = _MEANINGS.get(kind)
    return value if meaning is None or isinstance(value, str | int | float | Decimal) else meaning(value)


def text_of(spans: object) -> str:
    """Give the text of rich text, without its looks."""
    return "".join(_span(span) for span in spans) if isinstance(spans, list) else ""


def _span(span: object) -> str:
    if not isinstance(span, dict):
        return span if isinstance(span, str) else ""
    plain = span.get("plain_text")
    if isinstance(plain, str):
        return plain
    text = span.get("text")
    content = text.get("content") if isinstance(text, dict) else None
    return content if isinstance(content, str) else ""


def _label(value: object) -> object:
    """Give the name of an option, a file or a person, else the id."""
    if not isinstance(value, dict):
        return value
    name = value.get("name")
    return name if isinstance(name, str) else value.get("id")


def _labels(values: object) -> list[str]:
    return sorted(str(_label(value)) for value in values) if isinstance(values, list) else []


def _ids(values: object) -> list[str]:
    if not isinstance(values, list):
        return []
    return sorted(dashed(str(value.get("id") if isinstance(value, dict) else value)) for value in values)


def _date(value: object) -> object:
    return [value.get("start"), value.get("end")] if isinstance(value, dict) else value


_MEANINGS: Mapping[str, Callable[[object], object]] = {
    "title": text_of,
    "rich_text": text_of,
    "select": _label,
    "status": _label,
    "multi_select": _labels,
    "files": _labels,
    "people": _ids,
    "relation": _ids,
    "created_by": _label,
    "last_edited_by": _label,
    "date": _date,
}


def _same(truth: object, claimed: object) -> bool:
    """Compare as values: numbers as doubles, times as instants, of objects the claimed members."""
    if isinstance(truth, dict) and isinstance(claimed, dict):
        truth, claimed = without_signature(truth), without_signature(claimed)
        return all(name in truth and _same(truth[name], value) for name, value in claimed.items())
    if isinstance(truth, list) and isinstance(claimed, list):
        return len(truth) == len(claimed) and all(map(_same, truth, claimed))
    if isinstance(truth, bool) or isinstance(claimed, bool):
        return truth is claimed
    if isinstance(truth, str) and isinstance(claimed, str):
        return truth == claimed or same_instant(truth, claimed)
    return truth == claimed or _same_number(truth, claimed)


def _same_number(known: object, claimed: object) -> bool:
    if not isinstance(known, int | float | Decimal) or not isinstance(claimed, int | float | Decimal):
        return False
    try:
        return float(known) == float(claimed)
    except OverflowError:
        return False  # what no double can hold is no number of Notion's
