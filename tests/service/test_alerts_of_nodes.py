"""Several nodes tell people as one: whoever has the duty knows what another told, and says when the store is away."""

from pathlib import Path

import pytest

from hookbridge.cluster import BEAT_SECONDS
from tests.service.test_alerts import pause, taken, telling, waits
from tests.service.test_cluster import named, nodes
from tests.support import databases
from tests.support.people import people
from tests.support.running import Running, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("postgres")


def tells(node: Running) -> bool:
    return node.service.membership.does("alert")


async def test_another_node_goes_on_with_what_people_were_told(tmp_path: Path) -> None:
    async with people() as there:
        settings = telling(tmp_path, there)
        async with running(named(settings, "a")) as one:
            await wait_until(lambda: tells(one))
            async with running(named(settings, "b")) as other:
                await pause(other)
                await wait_until(lambda: taken(other, 1))
                assert not tells(other)
                one.service.begin_stop()
                await wait_until(lambda: tells(other))
                await pause(other, "resume")
                await wait_until(lambda: there.types[-1] == "healthy")
    assert there.types == ["unhealthy", "healthy"]
    assert [one["node"] for one in there.told] == ["a", "b"]


async def test_another_node_sends_what_was_not_taken(tmp_path: Path) -> None:
    async with people() as there:
        pass
    settings = telling(tmp_path, there)
    async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
        await wait_until(lambda: tells(one))
        await pause(one)
        await wait_until(lambda: waits(other))
        one.service.begin_stop()
        await wait_until(lambda: tells(other))
        async with there.there():
            await wait_until(lambda: there.told)
        assert there.types == ["unhealthy"]
        assert there.told[0]["node"] == "a"


async def test_people_are_told_when_no_node_reaches_the_store(tmp_path: Path) -> None:
    async with people() as there:
        # When the store is back, each hears of the other one some beats later: until then that is away.
        settings = telling(tmp_path, there, hold_seconds=6 * BEAT_SECONDS)
        async with nodes(named(settings, "a"), named(settings, "b")) as (one, other):
            await wait_until(lambda: one.service.alerts._told is not None)  # it knows what people were told
            with databases.away(settings.store_url):
                await wait_until(lambda: there.told, deadline_seconds=60.0)
                assert "The inbox cannot be written" in there.told[0]["text"]
                await wait_until(lambda: not tells(one) and not tells(other), deadline_seconds=60.0)
                there.status = 500
            await wait_until(lambda: len(there.ids) > 1, deadline_seconds=60.0)
            there.status = 204
            await wait_until(lambda: there.types[-1] == "healthy", deadline_seconds=60.0)
            assert there.types == ["unhealthy", "healthy"]
