"""What the reconciler has read already: an event that carries the truth of its listing.

The record need not be read a second time, as long as that was a moment ago and nothing else has said anything about it:
the ticket of the listing travels with it, so that it never overwrites what was read later.  It is the body of such an
event; nothing else has this format.
"""

from __future__ import annotations

import msgspec

from hookbridge.clock import happened
from hookbridge.model import CLAIMED_EVENTS_MAX, Change, Content, Event, Truth

FORMAT = "reconciler"

CARRIED_BYTES_MAX = 64 * 1024
"""A larger record is read again instead of lying in the inbox."""

CARRIED_SECONDS_MAX = 60.0
"""An event that waited longer (in a paused lane, as a dead letter) says no more than that its record differed once."""

READ_BY = ("poll", "sweep")
"""A replay of such an event reads again."""


class _Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    ticket: int
    changed_at: str | None
    fingerprint: bytes
    data: msgspec.Raw
    content: Content | None = None
    lacks_content: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Carried).decode


def body_of(truth: Truth | None) -> bytes:
    """Give the body that carries a truth; an empty one where there is nothing to carry, not all of it, or too much."""
    if truth is None or truth.data is None or (truth.partial and not truth.lacks_content):
        return b""
    if len(truth.data) > CARRIED_BYTES_MAX:
        return b""
    data, rest = msgspec.Raw(truth.data), (truth.content, truth.lacks_content)
    body = _encode(_Carried(truth.ticket, truth.changed_at, truth.fingerprint, data, *rest))
    return body if truth.content is None or len(body) <= CARRIED_BYTES_MAX else b""


def carried(event: Event) -> Truth | None:
    """Give the truth that an event carries, whatever has happened since."""
    if event.format != FORMAT or not event.body:
        return None
    found = _decode(event.body)
    return Truth(
        record=event.record,
        data=bytes(found.data),
        changed_at=found.changed_at,
        fingerprint=found.fingerprint,
        ticket=found.ticket,
        content=found.content,
        partial=found.lacks_content,
        lacks_content=found.lacks_content,
    )


def truth_of(change: Change, now: float) -> Truth | None:
    """Give the truth that the newest event carries, if all events are the reconciler's and it is the last word."""
    if len(change.events) >= CLAIMED_EVENTS_MAX:
        return None  # of so many events the oldest are not loaded
    if any(one.event.format != FORMAT or one.event.origin not in READ_BY for one in change.events):
        return None
    came = happened(change.newest.received_at, now)
    if came is None or now - came > CARRIED_SECONDS_MAX:
        return None
    found = carried(change.newest.event)
    if found is None or (change.copy is not None and change.copy.ticket > found.ticket):
        return None
    return found
