"""What the comparison of one table has counted so far.  It decides nothing and reads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
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
        self._keys: dict[str, list[str]] = {}

    def add(self, kind: Kind | Literal["cut", "waiting"], record: RecordKey) -> None:
        """Count a record that is not equal."""
        self._counts[kind] += 1
        keys = self._keys.setdefault(kind, [])
        if len(keys) < KEYS_SHOWN:
            keys.append(record.id)

    def add_unreadable(self, records: Sequence[RecordKey], standings: Mapping[str, Standing]) -> None:
        """Count what is there and cannot be read: it is not equal, whatever the copy has."""
        self.unreadable += len(records)
        for record in records:
            self.add("differing" if standings[record.id].present else "missing", record)

    def proof(self, source: SourceName, table: str, as_of: datetime) -> TableProof:
        """Give what the comparison showed, as of the moment it began."""
        return TableProof(
            source=source,
            table=table,
            as_of=as_of,
            equal=self.listed - len(self.gone) - sum(self._counts.values()),
            **self._counts,
            keys={kind: tuple(keys) for kind, keys in self._keys.items()},
            healed=self.healed,
        )
