"""What is on disk after a blow: every acknowledged event, nothing half-stored, books that balance, copies that agree.

It reads the data file beside the service and writes nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

_REACHED = """
WITH RECURSIVE chain (id) AS (
    SELECT head FROM dirty
    UNION ALL
    SELECT events.previous FROM events JOIN chain ON events.id = chain.id WHERE events.previous IS NOT NULL
)
SELECT count(*) FROM chain JOIN events USING (id) WHERE outcome IS NULL
"""
"""The open events that a worker will find: from each dirty record along its list."""


def lost(data: Path, acknowledged: Iterable[tuple[int, bytes]]) -> list[int]:
    """Give the acknowledged events that are not there, or are not what was sent."""
    with closing(_connect(data)) as connection:
        found = dict(connection.execute("SELECT id, identity FROM events"))
    return [id_ for id_, identity in acknowledged if found.get(id_) != identity]


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


def differing(data: Path, state: dict[str, dict[str, str]]) -> list[str]:
    """Name the records whose copy or words are not what their source says; ``state``: the text of every record."""
    with closing(_connect(data)) as connection:
        rows = connection.execute(
            "SELECT source, record_id, data, text FROM copies LEFT JOIN words ON words.rowid = copies.id"
            " WHERE data IS NOT NULL"
        ).fetchall()
    copies = {(source, record): (_text_of(source, data), words or "") for source, record, data, words in rows}
    truths = {(source, record): text for source, records in state.items() for record, text in records.items()}
    found = [f"{name} is copied and not there" for name in copies.keys() - truths.keys()]
    for name, text in truths.items():
        copy, words = copies.get(name, (None, ""))
        if copy != text:
            found.append(f"{name} is {text} and its copy is {copy}")
        elif text not in words.split():
            found.append(f"{name} is {text} and found by {words!r}")
    return found


def effects(folder: Path) -> tuple[int, int]:
    """Give how many changes had an effect outside, and how many had it more than once."""
    calls = [call for log in sorted(folder.glob("effects-*.log")) for call in log.read_text().split()]
    return len(set(calls)), len(calls) - len(set(calls))


def _text_of(source: str, data: bytes) -> str:
    values = json.loads(data)
    if source == "supabase":
        return str(values["name"])
    return "".join(part["plain_text"] for part in values["properties"]["Name"]["title"])


def _connect(data: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{data}?mode=ro", uri=True, timeout=30.0)
