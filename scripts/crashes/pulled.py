"""What was taken from the outbox and said to be stored: each such change has to be among the events.

The sources write a line for each message that is done; here it is read what they wrote.
"""

from __future__ import annotations

import time
from collections.abc import Set as AbstractSet
from pathlib import Path

from scripts.crashes.setup import RETAINED_SECONDS


def journal_of(journal: Path) -> Path:
    """Give the file of the messages that are done, beside the one of what was acknowledged."""
    return journal.with_name(f"{journal.name}-pulled")


class Pulled:
    """The messages that are done."""

    def __init__(self, journal: Path) -> None:
        """``journal`` is that of what was acknowledged."""
        self.done = 0
        """How many."""
        self._journal = journal_of(journal)
        self._read = 0
        self._young: dict[bytes, float] = {}
        """When those were written, by their identity, which retention may not have removed at the last look."""

    def read(self) -> None:
        """Read what is done since the last time; what is stored is to be looked at afterwards."""
        with self._journal.open() as journal:
            journal.seek(self._read)
            lines = journal.readlines()
            self._read = journal.tell()
        self.done += len(lines)
        for line in lines:
            identity, written_at = line.split()
            self._young[bytes.fromhex(identity)] = float(written_at)

    def lost(self, stored: AbstractSet[bytes | None]) -> list[str]:
        """Name the messages that are done and are no events; ``stored`` are the identities of those that there are."""
        kept_since = time.time() - RETAINED_SECONDS  # earlier ones retention may have removed
        self._young = {identity: at for identity, at in self._young.items() if at >= kept_since}
        return [f"a change {one.hex()} was taken and is not there" for one in self._young if one not in stored]
