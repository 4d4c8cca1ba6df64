"""Short words for what tests do with a store again and again."""

from msgspec.structs import asdict

from hookbridge.model import Claim, Event, Outcome, RecordKey, Settled, SourceName
from hookbridge.pipeline.settle import settle
from hookbridge.store.contract import Copies, Store
from hookbridge.text import parse
from tests.support.engines import at, while_at
from tests.support.events import settlement

LEASE = 60.0


async def add(store: Store, *events: Event, at: float = 1.0) -> tuple[int, ...]:
    """Append the events as one request, at that time by every clock; gives their ids."""
    with while_at(store, at):
        return tuple(receipt.event_id for receipt in await store.append(events, at))


async def take(
    store: Store, *, now: float = 100.0, limit: int = 100, source: SourceName = "supabase", lease: float = LEASE
) -> tuple[Claim, ...]:
    """Claim."""
    return await at(store, now).claim(source, limit, lease_seconds=lease)


async def take_one(store: Store, *, now: float = 100.0, source: SourceName = "supabase") -> Claim:
    """Claim the only record that can be claimed."""
    (claim,) = await take(store, now=now, source=source)
    return claim


async def finish(store: Store, *claims: Claim, outcome: Outcome = Outcome.APPLIED, now: float = 101.0) -> list[Settled]:
    """Settle."""
    return [await settle(at(store, now), settlement(claim, outcome, reason="why")) for claim in claims]


async def bury(store: Store, *events: Event) -> tuple[int, ...]:
    """Append the events, each as a change of its own, and let them become dead letters; gives their ids."""
    ids: tuple[int, ...] = ()
    for event in events:
        ids += await add(store, event)
        await finish(store, *await take(store, source=event.record.source), outcome=Outcome.DEAD)
    return ids


async def books(store: Store) -> dict[str, int]:
    """The books without what is zero, after making sure that they balance."""
    written = (await store.totals()).books
    assert written.balanced(), written
    return {name: value for name, value in asdict(written).items() if value}


def ids(claim: Claim) -> list[int]:
    """The ids of a claim's events, in their order."""
    return [one.id for one in claim.events]


async def matching(
    store: Copies, text: str, *, source: SourceName | None = None, table: str | None = None
) -> list[RecordKey]:
    """The records whose words match, the newest change first."""
    return [copy.record for copy in (await store.candidates(parse(text), source=source, table=table)).copies]
