"""Rows of events and copies as structs: the columns have the same names in every engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hookbridge.model import Copy, Event, Outcome, RecordKey, StoredEvent, Verification

EVENT_COLUMNS = (
    "id, record, type, format, origin, body, identity, occurred_at, received_at,"
    " outcome, reason, verification, attempts, settled_at, headers, stored_at, claimed_at, verified_at"
)

COPY_COLUMNS = "data, changed_at, fingerprint, ticket, read_at, verified, occurred_at, title, content"


def stored_event(columns: Sequence[Any]) -> StoredEvent:
    """Make the struct of a row of ``EVENT_COLUMNS``."""
    (id_, record, type_, format_, origin, body, identity, occurred_at, received_at) = columns[:9]
    outcome, reason, verification, attempts, settled_at, headers, stored_at, claimed_at, verified_at = columns[9:]
    return StoredEvent(
        id=id_,
        event=Event(
            record=RecordKey.parse(record),
            type=type_,
            format=format_,
            origin=origin,
            body=body,
            identity=identity,
            occurred_at=occurred_at,
        ),
        received_at=received_at,
        outcome=Outcome(outcome) if outcome else None,
        reason=reason,
        verification=Verification(verification) if verification else None,
        attempts=attempts,
        settled_at=settled_at,
        headers=headers,
        stored_at=stored_at,
        claimed_at=claimed_at,
        verified_at=verified_at,
    )


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
