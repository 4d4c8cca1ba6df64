"""The contract of a source on a dictionary: what the steps are given, without HTTP between."""

import itertools
from collections.abc import Mapping
from hashlib import blake2b

import msgspec

from hookbridge.model import FINGERPRINT_BYTES, Columns, Content, Event, RecordKey, SourceName, StoredEvent, Truth
from hookbridge.sources.source import Changes, Decoded, Source
from hookbridge.sources.supabase import shown, titles, words
from hookbridge.text import Fields


class TableSource(Source):
    """Rows by record.  A column ``at`` is the time of the change; the words are those of any row."""

    name: SourceName = "supabase"
    has_credentials: bool = True
    times_are_minutes: bool = False
    edits_move_times: bool = False
    credential_warning: str | None = None
    changes: Changes | None = None

    def __init__(self, *, has_credentials: bool = True, ids_are_global: bool = False) -> None:
        self.rows: dict[RecordKey, Columns] = {}
        self.failure: Exception | None = None
        self.reads = 0
        self.has_credentials = has_credentials
        self.ids_are_global = ids_are_global
        self._tickets = itertools.count(100)

    def normal_table(self, written: str) -> str:
        return written

    def key(self, table: str, id_: str) -> RecordKey:
        return RecordKey(self.name, table, id_)

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        return

    def decode(self, headers: Mapping[str, str], body: bytes) -> Decoded:
        raise NotImplementedError

    def columns_of(self, event: Event) -> Columns | None:
        return msgspec.json.decode(event.body, type=Columns) if event.body else None

    async def read(self, record: RecordKey) -> Truth:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        row, ticket = self.rows.get(record), next(self._tickets)
        if row is None:
            return Truth(record=record, data=None, ticket=ticket)
        data = msgspec.json.encode(row)
        return Truth(
            record=record, data=data, changed_at=row.get("at"), fingerprint=self.fingerprint(row), ticket=ticket
        )

    async def refresh(self, record: RecordKey) -> Truth:
        return await self.read(record)

    def agree(self, truth: Columns, claimed: Columns) -> bool:
        return all(truth.get(name) == value for name, value in claimed.items())

    def newer_than_truth(self, event: StoredEvent, truth: Truth) -> bool:
        claimed = (self.columns_of(event.event) or {}).get("at")
        return claimed is not None and truth.changed_at is not None and claimed > truth.changed_at

    def changed_at(self, record: RecordKey, columns: Columns) -> str | None:
        return columns.get("at")

    def fingerprint(self, columns: Columns) -> bytes:
        return blake2b(msgspec.json.encode(columns, order="sorted"), digest_size=FINGERPRINT_BYTES).digest()

    def is_called(self, table: str, columns: Columns) -> bool:
        return table != "left"

    def title(self, record: RecordKey, columns: Columns) -> str:
        return titles.title(columns, None)

    def shown(self, columns: Columns) -> dict[str, str | None]:
        return shown.shown(columns)

    def fields(self, record: RecordKey, columns: Columns, content: Content | None) -> Fields:
        return words.fields(columns, None, None)

    async def probe(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        return
