"""Stale keys on SQLite: what has to be deleted from the user's cache once more, now that its copies are written.

Invariant: a key that a settle wrote stays until its row is removed by who has read it.  The same key
of two changes is two rows: the first deletion may have come before the second copy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from hookbridge.model import Settlement
from hookbridge.store.sqlite.engine import Role
from hookbridge.store.values import STALE_KEYS_CHARACTERS_MAX, StaleKeys


def note(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> None:
    """Write the keys of changes that are settled in this transaction."""
    keys = [(key,) for one in settlements for key in one.effects.stale_keys or ()]
    if keys:
        connection.executemany("INSERT INTO stale_keys (key) VALUES (?)", keys)


def _oldest(connection: sqlite3.Connection, limit: int) -> StaleKeys:
    """Read the oldest ones."""
    keys: dict[str, None] = {}
    rows: list[int] = []
    characters = 0
    for id_, key in connection.execute("SELECT id, key FROM stale_keys ORDER BY id LIMIT ?", (limit,)):
        keys[key] = None
        rows.append(id_)
        characters += len(key)
        if characters >= STALE_KEYS_CHARACTERS_MAX:
            break
    return StaleKeys(keys=tuple(keys), rows=tuple(rows))


class Stale(Role):
    """Keys of the user's cache that have to be deleted once more."""

    async def stale_keys(self, limit: int) -> StaleKeys:
        """Give the oldest ones."""
        return await self._engine.read(lambda connection: _oldest(connection, limit))

    async def remove_stale_keys(self, rows: Sequence[int]) -> None:
        """Forget what was read."""
        await self._engine.call(
            lambda t: t.connection.executemany("DELETE FROM stale_keys WHERE id = ?", [(row,) for row in rows])
        )
