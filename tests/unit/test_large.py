"""Large documents: whoever works on one lets the event loop go on, and garbage is looked for again afterwards."""

import asyncio
import gc
import threading
from collections.abc import Awaitable

import msgspec
import pytest

from hookbridge.config import Secrets, SignaturesConfig, SupabaseConfig
from hookbridge.model import Change, Content, Copy, Effects, RecordKey, StoredEvent, Truth, Verification
from hookbridge.pipeline.receive import receive
from hookbridge.sources.contents import content_of
from hookbridge.sources.kept import kept_aside
from hookbridge.sources.large import LARGE_BYTES_MIN, aside
from hookbridge.sources.source import Delivery, unordered
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.steps.cache import Cache
from hookbridge.steps.index import Index
from hookbridge.steps.step import Step
from hookbridge.steps.verify import Verify

RECORD = RecordKey("supabase", "public.users", "7")
SOURCE = SupabaseSource(SupabaseConfig(), SignaturesConfig(), Secrets(), unordered)


def where() -> tuple[int, bool]:
    return threading.get_ident(), gc.isenabled()


async def test_work_on_a_large_document_is_done_in_a_thread_uncollected() -> None:
    here = threading.get_ident()
    assert await aside(LARGE_BYTES_MIN - 1, where) == (here, True)
    thread, collected = await aside(LARGE_BYTES_MIN, where)
    assert (thread == here, collected) == (False, False)
    assert gc.isenabled()


@pytest.mark.parametrize("size", [0, LARGE_BYTES_MIN])
async def test_what_the_work_raises_is_raised_and_garbage_is_looked_for_again(size: int) -> None:
    with pytest.raises(ZeroDivisionError):
        await aside(size, divmod, 1, 0)
    assert gc.isenabled()


async def test_however_many_work_at_once_garbage_is_looked_for_when_they_are_done() -> None:
    meet = threading.Barrier(3, timeout=10)
    await asyncio.gather(*(aside(LARGE_BYTES_MIN, meet.wait) for _ in range(3)))
    assert gc.isenabled()


async def went_on(work: Awaitable[object]) -> bool:
    """Whether the event loop did something else before the work was done."""
    others: list[str] = []
    asyncio.get_running_loop().call_soon(others.append, "something else")
    await work
    return bool(others)


def change_of(numbers: int) -> Change:
    """Give the change of a webhook whose row has so many numbers."""
    row = {"id": 7, "numbers": list(range(numbers)), "text": "words"}
    body = {"type": "UPDATE", "table": "users", "schema": "public", "record": row, "old_record": None}
    received = receive(SOURCE, {}, msgspec.json.encode(body), 0.0)
    assert isinstance(received, Delivery)
    return Change(record=RECORD, events=(StoredEvent(id=1, received_at=0.0, event=received.events[0]),))


@pytest.mark.parametrize(("numbers", "expected"), [(1, False), (20_000, True)])
async def test_no_step_on_a_large_record_keeps_the_event_loop(numbers: int, expected: object) -> None:
    change, effects = change_of(numbers), Effects()
    steps: list[Step] = [Verify(SOURCE), Cache(SOURCE, unordered, None), Index(SOURCE)]
    for step in steps:
        assert await went_on(step(change, effects)) is expected
        effects = await step(change, effects)
    assert effects.verification is Verification.SKIPPED
    assert effects.document is not None
    assert effects.document.properties == "words"
    assert isinstance(effects.copy, Copy)
    assert effects.copy.data is not None
    assert len(msgspec.json.decode(effects.copy.data)["numbers"]) == numbers


@pytest.mark.parametrize(("characters", "expected"), [(1, False), (LARGE_BYTES_MIN, True)])
async def test_a_long_text_behind_a_record_keeps_the_event_loop_from_nothing(characters: int, expected: object) -> None:
    content = Content(markdown="*" * characters, truncated=False, edited_at=None)
    truth = Truth(record=RECORD, data=b'{"id":7}', ticket=1, content=content)
    assert await went_on(kept_aside(SOURCE, truth, 0.0)) is expected
    assert content_of((await kept_aside(SOURCE, truth, 0.0)).copy) == content


async def test_a_large_truth_is_as_large_as_a_large_event() -> None:
    data = msgspec.json.encode({"id": 7, "text": "long " * 20_000})
    truth = Truth(record=RECORD, data=data, ticket=1)
    effects = Effects(truth=truth, columns=SOURCE.truth_columns(truth))
    assert await went_on(Index(SOURCE)(change_of(1), effects))
