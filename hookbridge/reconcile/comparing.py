"""How what a proof reads compares with the copies.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hookbridge.errors import RecordUnreadable
from hookbridge.model import RecordKey, Truth
from hookbridge.reconcile.findings import Difference, Kind, kind_of
from hookbridge.reconcile.table import FollowedTable
from hookbridge.sources.source import Unread
from hookbridge.store.values import Standing


def named(table: FollowedTable, unread: Sequence[Unread]) -> list[RecordKey]:
    """Give the records that cannot be read.  Raises RecordUnreadable for one whose key cannot be read either."""
    records: list[RecordKey] = []
    for record in unread:
        if record.id is None:
            raise RecordUnreadable(
                f"{table.name} has a record without a key that can be read, so it cannot be compared: {record.reason}"
            )
        records.append(RecordKey(table.source, table.name, record.id))
    return records


def is_there(record: RecordKey, truth: Truth) -> bool:
    """Whether the source has a record of this name: a row's key has one spelling, whatever its type calls equal."""
    return truth.data is not None and truth.record == record


def differences(truths: Mapping[RecordKey, Truth], standings: Mapping[str, Standing]) -> list[Difference]:
    """Give the records that differ from their copies, both as they are now."""
    return [
        Difference(
            record=record,
            kind=kind,
            truth=truth if truth.record == record else None,
            standing=standing,
        )
        for record, truth in truths.items()
        if (kind := kind_now(record, truth, standing := standings[record.id])) is not None
    ]


def kind_now(record: RecordKey, truth: Truth, standing: Standing) -> Kind | None:
    """Say how a record differs from its copy, both as they are now."""
    if is_there(record, truth):
        return kind_of(truth, standing)
    return "extra" if standing.present else None
