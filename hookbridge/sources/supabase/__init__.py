"""Supabase as a source: the modules of this package behind the contract of ``sources/source.py``.

It decides nothing itself.  Without credentials nothing is read, and nothing of the SDK is imported.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping

import msgspec

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.errors import InvalidParameter
from hookbridge.model import Columns, Content, Event, RecordKey, SourceName, StoredEvent, Truth
from hookbridge.names import full_name
from hookbridge.sources.signatures import Signed
from hookbridge.sources.source import Decoded, Source, Tickets
from hookbridge.sources.supabase import agreement, payloads, rows, shown, titles, words
from hookbridge.sources.supabase.changes import SupabaseChanges
from hookbridge.sources.supabase.pull import Outbox, OverDataApi, OverDatabase, emptied_table
from hookbridge.sources.supabase.truth import Reader
from hookbridge.sources.times import instant_in
from hookbridge.text import Fields


class SupabaseSource(Source):
    """Rows."""

    name: SourceName = "supabase"
    times_are_minutes: bool = False
    edits_move_times: bool = False
    ids_are_global: bool = False
    no_credentials = ("There are no credentials to read Supabase with", "set SUPABASE_URL and SUPABASE_KEY")

    def __init__(
        self,
        config: SupabaseConfig,
        signatures: SignaturesConfig,
        secrets: Secrets,
        tickets: Tickets,
        *,
        clock: Callable[[], float] = time.time,
        asked: Callable[[int], None] = lambda number: None,
    ) -> None:
        """``asked`` is told how many records each read asks for."""
        self._config = config
        self.pulled = config.pulled
        """The tables whose changes are taken from the outbox."""
        self.outbox: Outbox | None = None
        """None where no table is pulled, or nothing is known to ask with."""
        self._signature = Signed(signatures, secrets.webhook_secrets)
        self._key = secrets.supabase_key
        if secrets.supabase_url and self._key:
            # A second, which nobody should wait for who has no project.
            from hookbridge.sources.supabase.client import SupabaseClient  # noqa: PLC0415  imports the SDK

            client = SupabaseClient(secrets.supabase_url, self._key, config.timeout_seconds)
            self.reader = Reader(client, config, tickets, asked)
            self.changes = SupabaseChanges(client, config, tickets, clock)
            if config.pulled:
                self.outbox = OverDataApi(client, config.api_schema)
        if secrets.supabase_db_url and config.pulled:
            self.outbox = OverDatabase(secrets.supabase_db_url, config.api_schema, config.timeout_seconds)

    @property
    def credential_warning(self) -> str | None:
        """Say that the key is one that row level security hides rows from."""
        if not self._key or not _is_public(self._key):
            return None
        return (
            "SUPABASE_KEY is a publishable (anon) key: rows that row level security hides from it look deleted."
            " Use a secret key (sb_secret_…)."
        )

    def normal_table(self, written: str) -> str:
        """Give ``schema.table``; of a partition, the partitioned table's."""
        return self._config.root(full_name(written))

    def key(self, table: str, id_: str) -> RecordKey:
        """Name a row.  Raises InvalidParameter."""
        name = self.table(table, where="path")
        try:
            normal = payloads.normal_id(id_, len(payloads.table_config(self._config, name).key))
        except ValueError as error:
            raise InvalidParameter("id", str(error), where="path") from None
        return RecordKey("supabase", name, normal)

    def emptied_table(self, body: bytes) -> str | None:
        """Name the table that a message of the outbox says was emptied at once; None for every other message."""
        return emptied_table(body, self._config)

    async def close(self) -> None:
        """Close the connections."""
        if self.outbox is not None:
            await self.outbox.close()
        await super().close()

    # What arrives

    def authenticate(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        """Raises InvalidSignature."""
        self._signature.authenticate(headers, body, now)

    def decode(self, headers: Mapping[str, str], body: bytes) -> Decoded:
        """Raises InvalidJson, InvalidSource or InvalidFields."""
        return payloads.decode(headers, body, self._config)

    def columns_of(self, event: Event) -> Columns | None:
        """Give the row that the event brought."""
        return payloads.columns_of(event)

    def versions_of(self, event: Event) -> tuple[Columns, ...]:
        """Give the rows before and after the change."""
        return payloads.versions_of(event)

    # What rows look like

    def agree(self, truth: Columns, claimed: Columns) -> bool:
        """Compare the claimed columns by value."""
        return agreement.agree(truth, claimed)

    def newer_than_truth(self, event: StoredEvent, truth: Truth) -> bool:
        """Compare the change column of event and truth; without one, nothing tells."""
        claimed = payloads.columns_of(event.event)
        at = None if claimed is None else self.changed_at(event.event.record, claimed)
        mine, known = instant_in(at), instant_in(truth.changed_at)
        return mine is not None and known is not None and mine > known

    def changed_at(self, record: RecordKey, columns: Columns) -> str | None:
        """Give the configured change column's value."""
        return rows.changed_at(columns, payloads.table_config(self._config, record.table))

    def title(self, record: RecordKey, columns: Columns) -> str:
        """Give the configured column, or the first that is named like a name."""
        return titles.title(columns, payloads.table_config(self._config, record.table).title)

    def shown(self, columns: Columns) -> dict[str, str | None]:
        """Give what a person reads of the columns."""
        return shown.shown(columns)

    def fields(
        self,
        record: RecordKey,
        columns: Columns,
        content: Content | None,  # noqa: ARG002  there is no text behind a row
    ) -> Fields:
        """Give the words of the configured columns, or of all that hold text."""
        table = payloads.table_config(self._config, record.table)
        return words.fields(columns, table.index, table.title)


def _is_public(key: str) -> bool:
    """Whether it is a publishable key, or a JWT of the role ``anon``."""
    if key.startswith("sb_publishable_"):
        return True
    parts = key.split(".")
    if len(parts) != 3:  # noqa: PLR2004  a JWT has three
        return False
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return False
    return isinstance(claims, dict) and claims.get("role") == "anon"
