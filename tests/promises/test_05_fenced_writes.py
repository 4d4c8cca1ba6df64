"""Rule 5: a worker whose lease was taken over can neither settle nor overwrite a newer copy."""

import asyncio
import time
from pathlib import Path

from tests.support.books import balanced, hint, send, settled
from tests.support.data import rows
from tests.support.handling import Handling
from tests.support.running import make_settings, running
from tests.support.waiting import wait_until


async def test_a_worker_that_was_overtaken_leaves_no_trace(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    settings = make_settings(tmp_path, handlers=user.section)
    async with running(settings) as service:
        module = user.module
        slow = module.gate
        slow.clear()
        await send(service, hint(1, table=user.table, data={"n": "old"}))
        await wait_until(lambda: len(module.running) == 1)
        # The first worker keeps waiting at its gate; whoever comes next passes.
        module.gate = asyncio.Event()
        module.gate.set()
        await send(service, hint(1, table=user.table, data={"n": "new"}))
        # Its lease is over, so the record is claimed again.
        assert await rows(settings, f"UPDATE dirty SET available_at = {time.time()} RETURNING 1") == [(1,)]
        service.service.lanes["supabase"].wake()
        await wait_until(lambda: len(module.calls) > 1)
        books = await settled(service)
        assert books == {"received": 2, "applied": 1, "coalesced": 1}
        copy = f"/api/v1/records/supabase/{user.table}/1"
        assert (await (await service.get(copy)).json())["data"] == {"n": "new"}
        slow.set()
        await wait_until(lambda: not module.running)
        await wait_until(lambda: not any(lane.busy for lane in service.service.lane_states()))
        assert (await (await service.get(copy)).json())["data"] == {"n": "new"}
        assert await balanced(service) == books
