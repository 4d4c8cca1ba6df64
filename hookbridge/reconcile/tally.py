"""What the comparison of one table has counted so far.  It decides nothing and reads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Literal

from hookbridge.api.reconcile import TableProof
from hookbridge.model import RecordKey, SourceName
from hookbridge.reconcile.findings import Kind
from hookbridge.store.values import Standing

KEYS_SHOWN = 1_000
"""Of each kind of difference."""


class Tally:
    """What a comparison has counted so far."""

    def __init__(self, *, content: bool) -> None:
        self.content = content
        """Whether the texts behind records are read and compared."""
        self.total: int | None = None
        """How many records there are to compare, where that is known."""
        self.listed = 0
        self.healed = 0
        self.suspects: list[RecordKey] = []
        self.partial: list[RecordKey] = []
        self.gone: set[RecordKey] = set()
        """What is on neither side any more when it is looked at again: nothing that could be equal."""
        self.unreadable = 0
        self._counts = {"differing": 0, "missing": 0, "extra": 0, "cut": 0, "waiting": 0}
        self._unequal: dict[str, list[RecordKey]] = {}

    def add(self, kind: Kind | Literal["cut", "waiting"], record: RecordKey) -> None:
        """Count a record that is not equal."""
        self._counts[kind] += 1
        records = self._unequal.setdefault(kind, [])
        if len(records) < KEYS_SHOWN:
            records.append(record)

    def add_unreadable(self, records: Sequence[RecordKey], standings: Mapping[str, Standing]) -> None:
        """Count what is there and cannot be read: it is not equal, whatever the copy has."""
        self.unreadable += len(records)
        for record in records:
            self.add("differing" if standings[record.id].present else "missing", record)

    def unequal(self) -> Iterator[RecordKey]:
        """Name the records that are not equal, as many as are shown."""
        return chain.from_iterable(self._unequal.values())

    def proof(
        self, source: SourceName, table: str, as_of: datetime, *, label: str, titles: Mapping[RecordKey, str]
    ) -> TableProof:
        """Give what the comparison showed, as of the moment it began, with what people call table and records."""
        return TableProof(
            source=source,
            table=table,
            table_label=label,
            as_of=as_of,
            equal=self.listed - len(self.gone) - sum(self._counts.values()),
            **self._counts,
            keys={kind: tuple(record.id for record in records) for kind, records in self._unequal.items()},
            titles={record.id: title for record, title in titles.items()},
            healed=self.healed,
        )
