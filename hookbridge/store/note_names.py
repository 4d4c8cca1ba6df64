"""The names of stored notes, all of them: they are on users' disks.

A name that changes loses what is stored under it, unless a schema step of every engine renames it: a lane that an
operator had paused went on after an update, because its note was looked for under another name.  Whoever changes one
here adds that step, and the new name to ``tests/store/test_note_names.py``.
"""

from __future__ import annotations

from hookbridge.model import SourceName

STARTS = "starts"
"""How often the store was opened."""
CHECKED = "checked"
"""Written to see whether that is possible."""
NOTION_TOKEN = "notion-verification-token"  # noqa: S105  the note's name
"""The token that Notion's handshake brought."""
RUNS = "runs"
"""From when to when the service ran, for retention."""
INDEX = "index"
"""How far the index is made anew."""
LEFTOVERS = "leftovers"
"""Up to which sweep and proof it is looked next for what nobody goes on with."""

ALERTS = "alerts"
"""What people were told of trouble, and what they are to be told."""

MIGRATION = "migration"
"""How far a data file was carried into this store."""


def paused(source: SourceName) -> str:
    """That an operator has paused a lane."""
    return f"paused:{source}"


def poll(source: SourceName, table: str) -> str:
    """Where the polls of a table stand."""
    return f"poll:{source}:{table}"


def sweep(source: SourceName, table: str) -> str:
    """Where the sweeps of a table stand."""
    return f"sweep:{source}:{table}"


PULL = "pull"
"""Up to where the losses of the outbox at Supabase were made good, and for which store it was taken from."""


def asked_sweep(source: SourceName, table: str) -> str:
    """Which sweep of a table is asked for, by what a source said of itself."""
    return f"sweep-asked:{source}:{table}"


OF_DESTINATIONS = "destination"
"""How the names of all notes about destinations begin, and of no others."""


def destination(name: str) -> str:
    """Where a destination stands."""
    return f"destination:{name}"


def word_on_destination(name: str) -> str:
    """What operators have said of a destination."""
    return f"destination-word:{name}"


def wanted(name: str) -> str:
    """When a node last had a destination in its configuration."""
    return f"destination-wanted:{name}"
