"""What a row of the list of records shows of its copy: values of columns, and the words around what was looked for.

Invariant: of one page no more than ``BYTES_MAX`` of copies are read, and nothing where nothing of them is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict
from urllib.parse import unquote

from hookbridge.errors import InvalidParameter
from hookbridge.model import Copy, RecordKey
from hookbridge.service import Service
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.large import aside

BYTES_MAX = 8 * 1024 * 1024

COLUMNS_MAX = 20

CHARACTERS_MAX = 300


class Shown(TypedDict, total=False):
    """The fields of a row that are made of its copy; those that it does not have are left out."""

    values: dict[str, str | None]
    snippet: str


def columns_of(written: str | None) -> tuple[str, ...]:
    """Give the names of the columns that were asked for.  Raises InvalidParameter for more than ``COLUMNS_MAX``."""
    names = () if written is None else tuple(dict.fromkeys(unquote(name) for name in written.split(",")))
    if len(names) > COLUMNS_MAX:
        raise InvalidParameter("columns", f"expected at most {COLUMNS_MAX} names")
    return names


async def shown(
    service: Service, records: Sequence[RecordKey], columns: tuple[str, ...], text: str | None
) -> dict[RecordKey, Shown]:
    """Give what the rows of these records show.  Raises StoreUnavailable."""
    if not records or not (columns or text):
        return {}
    copies = await service.store.several(records, bytes_max=BYTES_MAX)
    size = sum(copy.size for copy in copies.values())
    return await aside(size, lambda: {key: _row(service, copy, columns, text) for key, copy in copies.items()})


def values(service: Service, copy: Copy) -> dict[str, str | None]:
    """Give what a person reads of a copy with data."""
    return service.sources[copy.record.source].shown(decode_columns(copy.data or b"{}"))


def _row(service: Service, copy: Copy, columns: tuple[str, ...], text: str | None) -> Shown:
    row = Shown()
    if columns:
        there = values(service, copy)
        row["values"] = {name: _begin(there[name]) for name in columns if name in there}
    if text and (around := service.search.around(text, copy)) is not None:
        row["snippet"] = around
    return row


def _begin(value: str | None) -> str | None:
    return value if value is None or len(value) <= CHARACTERS_MAX else f"{value[: CHARACTERS_MAX - 1]}…"
