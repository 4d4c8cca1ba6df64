"""What a page object says of the page: whether it is gone, what would be a change of it.

Pure.  Two answers about one page differ in text although nothing changed, because links to files are signed anew with
every read; the fingerprint leaves out what is not content.  Shapes: https://developers.notion.com/reference/page.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b

import msgspec

from hookbridge.model import FINGERPRINT_BYTES, Columns

_PAGE_NOISE = frozenset(
    (
        "request_id",  # names the answer, not the page
        "last_edited_time",  # whole minutes, and moved by edits of blocks that the page object does not hold
        "last_edited_by",  # goes with it
        "url",  # made of the title and the id; its host is Notion's choice
        "archived",  # repeats in_trash, and newer versions of the API have none
    )
)
_EDIT_KINDS = ("last_edited_time", "last_edited_by")
"""Properties that repeat the page's own.  No set: what a sender has put there need not be hashable."""

EXPIRY = "expiry_time"
"""Beside every signed link: when it stops to work (https://developers.notion.com/reference/file-object)."""

_encode = msgspec.json.Encoder(order="sorted").encode


def is_gone(page: Columns) -> bool:
    """Whether the page lies in the trash.  Versions from 2026-03-11 have no ``archived``."""
    return page.get("in_trash") is True or page.get("archived") is True


def fingerprint(page: Columns) -> bytes:
    """Hash the page's content: the same page gives the same bytes in every answer that has it."""
    content = {name: value for name, value in page.items() if name not in _PAGE_NOISE}
    properties = content.get("properties")
    if isinstance(properties, dict):
        content["properties"] = {
            name: value
            for name, value in properties.items()
            if not (isinstance(value, dict) and value.get("type") in _EDIT_KINDS)
        }
    return blake2b(_encode(_steady(content)), digest_size=FINGERPRINT_BYTES).digest()


def without_signature(value: Columns) -> Columns:
    """Give an object as every answer has it: a link to a file is signed anew, and expires later, with every read.

    What it names stays: the path names the file, and another file has another one.
    """
    if EXPIRY not in value:
        return value
    return {
        name: part.partition("?")[0] if name == "url" and isinstance(part, str) else part
        for name, part in value.items()
        if name != EXPIRY
    }


def _steady(value: object) -> object:
    """Give the value as every answer has it: numbers as the doubles that they are, links without their signature."""
    if isinstance(value, dict):
        return {name: _steady(part) for name, part in without_signature(value).items()}
    if isinstance(value, list):
        return [_steady(part) for part in value]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _double(value)
    return value


def _double(number: int | Decimal) -> float | str:
    try:
        return float(number)
    except OverflowError:  # Notion has no such number, a sender of webhooks may
        return str(number)
