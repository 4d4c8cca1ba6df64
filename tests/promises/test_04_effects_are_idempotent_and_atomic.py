"""Rule 4: copy, index and outcome are written together or not at all; handlers come at least once, before."""

from pathlib import Path

from tests.support.books import balanced, event, hint, send, settled
from tests.support.handling import Handling
from tests.support.processes import process
from tests.support.running import Client, make_settings, running
from tests.support.waiting import wait_until

# A handler that leaves a mark and then lets the process die, as long as nobody has died yet.
DYING = """
import os
from pathlib import Path
from hookbridge import bridge

@bridge.on("supabase")
async def handle(change):
    with Path("marks").open("a") as marks:
        marks.write(change.columns["name"] + "\\n")
    if len(Path("marks").read_text().splitlines()) == 1:
        os.kill(os.getpid(), 9)
"""


async def seen(service: Client, table: str) -> tuple[int, int]:
    """The status of the record, and how often search finds it."""
    record = await service.get(f"/api/v1/records/supabase/{table}/1")
    found = await (await service.get("/api/v1/search?q=Ada")).json()
    return record.status, len(found["hits"])


async def test_copy_index_and_outcome_appear_together_after_the_handlers(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as service:
        user.module.gate.clear()
        id_ = await send(service, hint(1, table=user.table, data={"name": "Ada"}))
        await wait_until(lambda: user.module.running)
        assert await seen(service, user.table) == (404, 0)
        assert (await event(service, id_))["state"] == "open"
        user.module.gate.set()
        assert await settled(service) == {"received": 1, "applied": 1}
        assert await seen(service, user.table) == (200, 1)


async def test_a_change_that_fails_leaves_neither_copy_nor_words(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as service:
        user.module.failures += [ValueError("the handler's own")] * 3
        await send(service, hint(1, table=user.table, data={"name": "Ada"}))
        assert await settled(service) == {"received": 1, "dead": 1}
        assert await seen(service, user.table) == (404, 0)
        assert [change.attempt for change in user.module.calls] == [1, 2, 3]


async def test_a_handler_is_called_again_when_the_process_dies_before_its_change_is_settled(tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    environ = {"HOOKBRIDGE_HANDLERS__MODULE": "dying"}
    async with process(tmp_path, environ) as service:
        await send(service, hint(1, data={"name": "Ada"}))
        assert await service.ended() == -9
    assert (tmp_path / "marks").read_text() == "Ada\n"
    async with process(tmp_path, environ) as service:
        assert await settled(service) == {"received": 1, "applied": 1}
        assert (tmp_path / "marks").read_text() == "Ada\nAda\n"
        assert await seen(service, "users") == (200, 1)
        assert await balanced(service) == {"received": 1, "applied": 1}
