"""No handler takes the service with it, whatever it raises and whatever it makes of being cancelled."""

import asyncio
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.books import event, hint, send, settled
from tests.support.metrics import scrape
from tests.support.processes import process
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

BEGINNING = """
import asyncio
import sys
import threading
import time

from hookbridge import bridge, PermanentFailure

gate = asyncio.Event()
calls = []
"""


class Wrong:
    """A module on disk whose handlers go wrong, on tables that only this test has."""

    def __init__(self, folder: Path, *bodies: str) -> None:
        self.name = f"wrong_{uuid.uuid4().hex[:12]}"
        self.table = f"t_{self.name}"
        text = BEGINNING
        for number, body in enumerate(bodies):
            which = number or ""
            text += f'\n\n@bridge.on("supabase", table="{self.table}{which}")\nasync def handle{which}(change):\n'
            text += "    calls.append(change)\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"
        (folder / f"{self.name}.py").write_text(text)

    @property
    def module(self) -> Any:  # noqa: ANN401  a module's names are its own
        """What the service imported."""
        return sys.modules[self.name]

    def line(self, folder: Path, text: str) -> str:
        """The place of a line of it, as reasons name it."""
        lines = (folder / f"{self.name}.py").read_text().splitlines()
        return f"{self.name}.py:{next(number for number, line in enumerate(lines, 1) if text in line)}"


@asynccontextmanager
async def serving(folder: Path, wrong: Wrong, **more: dict[str, Any]) -> AsyncIterator[Running]:
    """A service with this module and one worker for each source."""
    processing = {"workers": 1, "queue_size": 1, "max_attempts": 2}
    handlers = {"module": wrong.name, **more.pop("handlers", {})}
    async with running(make_settings(folder, handlers=handlers, processing=processing, **more)) as service:
        yield service


GROUP = """
async def ends(error):
    raise error
async with asyncio.TaskGroup() as group:
    group.create_task(ends({}))
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('nope')", "KeyError: 'nope'"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("sys.exit('no')", "SystemExit: no"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise type('PanicException', (BaseException,), {})('index out of bounds')", "PanicException: index out of"),
        ("raise BaseExceptionGroup('two', [KeyboardInterrupt(), SystemExit()])", "BaseExceptionGroup: two"),
        ("asyncio.current_task().cancel()\nawait asyncio.sleep(0)", "CancelledError"),
        ("asyncio.current_task().cancel()", "CancelledError"),
        ("raise asyncio.CancelledError", "CancelledError"),
        (GROUP.format("SystemExit(3)"), "started ended with SystemExit"),
        (GROUP.format("KeyboardInterrupt()"), "started ended with KeyboardInterrupt"),
        (GROUP.format("ValueError('mine')"), "ValueError: mine"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", "Odd: (its text cannot be shown)"),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: sys.exit()})", "Odd: (its text cannot be shown)"),
        ("from hookbridge.errors import SourceUnavailable\nraise SourceUnavailable('mine')", "SourceUnavailable: mine"),
        ("return 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
async def test_whatever_a_handler_ends_with_is_that_changes_failure_and_others_go_on(
    tmp_path: Path, body: str, said: str
) -> None:
    wrong = Wrong(tmp_path, body, "pass")
    async with serving(tmp_path, wrong) as service:
        bad = await send(service, hint(1, table=wrong.table))
        good = await send(service, hint(1, table=f"{wrong.table}1"))
        assert await settled(service) == {"received": 2, "applied": 1, "dead": 1}
        told = await event(service, bad)
        assert (told["outcome"], told["attempts"]) == ("dead", 2)
        assert told["reason"].startswith(f"handle ({wrong.name}.py"), told["reason"]
        assert said in told["reason"]
        assert [one["error"] for one in told["failures"]] == [told["reason"]] * 2
        assert (await event(service, good))["outcome"] == "applied"
        assert {lane.state for lane in service.service.lane_states()} == {"running"}


@pytest.mark.parametrize("body", ["raise KeyboardInterrupt", GROUP.format("KeyboardInterrupt()")])
async def test_a_process_survives_what_would_end_it(tmp_path: Path, body: str) -> None:
    wrong = Wrong(tmp_path, body)
    environ = {"HOOKBRIDGE_HANDLERS__MODULE": wrong.name, "HOOKBRIDGE_PROCESSING__RETRY_DELAY_SECONDS": "0"}
    async with process(tmp_path, environ) as service:
        await send(service, hint(1, table=wrong.table))
        assert await settled(service) == {"received": 1, "dead": 1}
        service.terminate()
        assert await service.ended() == 0


STRANGER = """
class Stranger:
    __getattr__ = __await__ = __iter__ = lambda self, *_: self
    def __next__(self):
        return None
    def throw(self, *_):
        raise asyncio.CancelledError
await Stranger()
"""


async def test_what_a_handler_waits_for_may_be_anything_and_its_time_ends_all_the_same(tmp_path: Path) -> None:
    wrong = Wrong(tmp_path, STRANGER)
    async with serving(tmp_path, wrong, handlers={"timeout_seconds": 0.2}) as service:
        id_ = await send(service, hint(1, table=wrong.table))
        assert await settled(service) == {"received": 1, "dead": 1}
        reason = (await event(service, id_))["reason"]
        assert reason == f"handle ({wrong.line(tmp_path, 'await S')}): TimeoutError: it did not end within 0.2 s"
        assert [one for one in asyncio.all_tasks() if one.get_name() == "handler"] == []


async def test_permanent_failure_is_final_also_from_a_task_group(tmp_path: Path) -> None:
    plainly = "raise PermanentFailure('no email', hint='give it one')"
    wrong = Wrong(tmp_path, plainly, GROUP.format("PermanentFailure('no')"))
    async with serving(tmp_path, wrong) as service:
        plain = await send(service, hint(1, table=wrong.table))
        grouped = await send(service, hint(1, table=f"{wrong.table}1"))
        await settled(service)
        told = [await event(service, one) for one in (plain, grouped)]
    place = wrong.line(tmp_path, "no email")
    assert told[0]["reason"] == f"handle ({place}): PermanentFailure: no email; try: give it one"
    assert [one["attempts"] for one in told] == [1, 1]


SWALLOWS = """
while not gate.is_set():
    try:
        await gate.wait()
    except asyncio.CancelledError:
        pass
"""


async def test_a_handler_that_takes_no_cancellation_is_told_of_and_has_failed_when_it_ends(tmp_path: Path) -> None:
    wrong = Wrong(tmp_path, SWALLOWS, "pass")
    async with serving(tmp_path, wrong, handlers={"timeout_seconds": 0.05, "concurrency": 1}) as service:
        name = f"handle ({wrong.name}.py)"
        assert (await scrape(service))("stuck_workers", handler=name) == 0
        bad = await send(service, hint(1, table=wrong.table))

        async def ready() -> Any:  # noqa: ANN401  JSON
            return await (await service.get("/readyz")).json()

        async def is_stuck() -> bool:
            return bool((await ready())["stuck_handlers"])

        await wait_until(is_stuck)
        found = await ready()
        (stuck,) = found["stuck_handlers"]
        where = f"handle ({wrong.line(tmp_path, 'await gate.wait()')})"
        assert (stuck["handler"], stuck["workers"]) == (where, 1)
        assert stuck["waiting_seconds"] >= 0
        assert found["ready"] is True
        assert any(where in warning for warning in found["warnings"])
        assert (await scrape(service))("stuck_workers", handler=name) == 1
        assert (await event(service, bad))["outcome"] is None  # nothing else is done to its record meanwhile
        wrong.module.gate.set()
        await settled(service)
        told = await event(service, bad)
        assert (told["outcome"], told["attempts"]) == ("applied", 2)
        assert told["failures"][0]["error"] == f"{where}: TimeoutError: it did not end within 0.05 s"
        assert (await ready())["stuck_handlers"] == []
        assert (await scrape(service))("stuck_workers", handler=name) == 0


async def test_a_stuck_handler_keeps_no_place_that_another_source_could_have(tmp_path: Path) -> None:
    wrong = Wrong(tmp_path, SWALLOWS)
    text = (tmp_path / f"{wrong.name}.py").read_text()
    other = f'\n\n@bridge.on("notion", table="{wrong.table}")\nasync def page(change):\n    calls.append(change)\n'
    (tmp_path / f"{wrong.name}.py").write_text(text + other)
    async with serving(tmp_path, wrong, handlers={"timeout_seconds": 0.05, "concurrency": 1}) as service:
        await send(service, hint(1, table=wrong.table))
        await wait_until(lambda: service.service.stuck_workers()[f"handle ({wrong.name}.py)"])
        page = await send(service, hint("p", table=wrong.table, source="notion"), source="notion")

        async def applied() -> bool:
            return bool((await event(service, page))["outcome"] == "applied")

        await wait_until(applied)
        wrong.module.gate.set()
        await settled(service)


async def test_a_handler_that_swallows_its_cancellation_and_returns_has_taken_too_long(tmp_path: Path) -> None:
    wrong = Wrong(tmp_path, "try:\n    await gate.wait()\nexcept asyncio.CancelledError:\n    return")
    async with serving(tmp_path, wrong, handlers={"timeout_seconds": 0.05}) as service:
        bad = await send(service, hint(1, table=wrong.table))
        assert await settled(service) == {"received": 1, "dead": 1}
        place = wrong.line(tmp_path, "await gate.wait()")
        told = await event(service, bad)
        assert told["reason"] == f"handle ({place}): TimeoutError: it did not end within 0.05 s"


CANCELS_WORKERS = """
if len(calls) == 1:
    for task in asyncio.all_tasks():
        if task.get_name() == "supabase-worker-0":
            task.cancel()
"""


async def test_a_worker_that_is_cancelled_is_replaced_and_its_record_is_worked_on_again(tmp_path: Path) -> None:
    wrong = Wrong(tmp_path, CANCELS_WORKERS)
    with capture_logs() as lines:
        processing = {"workers": 1, "queue_size": 4, "lease_seconds": 0.1}
        settings = make_settings(tmp_path, handlers={"module": wrong.name}, processing=processing)
        async with running(settings) as service:
            await send(service, hint(1, table=wrong.table))
            await wait_until(lambda: any(one["event"].startswith("A worker was cancelled") for one in lines))
            await send(service, hint(2, table=wrong.table))
            await wait_until(lambda: any(change.record.id == "2" for change in wrong.module.calls))
            service.service.lanes["supabase"].wake()

            async def all_done() -> bool:
                service.service.lanes["supabase"].wake()  # the lease has ended, and nobody says so
                return service.service.store.open_events == 0

            await wait_until(all_done)
            assert await settled(service) == {"received": 2, "applied": 2}


async def test_a_handler_that_blocks_the_loop_is_named_while_it_does_and_its_lag_is_a_figure(tmp_path: Path) -> None:
    wrong = Wrong(tmp_path, "let_go.wait(60)")
    with capture_logs() as lines:

        def told(event: str) -> list[Any]:
            return [
                one for one in lines if one["event"].startswith(event) and (one["handler"] or "").startswith("hand")
            ]

        def lets_go_when_told() -> None:
            while not told("The event loop is blocked") and watching:
                time.sleep(0.01)
            wrong.module.let_go.set()

        async with serving(tmp_path, wrong) as service:
            watching = True
            wrong.module.let_go = threading.Event()
            watcher = threading.Thread(target=lets_go_when_told)
            watcher.start()
            await send(service, hint(1, table=wrong.table))
            await settled(service)  # 60 s later, if it was not told of
            watching = False
            watcher.join()
            await wait_until(lambda: told("The event loop was blocked"))
            (during,), (after,) = told("The event loop is blocked"), told("The event loop was blocked")
            assert during["handler"] == after["handler"] == f"handle ({wrong.line(tmp_path, 'let_go.wait')})"
            assert lines.index(during) < lines.index(after)
            assert after["blocked_seconds"] > 1
            seen = await scrape(service)
            assert seen.total("loop_lag_seconds_count") > seen.total("loop_lag_seconds_bucket", le="1.0")


@pytest.mark.parametrize(
    "body",
    [
        "while True:\n    try:\n        await gate.wait()\n    except asyncio.CancelledError:\n        pass",
        "await asyncio.to_thread(threading.Event().wait)",
        "time.sleep(3600)",
        "while True: pass",
    ],
    ids=["swallows", "waits in a thread", "sleeps", "spins"],
)
async def test_sigterm_ends_the_process_whatever_a_handler_does(tmp_path: Path, body: str) -> None:
    wrong = Wrong(tmp_path, "print('called', flush=True)\n" + body)
    environ = {
        "HOOKBRIDGE_HANDLERS__MODULE": wrong.name,
        "HOOKBRIDGE_SERVER__SHUTDOWN_DEADLINE_SECONDS": "0.1",
    }
    async with process(tmp_path, environ) as service:
        await send(service, hint(1, table=wrong.table))
        await wait_until(lambda: service.said("called"))
        service.terminate()
        assert await service.ended() == 1
        assert any(line["event"].startswith("Ended by force: something did not end") for line in service.log)
    async with process(tmp_path) as service:  # without the handler
        assert await settled(service) == {"received": 1, "applied": 1}
