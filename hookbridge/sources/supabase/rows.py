"""What a row means: its name, and what would be a change of it.

Pure.  Hashed are values, not text.  Invariant: rows that differ in anything but the spelling of a number or of an
instant have different fingerprints.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from hookbridge.config import SupabaseTable
from hookbridge.errors import RecordImpossible
from hookbridge.model import Columns, RecordKey, Truth
from hookbridge.names import dashed, is_uuid
from hookbridge.sources import ids
from hookbridge.sources.bodies import UNDECODABLE, decode_columns, why_undecodable
from hookbridge.sources.decodable import is_deep
from hookbridge.sources.ids import ID_RULES
from hookbridge.sources.supabase.payloads import KEY_HINT
from hookbridge.sources.times import TIME, instant_in

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Nothing is rounded: a ``json`` column may hold a number of any length."""

_encode = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


def truth(table: str, row: bytes, listed: SupabaseTable, ticket: int) -> Truth:
    """Make the truth of a row, named by its key columns.

    Raises RecordImpossible for a row that cannot be processed: nested too deeply, a number too large, without a name.
    """
    try:
        if is_deep(row):
            raise RecursionError
        values = decode_columns(row)
    except UNDECODABLE as error:
        raise RecordImpossible(f"A row of {table} cannot be processed: {why_undecodable(error, row)}") from None
    return Truth(
        record=RecordKey("supabase", table, _id(table, values, listed)),
        data=row,
        changed_at=changed_at(values, listed),
        fingerprint=fingerprint(values),
        ticket=ticket,
    )


def _id(table: str, values: Columns, listed: SupabaseTable) -> str:
    found: list[ids.KeyValue] = []
    for column in listed.key:
        value = values.get(column)
        if not isinstance(value, ids.KeyValue):
            raise RecordImpossible(f"A row of {table} has nothing in {column} that names it", hint=KEY_HINT)
        found.append(value)
    id_ = ids.record_id(found)
    if not (rule := ID_RULES["supabase"]).fits(id_):
        raise RecordImpossible(f"A row of {table} has a key that names nothing: {rule.expected}", hint=KEY_HINT)
    return id_


def is_named(truth: Truth, asked: Sequence[str]) -> bool:
    """Whether these texts of the key columns can name the row, as PostgreSQL's types compare."""
    return spelling(ids.values(truth.record.id, len(asked))) == spelling(asked)


def spelling(key: Sequence[str]) -> tuple[object, ...]:
    """Give what texts of key columns have in common that one of PostgreSQL's types takes for the same value."""
    return tuple(map(_spelling, key))


def as_written(text: str) -> str:
    """Give a uuid, or a time with a zone, as a column of that type writes it; every other text as it is."""
    found = TIME.fullmatch(text)
    if found is None or not found["zone"] or (when := instant_in(text)) is None:
        return dashed(text)
    written = when.replace(tzinfo=None).isoformat()
    return (written.rstrip("0") if when.microsecond else written) + "+00:00"


def _spelling(text: str) -> object:
    text = text.strip()  # char(n) is padded
    if is_uuid(id_ := dashed(text.strip("{}"))):
        return id_
    if (when := instant_in(text)) is not None:
        return when
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text.casefold()  # citext
    return number if number.is_finite() else text.casefold()


def changed_at(values: Columns, listed: SupabaseTable) -> str | None:
    """Give the change column's text; None where the table has none."""
    value = values.get(listed.changed_at) if listed.changed_at else None
    return None if value is None else str(value)


def fingerprint(values: Columns) -> bytes:
    """Hash the values, whatever their spelling."""
    return blake2b(_encode(_plain(values)), digest_size=16).digest()


def _plain(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Give one spelling of a value, and of no other one."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return Decimal(value).normalize(_EXACT)
    if isinstance(value, str):
        return _plain_text(value)
    return value


def _plain_text(text: str) -> str:
    # A session's time zone changes the spelling of a timestamptz alone; whatever else differs as text, differs.
    found = TIME.fullmatch(text)
    when = instant_in(text) if found and found["zone"] else None
    return text if when is None else when.isoformat()
