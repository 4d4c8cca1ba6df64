"""Requests that wait: whatever their work raises in the end, asyncio has nothing to log."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from hookbridge.web.listening import Listening


async def fails_when(event: asyncio.Event) -> None:
    await event.wait()
    raise ConnectionError


async def fails_at_its_end(_: asyncio.Event) -> None:
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        raise ConnectionError


async def is_cancelled(waits: asyncio.Task[bool], event: asyncio.Event) -> None:
    event.set()
    await asyncio.sleep(0)  # its work has failed, and whoever waits has not heard of it
    waits.cancel()
    await asyncio.wait({waits})
    assert waits.cancelled()


async def is_over(waits: asyncio.Task[bool], _: asyncio.Event) -> None:
    assert not await waits


@pytest.mark.parametrize(
    ("work", "seconds", "ends"),
    [
        (fails_when, None, is_cancelled),
        (fails_at_its_end, None, is_cancelled),
        (fails_at_its_end, 0.01, is_over),
    ],
)
async def test_what_is_waited_for_no_longer_may_fail(
    work: Callable[[asyncio.Event], Any], seconds: float | None, ends: Callable[..., Any]
) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, failure: failures.append(failure))
    event = asyncio.Event()
    waits = asyncio.create_task(Listening().unless_over(work(event), seconds))
    await asyncio.sleep(0.01)
    await ends(waits, event)
    del waits
    gc.collect()
    assert failures == []


async def test_what_fails_while_it_is_waited_for_is_said() -> None:
    event = asyncio.Event()
    event.set()
    with pytest.raises(ConnectionError):
        await Listening().unless_over(fails_when(event))
