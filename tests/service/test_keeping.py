"""What is kept of a destination is written before whoever keeps it has ended, also where he is cut short."""

import asyncio
from pathlib import Path

import pytest

from hookbridge.destinations.keeping import Keeping
from hookbridge.destinations.standing import Standing
from hookbridge.errors import LeadLost
from hookbridge.feed import Place
from hookbridge.store.nodes import Lead
from hookbridge.store.values import Rejected
from tests.support.events import key
from tests.support.running import make_settings, running

FEED = "0" * 32
REJECTED = Rejected(record=key(1), seq=1, reason="bad")


async def cut_short(keeps: asyncio.Task[None]) -> None:
    keeps.cancel()
    await asyncio.gather(keeps, return_exceptions=True)
    assert keeps.cancelled()


@pytest.mark.parametrize("rejected", [[], [REJECTED]], ids=["a place", "a rejection"])
async def test_what_was_kept_by_one_who_was_cut_short_is_there_when_it_is_taken_up(
    tmp_path: Path, rejected: list[Rejected]
) -> None:
    async with running(make_settings(tmp_path)) as service:
        kept = Keeping("search", service.service.store)
        for seq in range(1, 21):
            place = str(Place(FEED, seq))
            keeps = asyncio.create_task(kept.keep(Standing(place=place), rejected))
            for _ in range(2):  # it has been handed to the store then, which has not begun with it
                await asyncio.sleep(0)
            await cut_short(keeps)
            await kept.take_up()
            assert kept.standing.place == place
        assert kept.has_room(9_999)
        assert kept.has_room(10_000) is not bool(rejected)


async def test_one_who_was_cut_short_without_the_lead_has_kept_nothing(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        kept = Keeping("search", service.service.store)
        kept.lead = Lead("deliver:search", 7)
        keeps = asyncio.create_task(kept.keep(Standing(place=str(Place(FEED, 1)))))
        await asyncio.sleep(0)
        await cut_short(keeps)
        await kept.take_up()
        assert kept.standing == Standing()
        with pytest.raises(LeadLost):
            await kept.keep(Standing(place=str(Place(FEED, 2))))
