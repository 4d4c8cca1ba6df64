"""What a row means: its columns, content, words, and whether an event's claim agrees with it.

Pure.  Compared are values, not text: session time zones, float digits and the case of UUIDs differ between a webhook
and a read of the same row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from hookbridge.config import SupabaseTable
from hookbridge.model import Columns, RecordKey, Truth
from hookbridge.sources import keys
from hookbridge.sources.bodies import decode_columns

WORDS_MAX = 64 * 1024
"""Characters of one record in the index."""

_EXACT = Context(prec=200_000, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""More digits than a ``numeric`` can have (131,072 before the point and 16,383 after it): nothing is rounded."""

TIME_CHARACTERS_MIN = len("2026-01-01")

_encode = msgspec.json.Encoder(order="sorted", decimal_format="string").encode


def truth(table: str, row: bytes, listed: SupabaseTable, ticket: int) -> Truth:
    """Make the truth of a row, named by its key columns."""
    values = decode_columns(row)
    record = RecordKey("supabase", table, keys.record_id([values.get(column, "") for column in listed.key]))
    return Truth(
        record=record,
        data=row,
        changed_at=changed_at(values, listed),
        fingerprint=fingerprint(values),
        ticket=ticket,
    )


def named(truth: Truth, record: RecordKey) -> Truth:
    """Give the truth under the name that was asked for."""
    return msgspec.structs.replace(truth, record=record)


def is_named(truth: Truth, asked: Sequence[str]) -> bool:
    """Whether these texts of the key columns can name the row, as PostgreSQL's types compare."""
    came = keys.values(truth.record.id, len(asked))
    return all(map(_same_key, came, asked))


def _same_key(came: str, asked: str) -> bool:
    came, asked = came.strip(), asked.strip()  # char(n) is padded
    if came.casefold() == asked.casefold() or keys.dashed(came) == keys.dashed(asked.strip("{}")):  # citext; uuid
        return True
    if (when := instant_of(came)) is not None:
        return when == instant_of(asked)
    try:
        return Decimal(came) == Decimal(asked)
    except ArithmeticError:
        return False


def changed_at(values: Columns, listed: SupabaseTable) -> str | None:
    """Give the change column's text; None where the table has none."""
    value = values.get(listed.changed_at) if listed.changed_at else None
    return None if value is None else str(value)


def fingerprint(values: Columns) -> bytes:
    """Hash the values, whatever their spelling."""
    return blake2b(_encode(_plain(values)), digest_size=16).digest()


def agree(truth: Columns, claimed: Columns) -> bool:
    """Whether every column that is claimed has the claimed value; what is not claimed is not compared."""
    return all(name in truth and _same(truth[name], value) for name, value in claimed.items())


def words(values: Columns, index: tuple[str, ...] | None) -> str:
    """Give the text that search finds: of these columns, or of all that hold text."""
    if index is not None:
        texts = (str(values[name]) for name in index if isinstance(values.get(name), str | int | Decimal))
    else:
        texts = (text for value in values.values() for text in _texts(value))
    return "\n".join(text for text in texts if text)[:WORDS_MAX]


def instant_of(text: str) -> datetime | None:
    """Give the instant of an ISO 8601 text, without a zone in UTC; None for any other text."""
    if len(text) < TIME_CHARACTERS_MIN or not text[:4].isdigit():
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        return None


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        if not (keys.is_uuid(value) or value.startswith(("http://", "https://", "\\x")) or instant_of(value)):
            yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Give one spelling of a value."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return _digits(value)
    if isinstance(value, str):
        when = instant_of(value)
        return value if when is None else when.isoformat()
    return value


def _digits(value: Decimal | int) -> str:
    try:
        return str(Decimal(value).normalize(_EXACT))
    except ArithmeticError:
        return str(value)


def _same(known: object, claimed: object) -> bool:
    if isinstance(known, dict) and isinstance(claimed, dict):
        return known.keys() == claimed.keys() and all(_same(known[name], value) for name, value in claimed.items())
    if isinstance(known, list) and isinstance(claimed, list):
        return len(known) == len(claimed) and all(map(_same, known, claimed))
    if isinstance(known, bool) or isinstance(claimed, bool):
        return known is claimed
    return known == claimed or _same_number(known, claimed) or _same_text(known, claimed)


def _same_number(known: object, claimed: object) -> bool:
    if not isinstance(known, int | float | Decimal) or not isinstance(claimed, int | float | Decimal):
        return False
    if isinstance(known, int) and isinstance(claimed, int):
        return known == claimed
    try:
        # What is beyond a double is infinite as one, and not the same for that.
        return float(known) == float(claimed) and math.isfinite(float(known))
    except OverflowError:
        return False


def _same_text(known: object, claimed: object) -> bool:
    if not isinstance(known, str) or not isinstance(claimed, str):
        return False
    if keys.is_uuid(known):
        return known.lower() == claimed.lower()
    when = instant_of(known)
    return when is not None and when == instant_of(claimed)
