"""Rows of copies as structs: the columns have the same names in every engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hookbridge.model import Copy, RecordKey

COPY_COLUMNS = "data, changed_at, fingerprint, ticket, read_at, verified, occurred_at, title, content"


def copy_of(record: RecordKey, columns: Sequence[Any]) -> Copy:
    """Make the struct of a row of ``COPY_COLUMNS``."""
    data, changed_at, fingerprint, ticket, read_at, verified, occurred_at, title, content = columns
    return Copy(
        record=record,
        data=data,
        changed_at=changed_at,
        fingerprint=fingerprint,
        ticket=ticket,
        read_at=read_at,
        verified=bool(verified),
        occurred_at=occurred_at,
        title=title,
        content=content,
    )
