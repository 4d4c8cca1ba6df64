"""For tests of handlers, without a service: a change as the service would give it, and a call as it would make it.

It reads no source and keeps nothing.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from hookbridge.handlers import EVENTS, Bridge, Handler, bridge, name_of
from hookbridge.model import (
    SOURCES,
    Change,
    Columns,
    Content,
    Copy,
    Event,
    RecordKey,
    SourceName,
    StoredEvent,
    Truth,
    Verification,
)
from hookbridge.names import table_of

_encode = msgspec.json.Encoder(decimal_format="number").encode


def change(  # noqa: PLR0913  as much as a change has
    source: SourceName = "supabase",
    table: str = "users",
    id: object = 1,  # noqa: A002  as a record's key calls it
    *,
    event: str = "update",
    columns: Columns | None = None,
    previous: Columns | None = None,
    content: str | None = None,
    verification: Verification | None = None,
    attempt: int = 1,
) -> Change:
    """Make the change of one record by one event, as a handler is given it.

    ``table`` as ``bridge.on`` takes it, ``event`` ``insert``, ``update`` or ``delete``; ``columns`` is the record as it
    is now (None: it is gone), ``previous`` as it was in the copy, ``content`` the markdown of a page's body.  Without a
    ``verification`` it is ``verified``, or ``absent`` where there are no columns.

    Raises ValueError for a source or an event that there cannot be.
    """
    if source not in SOURCES:
        msg = f"there is no source {source!r}; expected {' or '.join(SOURCES)}"
        raise ValueError(msg)
    if event not in EVENTS:
        msg = f"there is no event {event!r}; expected {', '.join(EVENTS)}"
        raise ValueError(msg)
    record = RecordKey(source, table_of(source, table), str(id))
    now = time.time()
    if verification is None:
        verification = Verification.ABSENT if columns is None else Verification.VERIFIED
    asked = verification is not Verification.SKIPPED
    body = {"event_type": event, "source": source, "table_name": table, "record_id": str(id), "data": columns or {}}
    hint = Event(record=record, type=event, format="guide", body=_encode(body))
    return Change(
        record=record,
        events=(StoredEvent(id=1, event=hint, received_at=now),),
        copy=None if previous is None else Copy(record=record, data=_encode(previous), read_at=now),
        attempt=attempt,
        truth=Truth(record=record, data=None if columns is None else _encode(columns)) if asked else None,
        verification=verification,
        columns=columns,
        previous=previous,
        content=None if content is None else Content(markdown=content, truncated=False, edited_at=None),
    )


def run(handler: Handler, change: Change, *, bridge: Bridge = bridge, timeout_seconds: float = 30.0) -> None:
    """Call a handler with a change, and return when it has ended; in an async test, await the handler itself.

    Raises what the handler raises, TimeoutError when it takes longer, and AssertionError when the service would not
    call it for this change, because it is registered for others at ``bridge``.
    """
    if handler in bridge.handlers() and handler not in bridge.matching(change):
        given = f"{change.type} of {change.record}"
        msg = f"{name_of(handler)} is not called for this change ({given}): its @bridge.on names others"
        raise AssertionError(msg)

    async def called() -> None:
        async with asyncio.timeout(timeout_seconds):
            await handler(change)

    asyncio.run(called())
