"""Records that change: copies are written as a worker's settle writes them."""

from __future__ import annotations

from hashlib import sha256

from hookbridge.store.contract import Store
from hookbridge.store.values import Span
from tests.support.events import copy, key

AT, LONG_AGO = 50.0, 5.0
"""When a copy was read, in epoch seconds."""


async def put(store: Store, name: str, data: bytes | None, read_at: float = AT) -> None:
    """Have the user of this name read as this; None is gone."""
    told_apart = sha256(data or b"").digest()[:16]
    read = copy(key(name), await store.ticket(), data, fingerprint=told_apart, read_at=read_at)
    await store.put(read, None, exclusive=False)


async def go_unnoticed(store: Store, name: str) -> None:
    """Have a user gone, and the deletion forgotten before anybody hears of it: his place is gone who does not know.

    Something else has to change afterwards: what is last is never forgotten.
    """
    await put(store, name, None, LONG_AGO)
    await put(store, "another", b'{"now": 0}')
    assert await store.remove_tombstones(Span(0.0, LONG_AGO + 1.0), 10) == 1
