"""What people call a page: its one property of type ``title``, whatever that is named.

Pure.  Shape: https://developers.notion.com/reference/page-property-values#title.
"""

from __future__ import annotations

from hookbridge.model import Columns
from hookbridge.sources.notion.agreement import text_of


def title(page: Columns) -> str:
    """Give what people call a page; the empty text where nothing says it."""
    return title_in(properties_of(page))


def title_in(properties: Columns) -> str:
    """Give the title that is among these properties."""
    return "".join(text_of(value["title"]) for value in properties.values() if is_title(value))


def is_title(value: object) -> bool:
    """Whether it is the property that names a page; a sender that trims leaves the type out."""
    return isinstance(value, dict) and value.get("type", "title") == "title" and "title" in value


def properties_of(page: Columns) -> Columns:
    """Give a page's properties; from a sender that sends plain values in place of a page, those."""
    properties = page.get("properties")
    return properties if isinstance(properties, dict) else page
