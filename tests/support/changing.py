"""Records that change: copies are written as a worker's settle writes them."""

from __future__ import annotations

import math
import time
from hashlib import sha256

from hookbridge.store.contract import Store
from hookbridge.store.values import Span
from tests.support.events import copy, key

EVER = Span(-math.inf, math.inf)
"""With it every deletion is forgotten, however young.

A running service forgets the old ones itself, sooner or later: tests remove with this what was read just now.
"""


async def put(store: Store, name: str, data: bytes | None) -> None:
    """Have the user of this name read as this, just now; None is gone."""
    told_apart = sha256(data or b"").digest()[:16]
    read = copy(key(name), await store.ticket(), data, fingerprint=told_apart, read_at=time.time())
    await store.put(read, None, exclusive=False)


async def go_unnoticed(store: Store, name: str) -> None:
    """Have a user gone, and the deletion forgotten before anybody hears of it: his place is gone who does not know.

    Something else has to change afterwards: what is last is never forgotten.
    """
    await put(store, name, None)
    await put(store, "another", b'{"now": 0}')
    assert await store.remove_tombstones(EVER, 10) == 1
