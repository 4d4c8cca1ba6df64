"""The store's engines: whoever adds one adds it here, and every test that takes ``engine`` runs on it as well.

``--engine`` runs what runs on one of them alone.
A service that is opened while one is ``chosen`` has that.  A store that was opened here has a clock that tests set
(``at``); until they do, it is the machine's.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import pytest

from hookbridge.store.contract import Store
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.sqlite import SqliteStore
from tests.support import databases

ENGINES = ("sqlite", "postgres")
EVERY_ENGINE = (*ENGINES, "pooler")
"""``pooler`` is Postgres behind one that gives each transaction another session: for the store's own suite."""


_chosen = [ENGINES[0]]

AnyStore = TypeVar("AnyStore", bound=Store)


class HandClock:
    """A clock that stands where a test put it."""

    now: float | None = None

    def __call__(self) -> float:
        return time.time() if self.now is None else self.now


_clocks: WeakKeyDictionary[Store, HandClock] = WeakKeyDictionary()


async def opened_on(engine: str, folder: Path) -> Store:
    """Open a store of this engine on what belongs to the folder."""
    if engine == "sqlite":
        return await opened_file(folder / "hookbridge.db")
    clock = HandClock()
    address = databases.url(folder, pooled=engine == "pooler")
    store = await PostgresStore.open(address, node="one", moment=lambda: clock.now)
    _clocks[store] = clock
    return store


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


def spread(metafunc: pytest.Metafunc, engines: Sequence[str]) -> None:
    """Run a test on each of these engines that takes one, or on those that it is marked to run ``on``."""
    if "engine" in metafunc.fixturenames:
        own = metafunc.definition.get_closest_marker("on")
        wanted = [one for one in engines if own is None or one in own.args]
        metafunc.parametrize("engine", wanted, indirect=True)


def engine_of(item: pytest.Item) -> str:
    """Give the engine that a test runs on; the first one where it knows of none."""
    called = getattr(item, "callspec", None)
    return ENGINES[0] if called is None else str(called.params.get("engine", ENGINES[0]))


@contextmanager
def while_at(store: Store, now: float) -> Iterator[None]:
    """Set the store's clock for so long."""
    clock = _clocks[store]
    before, clock.now = clock.now, now
    try:
        yield
    finally:
        clock.now = before


@contextmanager
def chosen(engine: str) -> Iterator[None]:
    """Have services of this test keep their data with this engine."""
    _chosen.append(engine)
    yield
    _chosen.pop()


def store_section(folder: Path) -> dict[str, Any]:
    """Give the settings of a store of the chosen engine, with its data in the folder where it is a file."""
    url = database_of(folder, pooled=_chosen[-1] == "pooler")
    return {"path": str(folder / "data" / "hookbridge.db"), "min_free_bytes": 0} if url is None else {"url": url}


def database_of(folder: Path, *, pooled: bool = False) -> str | None:
    """Give the URL of the database that belongs to the folder; None where the chosen engine keeps a file there."""
    return None if _chosen[-1] == "sqlite" else databases.url(folder, pooled=pooled)


def node_section() -> dict[str, Any]:
    """Give the settings of a node that is the same one after a restart, although its port is another one."""
    return {} if _chosen[-1] == "sqlite" else {"name": "one"}


def store_environment(folder: Path) -> dict[str, str]:
    """Give what a process is told, so that it has the store and the name that these sections give."""
    sections = {"STORE": store_section(folder), "NODE": node_section()}
    return {
        f"HOOKBRIDGE_{name}__{key.upper()}": str(value)
        for name, section in sections.items()
        for key, value in section.items()
    }


async def open_lines(store: Store) -> dict[str, list[int]]:
    """Give the open events of each dirty record in their order, as no method of the contract does without a claim."""
    if isinstance(store, PostgresStore):
        rows = await store._engine.read("SELECT record, event_id FROM hookbridge.open ORDER BY record, seq")
        lines: dict[str, list[int]] = {}
        for record, event_id in rows:
            lines.setdefault(record, []).append(event_id)
        return lines
    assert isinstance(store, SqliteStore)
    return await store._engine.read(_chains)


def _chains(connection: sqlite3.Connection) -> dict[str, list[int]]:
    """Walk every chain."""
    lines: dict[str, list[int]] = {}
    for record, head in connection.execute("SELECT record, head FROM dirty").fetchall():
        line = [head]
        query = "SELECT previous, outcome, record FROM events WHERE id = ?"
        while True:
            previous, outcome, own = connection.execute(query, (line[-1],)).fetchone()
            assert (outcome, own) == (None, record)
            if previous is None:
                break
            assert previous not in line, "a circle"
            line.append(previous)
        lines[record] = line[::-1]
    return lines
