"""Sweeps that are asked for by what a source said of itself: a table was emptied, or changes were not kept.

Invariant: what ``ask`` has returned from is done, whichever node reconciles and however often that ends in between: the
request is a note, and a sweep that began later and was complete is what answers it.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import SourceName
from hookbridge.store import note_names
from hookbridge.store.contract import Notes
from hookbridge.store.nodes import Lead


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one table."""

    number: int = 0
    """Of the last request."""
    confirmed: int = 0
    """Of the last one that says that what is gone is really gone."""


_decode = msgspec.json.Decoder(Asked).decode


def read(words: str | None) -> Asked:
    """Read a note; no request where there is none."""
    return Asked() if words is None else _decode(words)


async def ask(notes: Notes, source: SourceName, table: str, *, confirmed: bool, lead: Lead | None) -> None:
    """Ask for a sweep of a table, durably.  ``confirmed``: the database itself says that its rows are gone.

    Whoever asks has a lead, so that nobody else writes the note.  Raises LeadLost, StoreUnavailable.
    """
    name = note_names.asked_sweep(source, table)
    before = read(await notes.note(name))
    number = before.number + 1
    after = Asked(number=number, confirmed=number if confirmed else before.confirmed)
    await notes.put_note(name, msgspec.json.encode(after).decode(), lead=lead)
