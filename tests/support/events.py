"""Events, copies and settlements with what a test does not care about filled in.

`changes` are further fields of the struct, by name.
"""

from msgspec.structs import replace

from hookbridge.model import (
    Claim,
    Copy,
    Document,
    Effects,
    Event,
    Outcome,
    RecordKey,
    Settlement,
    SourceName,
    StoredEvent,
    Verification,
)
from hookbridge.text import tokens

USERS = "public.users"


def key(id_: object = 1, *, table: str = USERS, source: SourceName = "supabase") -> RecordKey:
    """The name of a record."""
    return RecordKey(source, table, str(id_))


def event(id_: object = 1, *, table: str = USERS, source: SourceName = "supabase", **changes: object) -> Event:
    """One hint about record `id_`: an update in the guide's format that cannot name itself."""
    return replace(Event(record=key(id_, table=table, source=source), type="update", format="guide"), **changes)


def stored(id_: int = 1, hint: Event | None = None, **changes: object) -> StoredEvent:
    """An event as the inbox gives it."""
    return replace(StoredEvent(id=id_, event=hint or event(), received_at=0.0), **changes)


def claim(*events: StoredEvent, **changes: object) -> Claim:
    """A claim of these events (of one, when none is given), as a store would give it."""
    given = events or (stored(),)
    types: dict[str, int] = {}
    for one in given:
        types[one.event.type] = types.get(one.event.type, 0) + 1
    newest = given[-1]
    made = Claim(
        record=newest.event.record, version=len(given), generation=1, head=newest.id, types=types, events=given
    )
    return replace(made, **changes)


def copy(record: RecordKey, ticket: int, data: bytes | None = b"{}", **changes: object) -> Copy:
    """A record as it was read."""
    return replace(Copy(record=record, data=data, fingerprint=b"f", ticket=ticket, read_at=1.0), **changes)


def document_of(record: RecordKey, text: str) -> Document:
    """The index entry of a record whose only column says this."""
    return Document(record, properties=" ".join(tokens(text)))


def effects(what: Copy, text: str | None = None, *, exclusive: bool = False) -> Effects:
    """The writing of a copy, and of its words when there is a text."""
    document = None if text is None else document_of(what.record, text)
    return Effects(verification=Verification.VERIFIED, copy=what, document=document, exclusive=exclusive)


def settlement(taken: Claim, outcome: Outcome = Outcome.APPLIED, **changes: object) -> Settlement:
    """The end of a claimed change."""
    return replace(Settlement(claim=taken, outcome=outcome), **changes)
