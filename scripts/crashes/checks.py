"""What is on disk after a blow: every acknowledged event, nothing half-stored, books that balance, copies that agree.

It reads the data file beside the service and writes nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

import msgspec

from hookbridge.model import CLAIMED_EVENTS_MAX

_REACHED = """
WITH RECURSIVE chain (id) AS (
    SELECT head FROM dirty
    UNION ALL
    SELECT events.previous FROM events JOIN chain ON events.id = chain.id WHERE events.previous IS NOT NULL
)
SELECT count(*) FROM chain JOIN events USING (id) WHERE outcome IS NULL
"""
"""The open events that a worker will find: from each dirty record along its list."""


_HANDLED = """
SELECT id FROM (
    SELECT id, row_number() OVER (PARTITION BY record, claimed_at, settled_at ORDER BY id DESC) AS place
    FROM events WHERE outcome IN ('applied', 'coalesced')
) WHERE place <= ?
"""
"""The events that a handler was given: of a longer burst it gets the newest alone."""


class Acknowledged(msgspec.Struct, frozen=True):
    """What a line of the senders' journal says."""

    id: int
    identity: bytes
    sent_at: float
    """Before it was first sent, by this machine's clock: it cannot have been settled earlier."""
    acknowledged_at: float
    record: str

    @classmethod
    def of(cls, line: str) -> Acknowledged:
        """Read a line."""
        id_, identity, sent_at, acknowledged_at, record = line.split()
        return cls(int(id_), bytes.fromhex(identity), float(sent_at), float(acknowledged_at), record)


def lost(data: Path, acknowledged: Iterable[Acknowledged], kept_since: float) -> tuple[list[int], int]:
    """Give the acknowledged events that are not there, or are not what was sent.

    What was sent before ``kept_since`` may be missing, because retention may have removed it; the second value is the
    number of those, which ``uncounted`` alone stands for.
    """
    with closing(_connect(data)) as connection:
        found = dict(connection.execute("SELECT id, identity FROM events"))
    missing = [one for one in acknowledged if found.get(one.id) != one.identity]
    # An event that is there under another identity was not removed, it was never what was sent.
    lost_ = [one.id for one in missing if one.sent_at >= kept_since or one.id in found]
    return lost_, len(missing) - len(lost_)


def identities(data: Path) -> set[bytes | None]:
    """Give the identities of all events that are there."""
    with closing(_connect(data)) as connection:
        return {identity for (identity,) in connection.execute("SELECT identity FROM events")}


def uncounted(data: Path, acknowledged: int) -> list[str]:
    """Say that the books know of fewer events than were ever acknowledged (duplicates aside)."""
    received = books(data).get("received", 0)
    if received >= acknowledged:
        return []
    return [f"{acknowledged} events were acknowledged and the books have received {received}"]


def removed(data: Path) -> int:
    """Give how many events retention has removed: those that were counted and are there no more."""
    with closing(_connect(data)) as connection:
        connection.execute("BEGIN")
        (there,) = connection.execute("SELECT count(*) FROM events").fetchone()
        (received,) = connection.execute("SELECT sum(value) FROM counters WHERE name = 'received'").fetchone()
    return int(received or 0) - int(there)


def first_event(data: Path) -> int | None:
    """Give the smallest id: it moves when retention removes."""
    with closing(_connect(data)) as connection:
        (first,) = connection.execute("SELECT min(id) FROM events").fetchone()
    return None if first is None else int(first)


def broken(data: Path) -> list[str]:
    """Say what is half-stored or does not add up."""
    with closing(_connect(data)) as connection:
        connection.execute("BEGIN")  # one moment for all of it
        (is_open,) = connection.execute("SELECT count(*) FROM events WHERE outcome IS NULL").fetchone()
        (reached,) = connection.execute(_REACHED).fetchone()
        (dead,) = connection.execute("SELECT count(*) FROM events WHERE outcome = 'dead'").fetchone()
        books = {name: int(value) for name, value in connection.execute("SELECT name, value FROM counters")}
        (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    settled = sum(books.get(name, 0) for name in ("applied", "coalesced", "ignored", "dead"))
    found = []
    if dead:
        found.append(f"{dead} events are dead letters")
    if reached != is_open:
        found.append(f"{is_open} events are open and {reached} of them can be claimed")
    if (books.get("open", 0), books.get("dead", 0)) != (is_open, dead):
        found.append(f"the books say {books.get('open', 0)} open, {books.get('dead', 0)} dead: {is_open}, {dead} are")
    if books.get("received", 0) != books.get("open", 0) + settled:
        found.append(f"the books do not balance: {books}")
    if sound != "ok":
        found.append(f"the file is damaged: {sound}")
    return found


def books(data: Path) -> dict[str, int]:
    """Give the counters."""
    with closing(_connect(data)) as connection:
        return {name: int(value) for name, value in connection.execute("SELECT name, value FROM counters")}


def copies(data: Path) -> list[tuple[str, bytes, str | None]]:
    """Give what the copies are: of each record its data, and the text behind it."""
    with closing(_connect(data)) as connection:
        return connection.execute(
            "SELECT source || ':' || table_name || ':' || record_id, data, content FROM copies WHERE data IS NOT NULL"
        ).fetchall()


def differing(data: Path, state: dict[str, dict[str, str]]) -> list[str]:
    """Name the records whose copy or words are not what their source says; ``state``: the text of every record."""
    with closing(_connect(data)) as connection:
        rows = connection.execute(
            "SELECT source, record_id, data, content, words.title || ' ' || words.properties || ' ' || words.body"
            " FROM copies LEFT JOIN words ON words.rowid = copies.words WHERE data IS NOT NULL"
        ).fetchall()
    return compared(
        {(source, id_): (text_of(source, data, content), words or "") for source, id_, data, content, words in rows},
        state,
    )


def compared(copies: Mapping[tuple[str, str], tuple[str, str]], state: dict[str, dict[str, str]]) -> list[str]:
    """Hold each copy's text and words against what its source says."""
    truths = {(source, record): text for source, records in state.items() for record, text in records.items()}
    found = [f"{name} is copied and not there" for name in copies.keys() - truths.keys()]
    for name, text in truths.items():
        copy, words = copies.get(name, (None, ""))
        if copy != text:
            found.append(f"{name} is {text} and its copy is {copy}")
        elif not set(text.split()) <= set(words.split()):
            found.append(f"{name} is {text} and found by {words!r}")
    return found


class Effects:
    """What the service's handler wrote down: a line for each event of each of its calls."""

    def __init__(self, folder: Path) -> None:
        self.again = 0
        """Calls for an event that it was called for before."""
        self._folder = folder
        self._known: set[int] = set()
        self._sizes: dict[str, int] = {}

    @property
    def events(self) -> int:
        """How many events it was called for."""
        return len(self._known)

    @property
    def known(self) -> frozenset[int]:
        """Those events."""
        return frozenset(self._known)

    def read(self) -> None:
        """Read what was written since the last time."""
        for log in self._folder.glob("effects-*.log"):
            before = self._sizes.get(log.name, 0)
            if log.stat().st_size > before:
                with log.open("rb") as file:
                    file.seek(before)
                    lines = file.read().splitlines()
                    self._sizes[log.name] = file.tell()
                ids = {int(line) for line in lines}
                self.again += len(lines) - len(ids) + len(ids & self._known)
                self._known |= ids

    def missing(self, data: Path) -> list[str]:
        """Name the events that are settled as applied and had no effect: it is to come at least once, and before."""
        with closing(_connect(data)) as connection:
            settled = [id_ for (id_,) in connection.execute(_HANDLED, (CLAIMED_EVENTS_MAX,))]
        return [f"event {id_} was applied without its effect" for id_ in settled if id_ not in self._known]


def text_of(source: str, data: bytes, content: str | None = None) -> str:
    """Give the text that the world wrote into a record, with that of its body where this is given too."""
    values = json.loads(data)
    if source == "supabase":
        return str(values["name"])
    name = "".join(part["plain_text"] for part in values["properties"]["Name"]["title"])
    return name if content is None else f"{name} {json.loads(content)['markdown']}"


def _connect(data: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{data}?mode=ro", uri=True, timeout=30.0)
