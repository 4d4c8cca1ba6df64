"""A machine that loses its power at each kill: what was written and not synced is gone.

``forget.c`` notes the old bytes of unsynced writes while the service runs; ``lose_power`` puts them back after a kill.
It forgets all unsynced writes, where a real disk keeps some of them: a promise that holds here holds there for what was
synced, and it says nothing of a disk that lies about its syncs.  Names are not forgotten: that a file was made, renamed
or removed stays, synced or not.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

NOTE = struct.Struct("qqq")

NEVER_SYNCED = """
from hookbridge.cli.main import app
from hookbridge.store.sqlite import file

connect = file.connect


def careless(path):
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


file.connect = careless
app()
"""
"""A hookbridge that never syncs: the test must find out."""


def environment(folder: Path, library: Path) -> dict[str, str]:
    """Give what a service needs whose data lies below ``folder``, and make the place of the notes."""
    notes = folder / "unsynced"
    notes.mkdir()
    return {
        "LD_PRELOAD": str(library),
        "FORGET_FOLDER": f"{folder.resolve()}/data/",
        "FORGET_NOTES": str(notes),
    }


def lose_power(folder: Path) -> int:
    """Put back what was not synced when the process died; gives how many writes that were."""
    data = folder / "data"
    files = {str(path.stat().st_ino): path for path in data.iterdir()} if data.exists() else {}
    undone = 0
    for notes in (folder / "unsynced").iterdir():
        if notes.name in files:
            undone += _undo(files[notes.name], notes.read_bytes())
        notes.unlink()
    return undone


def _undo(path: Path, notes: bytes) -> int:
    records = []
    at = 0
    while at < len(notes):
        offset, size, length = NOTE.unpack_from(notes, at)
        at += NOTE.size
        records.append((offset, size, notes[at : at + length]))
        at += length
    with path.open("r+b") as file:
        for offset, size, old in reversed(records):
            os.pwrite(file.fileno(), old, offset)
            file.truncate(size)
    return len(records)
