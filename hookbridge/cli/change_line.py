"""A change of the feed as one line of a log, with its colours, and as JSON; each with what became of it.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hookbridge.api.changes import DeleteEntry, SnapshotEnd, UpsertEntry
from hookbridge.api.destinations import SnapshotBegin
from hookbridge.cli.event_line import stamp
from hookbridge.cli.titles import called

Told = UpsertEntry | DeleteEntry | SnapshotBegin | SnapshotEnd

NAMES: Mapping[type[Told], str] = {
    kind: str(kind.__struct_config__.tag) for kind in (UpsertEntry, DeleteEntry, SnapshotBegin, SnapshotEnd)
}
STYLES: Mapping[type[Told], str] = {UpsertEntry: "green", DeleteEntry: "magenta"}


class Forwarded(msgspec.Struct, frozen=True, kw_only=True):
    """How the message with a change was taken."""

    status: int
    seconds: float
    message_id: str


def parts_of(entry: Told, forwarded: Forwarded | None) -> Iterator[tuple[str, str]]:
    """Give the parts of its line with their styles: when, what, how it was taken, which record, and its title."""
    if isinstance(entry, SnapshotBegin | SnapshotEnd):
        ends = ": what you have and was not told since its beginning is gone" if isinstance(entry, SnapshotEnd) else ""
        yield f"-- {NAMES[type(entry)].replace('_', ' ')}{ends}", "dim"
        return
    yield f"{stamp(entry.settled_at)} ", "dim"
    yield f"{NAMES[type(entry)]} ", STYLES[type(entry)]
    if forwarded is not None:
        yield f"{forwarded.status} ", "cyan"
        yield f"{forwarded.seconds * 1000:5.0f} ms ", "dim"
    title = called(entry)
    yield f"{entry.source}:{entry.table}:{entry.id}", ""
    yield f" {title}" if title else "", "bold"


def json_of(entry: Told, forwarded: Forwarded | None) -> dict[str, Any]:
    """Give it as the feed has it, and in ``forwarded`` how it was taken."""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    given = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    return {"type": NAMES[type(entry)], **given, **({} if forwarded is None else {"forwarded": forwarded})}
