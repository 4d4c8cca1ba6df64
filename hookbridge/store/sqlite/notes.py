"""Notes and counters on SQLite: small durable values, and the totals as a struct."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from hookbridge.model import Books
from hookbridge.store.nodes import Lead
from hookbridge.store.sqlite.engine import Role, Transaction
from hookbridge.store.values import Totals


def _note(connection: sqlite3.Connection, name: str) -> str | None:
    """Give a note's value."""
    found = connection.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
    return found[0] if found else None


def put(transaction: Transaction, name: str, value: str | None, only_if_absent: bool) -> bool:  # noqa: FBT001  contract
    """Set or remove a note; gives whether anything was written."""
    if value is None:
        written = transaction.connection.execute("DELETE FROM notes WHERE name = ?", (name,))
    elif only_if_absent:
        written = transaction.connection.execute(
            "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, value)
        )
    else:
        written = transaction.connection.execute(
            "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )
    return written.rowcount > 0


def _totals(counters: Mapping[str, float]) -> Totals:
    """Make the totals of the counters by name."""

    def number(name: str) -> int:
        return int(counters.get(name, 0))

    def group(prefix: str) -> dict[str, int]:
        return {name.removeprefix(prefix): int(value) for name, value in counters.items() if name.startswith(prefix)}

    return Totals(
        books=Books(
            received=number("received"),
            open=number("open"),
            applied=number("applied"),
            coalesced=number("coalesced"),
            ignored=number("ignored"),
            dead=number("dead"),
        ),
        duplicates=number("duplicates"),
        processed=number("processed"),
        failed=number("failed"),
        retries=number("retries"),
        changes=number("changes"),
        processing_seconds=counters.get("processing_seconds", 0.0),
        by_type=group("type:"),
        by_source=group("source:"),
        by_verification=group("verification:"),
        by_origin=group("received:"),
        by_outcome=group("settled:"),
        announced=group("announced:"),
        missed=group("missed:"),
    )


class Notes(Role):
    """Small durable values by name."""

    async def note(self, name: str) -> str | None:
        """Give a note."""
        return await self._engine.read(lambda connection: _note(connection, name))

    async def put_note(
        self, name: str, value: str | None, *, only_if_absent: bool = False, lead: Lead | None = None
    ) -> bool:
        """Set or remove a note."""
        self._engine.duties.require(lead)
        return await self._engine.call(lambda transaction: put(transaction, name, value, only_if_absent))


class Counters(Role):
    """The books and the statistics."""

    async def totals(self) -> Totals:
        """Give the counters as of the last commit."""
        return _totals(self._engine.counters)

    @property
    def open_events(self) -> int:
        """How many events are open as of the last commit."""
        return int(self._engine.counters["open"])
