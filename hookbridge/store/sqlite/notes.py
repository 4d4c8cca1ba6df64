"""Notes and counters on SQLite: small durable values, and the totals as a struct."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookbridge.store.nodes import Lead
from hookbridge.store.sqlite.engine import Role, Transaction
from hookbridge.store.totals import totals
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


class Notes(Role):
    """Small durable values by name."""

    async def note(self, name: str) -> str | None:
        """Give a note."""
        return await self._engine.read(lambda connection: _note(connection, name))

    async def notes(self, beginning: str = "") -> dict[str, str]:
        """Give those whose names begin so."""
        asked = "SELECT name, value FROM notes WHERE substr(name, 1, ?) = ?"
        return await self._engine.read(lambda one: dict(one.execute(asked, (len(beginning), beginning)).fetchall()))

    async def put_note(
        self, name: str, value: str | None, *, only_if_absent: bool = False, lead: Lead | None = None
    ) -> bool:
        """Set or remove a note."""
        self._engine.duties.require(lead)
        return await self._engine.call(lambda transaction: put(transaction, name, value, only_if_absent))

    async def replace_note(self, name: str, value: str, *, instead_of: str) -> bool:
        """Set a note that has this value."""
        return await self._engine.call(lambda transaction: _replace(transaction, name, value, instead_of))


def drop(transaction: Transaction, names: Sequence[str], value: str) -> bool:
    """Remove notes, the first of which has this value; gives whether it had."""
    first = transaction.connection.execute("SELECT value FROM notes WHERE name = ?", names[:1]).fetchone()
    if first != (value,):
        return False
    transaction.connection.executemany("DELETE FROM notes WHERE name = ?", [(name,) for name in names])
    return True


def _replace(transaction: Transaction, name: str, value: str, before: str) -> bool:
    written = transaction.connection.execute(
        "UPDATE notes SET value = ? WHERE name = ? AND value = ?", (value, name, before)
    )
    return written.rowcount > 0


class Counters(Role):
    """The books and the statistics."""

    async def totals(self) -> Totals:
        """Give the counters as of the last commit."""
        return totals(self._engine.counters)

    @property
    def open_events(self) -> int:
        """How many events are open as of the last commit."""
        return int(self._engine.counters["open"])
