"""Stale keys on Postgres: what has to be deleted from the user's cache once more, now that its copies are written.

Invariant: a key that a settle wrote stays until its row is removed by who has read it: rows are not there in the order
of their numbers.  A key is bytes, because a text of Postgres holds no NUL.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookbridge.errors import StoreError
from hookbridge.model import Settlement
from hookbridge.store.postgres.engine import Role
from hookbridge.store.values import STALE_KEYS_CHARACTERS_MAX, StaleKeys

# Those that are very long are not read only to be left out.
_OLDEST = """
SELECT id, key FROM (
    SELECT id, key, sum(length(key)) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (SELECT id, key FROM hookbridge.stale_keys ORDER BY id LIMIT $1) AS oldest
) AS one WHERE coalesce(before, 0) < $2 ORDER BY id
"""

_REMOVE = """
DELETE FROM hookbridge.stale_keys WHERE id IN (
    SELECT id FROM hookbridge.stale_keys WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED
)
"""


def stale_of(settlements: Sequence[Settlement]) -> list[bytes]:
    """Give the keys that settlements write.  Raises StoreError for one that is not Unicode."""
    try:
        return [key.encode() for one in settlements for key in one.effects.stale_keys or ()]
    except UnicodeEncodeError as error:
        raise StoreError(f"The store cannot hold this: {error}") from error


class Stale(Role):
    """Keys of the user's cache that have to be deleted once more."""

    async def stale_keys(self, limit: int) -> StaleKeys:
        """Give the oldest ones."""
        found = await self._engine.read(_OLDEST, limit, STALE_KEYS_CHARACTERS_MAX)
        keys = dict.fromkeys(key.decode() for _, key in found)
        return StaleKeys(keys=tuple(keys), rows=tuple(row for row, _ in found))

    async def remove_stale_keys(self, rows: Sequence[int]) -> None:
        """Forget what was read."""
        if rows:
            await self._engine.write(_REMOVE, list(rows))
