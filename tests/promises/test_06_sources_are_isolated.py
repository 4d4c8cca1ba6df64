"""Rule 6: a dead, slow or rate-limited source delays neither the other one nor an ack."""

import asyncio
from pathlib import Path

import pytest

from tests.support.books import balanced, events, hint, send, settled, statistics
from tests.support.running import running
from tests.support.truths import project, record, settings_for
from tests.support.waiting import wait_until

PAGES = [f"{n:032x}" for n in range(1, 11)]
DATABASE = "d" * 32


@pytest.mark.parametrize("trouble", ["hangs", "is down", "limits", "refuses the key"])
async def test_whatever_ails_one_source_the_other_goes_on(tmp_path: Path, trouble: str) -> None:
    async with (
        project(users=10) as supabase,
        running(settings_for(supabase, tmp_path, processing={"workers": 2})) as service,
    ):
        if trouble == "hangs":
            supabase.faults.hang()
        elif trouble == "limits":
            supabase.faults.status(429, retry_after=1)
        elif trouble == "refuses the key":
            supabase.faults.refuse_key()
        else:
            await supabase.stop()
        # The acks come while nothing can be read; `send` insists on a 202.
        await asyncio.gather(*[send(service, hint(n)) for n in range(1, 11)])
        await asyncio.gather(
            *[send(service, hint(page, table=DATABASE, source="notion"), source="notion") for page in PAGES]
        )

        async def notion_is_done() -> bool:
            return bool((await statistics(service))["books"]["applied"] == len(PAGES))

        await wait_until(notion_is_done)
        assert len(await events(service, source="supabase", state="open")) == 10
        assert await balanced(service) == {"received": 20, "open": 10, "applied": 10}
        supabase.faults.clear()
        await supabase.start()
        assert await settled(service) == {"received": 20, "applied": 20}
        assert await record(service, 7) == {"id": 7, "name": "user 7"}
