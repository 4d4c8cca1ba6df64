"""What has no form in a text of Postgres fails alone: its neighbours in the group are stored."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from hookbridge.errors import StoreError, StoreUnavailable
from hookbridge.model import Effects, Event, Failure, Outcome, Settled
from hookbridge.store.postgres import PostgresStore
from tests.support.events import copy, effects, event, key, settlement
from tests.support.stores import books

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

ODD = {
    "a zero": event("a\0b"),
    "half a character": event("\ud800"),
    "a zero in the type": event("type", type="\0"),
    "a zero in the sender's time": event("time", occurred_at="2026\0"),
    "half a character in a reason": event("reason", ignored="\udfff"),
    "a name longer than an index takes": event("".join(chr(0x4E00 + n) for n in range(5_000))),
}


async def fails(work: Awaitable[object]) -> bool:
    try:
        await work
    except StoreUnavailable:
        raise
    except StoreError:
        return True
    return False


async def test_of_appends_of_one_moment_those_that_cannot_be_stored_fail_alone(url: str, opened: Opened) -> None:
    store = await opened(url)
    hints: list[Event] = []
    for odd in ODD.values():
        hints += [event(f"before {len(hints)}"), odd, event(f"after {len(hints)}")]
    failed = await asyncio.gather(*[fails(store.append([hint], 1.0)) for hint in hints])
    assert [hint for hint, has in zip(hints, failed, strict=True) if has] == list(ODD.values())
    assert await books(store) == {"received": 2 * len(ODD), "open": 2 * len(ODD)}


async def test_of_settlements_of_one_moment_those_that_cannot_be_stored_fail_alone(url: str, opened: Opened) -> None:
    store = await opened(url)
    await store.append([event(n) for n in range(5)], 1.0)
    claims = {one.record.id: one for one in await store.claim("supabase", 10, lease_seconds=60.0)}
    ticket = await store.ticket()
    ends = [settlement(claims[str(n)], effects=effects(copy(key(n), ticket))) for n in range(5)]
    ends[1] = settlement(claims["1"], effects=effects(copy(key(1), ticket, changed_at="\0")))
    ends[3] = settlement(claims["3"], effects=Effects(stale_keys=("\ud800",)))
    assert await asyncio.gather(*[fails(store.settle(end)) for end in ends]) == [False, True, False, True, False]
    assert await books(store) == {"received": 5, "open": 2, "applied": 3}
    assert [await store.settle(settlement(claims[n])) for n in "13"] == [Settled.DONE, Settled.DONE]


@pytest.mark.parametrize("error", ["it says \0", "ü"])
async def test_what_an_attempt_failed_of_is_noted_whatever_it_says(url: str, opened: Opened, error: str) -> None:
    store = await opened(url)
    (receipt,) = await store.append([event()], 1.0)
    (claim,) = await store.claim("supabase", 10, lease_seconds=60.0)
    failure = Failure(number=1, began_at=claim.claimed_at, ended_at=claim.claimed_at, error=error, traceback=error)
    assert await store.settle(settlement(claim, Outcome.DEAD, reason=error, failures=(failure,))) is Settled.DONE
    found = await store.event(receipt.event_id)
    assert found is not None
    shown = error.replace("\0", "␀")
    assert found.reason == shown
    assert [(one.error, one.traceback) for one in await store.failures(found)] == [(shown, shown)]
