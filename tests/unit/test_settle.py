"""Settling what the store cannot take: later when the disk refuses, as a dead letter when it never fits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hookbridge.config import ProcessingConfig
from hookbridge.errors import HandlerGaveUp
from hookbridge.model import Change, Claim, Document, Effects, Outcome
from hookbridge.pipeline.attempts import Attempts
from hookbridge.pipeline.retry import Case, Fate, fate_of
from hookbridge.pipeline.settle import settle
from hookbridge.pipeline.worker import Worker
from hookbridge.store.sqlite import SqliteStore
from tests.support.engines import at
from tests.support.events import copy, event, key, settlement
from tests.support.files import opened, refuse_writes
from tests.support.naps import Naps
from tests.support.stores import add, books, take_one

SURROGATE = "\ud800"
"""A text without a form in UTF-8."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(tmp_path) as one:
        yield one


async def judge(_claim: Claim, error: Exception) -> Fate:
    return fate_of(error, Case())


def working(store: SqliteStore, step: object) -> Worker:
    attempts = Attempts(ProcessingConfig(), sleep=Naps())
    return Worker(store, [step], attempts, clock=lambda: 200.0)  # type: ignore[list-item]  # whatever the test made


class Finds:
    """A step that finds words which cannot be stored."""

    name = "index_update"

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        document = Document(change.record, SURROGATE)
        return replace(so_far, copy=copy(change.record, await self._store.ticket()), document=document)


class Fails:
    """A step that fails in words which cannot be stored."""

    name = "handlers"

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        raise HandlerGaveUp(SURROGATE)


async def test_what_the_store_can_never_hold_becomes_a_dead_letter_without_effects(store: SqliteStore) -> None:
    (event_id,) = await add(store, event())
    claim = await take_one(store)
    assert await working(at(store, 200.0), Finds(store)).work(claim, judge)
    found = await store.event(event_id)
    assert found is not None
    assert (found.outcome, found.settled_at) == (Outcome.DEAD, 200.0)
    assert found.reason is not None
    assert found.reason.startswith("StoreError: The store cannot hold this")
    assert await store.copy(key(1)) is None
    assert await books(store) == {"received": 1, "dead": 1}


async def test_a_failure_in_words_that_cannot_be_stored_is_described_in_others(store: SqliteStore) -> None:
    (event_id,) = await add(store, event())
    assert await working(store, Fails()).work(await take_one(store), judge)
    found = await store.event(event_id)
    assert found is not None
    assert (found.outcome, found.reason) == (Outcome.DEAD, r"\ud800")


async def test_while_the_disk_refuses_settling_waits_longer_and_longer_and_then_succeeds(store: SqliteStore) -> None:
    await add(store, event())
    claim = await take_one(store)
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 8:
            refuse_writes(store, refuse=False)

    refuse_writes(store, refuse=True)
    await settle(store, settlement(claim), sleep=sleep)
    assert naps == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert await books(store) == {"received": 1, "applied": 1}
