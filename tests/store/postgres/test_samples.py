"""Samples that several nodes take at the same moment."""

import asyncio
from pathlib import Path

import pytest

from hookbridge.store.postgres import PostgresStore
from hookbridge.store.values import SAMPLES_MAX
from tests.support.engines import at, opened_on

pytestmark = pytest.mark.on("postgres")

NOON = 1_800_000_000.0
NODES = 5


async def test_nodes_that_sample_the_same_minutes_together_write_each_once(engine: str, tmp_path: Path) -> None:
    stores = [await opened_on(engine, tmp_path) for _ in range(NODES)]
    try:
        filled = stores[0]
        assert isinstance(filled, PostgresStore)
        minutes = (
            "INSERT INTO hookbridge.samples SELECT one, 60 * one, 0, 0, 0 FROM generate_series($1::int, $2::int) AS one"
        )
        first = int(NOON // 60) - SAMPLES_MAX
        await filled._engine.write(minutes, first, first + SAMPLES_MAX - 1)
        for minute in range(20):  # those in the next minute forget what those in this one do
            moments = [NOON + 60 * minute + 59.5 + number % 2 for number in range(NODES)]
            await asyncio.gather(*(at(one, now).take_sample() for one, now in zip(stores, moments, strict=True)))
        kept = [int(one.at // 60) for one in await filled.samples(since=0.0)]
    finally:
        for one in stores:
            await one.close()
    assert kept == list(range(kept[-1] - SAMPLES_MAX + 1, kept[-1] + 1))
    assert kept[-1] == NOON // 60 + 20
