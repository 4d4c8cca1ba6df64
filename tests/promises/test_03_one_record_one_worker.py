"""Rule 3: a record has one worker at a time, and what arrives meanwhile is a change of its own afterwards."""

import asyncio
from pathlib import Path

from tests.support.books import event, hint, send, settled
from tests.support.handling import Handling
from tests.support.running import make_settings, running
from tests.support.waiting import wait_until


async def test_a_burst_on_one_record_during_its_run_is_one_more_change_and_nothing_is_forgotten(
    tmp_path: Path,
) -> None:
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as service:
        user.module.gate.clear()
        first = await send(service, hint(1, table=user.table, event_type="insert", data={"n": 0}))
        await wait_until(lambda: user.module.running)
        later = await asyncio.gather(
            *[send(service, hint(1, table=user.table, data={"n": n})) for n in range(1, 50)],
            *[send(service, hint(2, table=user.table, data={"n": n})) for n in range(50)],
        )
        await wait_until(lambda: len(user.module.running) == 2)  # the other record is not held up
        assert [change.record.id for change in user.module.calls] == ["1", "2"]
        user.module.gate.set()
        books = await settled(service)
        of_first = [change for change in user.module.calls if change.record.id == "1"]
        assert [[one.id for one in change.events] for change in of_first] == [[first], sorted(later[:49])]
        assert user.module.most_at_once == 2
        copy = await (await service.get(f"/api/v1/records/supabase/{user.table}/1")).json()
        newest = await event(service, max(later[:49]))
        assert copy["data"] == newest["body"]["data"]
        changes = len(user.module.calls)
        assert books == {"received": 100, "applied": changes, "coalesced": 100 - changes}


async def test_events_of_one_record_are_applied_in_the_order_in_which_they_were_acknowledged(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        for n in range(60):
            await send(service, hint(1, data={"n": n}))
        await settled(service)
        copy = await (await service.get("/api/v1/records/supabase/users/1")).json()
        assert copy["data"] == {"n": 59}
