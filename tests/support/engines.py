"""The store's engines: whoever adds one adds a line here, and every test that takes ``engine`` runs on it as well.

A store that was opened here has a clock that tests set (``at``); until they do, it is the machine's.
"""

import time
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from hookbridge.store.contract import Store
from hookbridge.store.sqlite import SqliteStore

ENGINES = ("sqlite",)

AnyStore = TypeVar("AnyStore", bound=Store)


class HandClock:
    """A clock that stands where a test put it."""

    now: float | None = None

    def __call__(self) -> float:
        return time.time() if self.now is None else self.now


_clocks: WeakKeyDictionary[Store, HandClock] = WeakKeyDictionary()


async def opened_on(engine: str, folder: Path) -> Store:
    """Open a store of this engine on what is in the folder."""
    assert engine in ENGINES
    return await opened_file(folder / "hookbridge.db")


async def opened_file(path: Path) -> SqliteStore:
    """Open this file."""
    clock = HandClock()
    store = await SqliteStore.open(path, clock)
    _clocks[store] = clock
    return store


def at(store: AnyStore, now: float) -> AnyStore:
    """Set the store's clock, in epoch seconds; gives the store."""
    _clocks[store].now = now
    return store
