"""The whole promise at once: whatever the webhooks do, copy and index end equal to both sources."""

from pathlib import Path

from hookbridge.model import SourceName
from tests.support.books import events
from tests.support.senders import tampered
from tests.support.truths import lane
from tests.support.waiting import wait_until
from tests.support.world import World, world

EVENTS = 5_000
ROUND = 150


async def edits(made: World, count: int = ROUND) -> None:
    """One round: edits, a burst on one record of each source, lies; then the webhooks, shuffled and partly repeated."""
    for _ in range(count):
        made.edit()
    made.burst(made.random.randrange(25))
    made.forge()
    await made.deliver()


async def settled_alone(made: World, source: SourceName) -> None:
    """Wait until nothing of this source is open, whatever the other one waits for."""

    async def nothing_is_open() -> bool:
        return not await events(made.service, source=source, state="open")

    await wait_until(nothing_is_open)


async def outage(made: World, source: SourceName, status: int | None = None, *, retry_after: int | None = None) -> None:
    """One round while a source is out; the lane of the other one settles all of its events meanwhile."""

    async def paused() -> bool:
        return bool((await lane(made.service, source))["state"] == "down")

    other: SourceName = "supabase" if source == "notion" else "notion"
    async with made.outage(source, status, retry_after=retry_after):
        await edits(made)
        await wait_until(paused)
        await settled_alone(made, other)


async def test_five_thousand_mixed_events_end_with_copy_and_index_equal_to_the_sources(tmp_path: Path) -> None:
    async with world(tmp_path, seed=5_000) as made:
        while made.statuses[202] < EVENTS * 0.3:
            await edits(made)
        await outage(made, "notion")
        await outage(made, "notion", 503)
        await outage(made, "notion", 429, retry_after=1)
        while made.statuses[202] < EVENTS * 0.7:
            await edits(made)
        await outage(made, "supabase")
        await outage(made, "supabase", 503)
        while made.statuses[202] < EVENTS:
            await edits(made)
        books = await made.settled()
        assert await made.differences() == []
        assert books["received"] > EVENTS * 0.9  # of the repeated ones, those that name themselves were known
        assert books["coalesced"] > 0
        assert "dead" not in books


async def test_what_is_signed_wrongly_is_refused_in_every_format_and_changes_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, seed=401) as made:
        for _ in range(60):
            made.edit()
        made.forge()
        assert {await made.post(tampered(post)) for post in made.outbox} == {401}
        assert await made.settled() == {}


async def test_webhooks_that_are_lost_show_as_differences(tmp_path: Path) -> None:
    async with world(tmp_path, seed=3) as made:
        for _ in range(60):
            made.edit()
        await made.deliver()
        await made.settled()
        assert await made.differences() == []
        made.burst(1)
        assert made.drop() == 2
        found = "\n".join(await made.differences())
        assert "the copy is" in found
        assert "supabase:" in found
        assert "notion:" in found
