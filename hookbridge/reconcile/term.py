"""The time in which this process follows a source: what it writes meanwhile, it writes with that lead.

Invariant: a term has one lead, or none where nobody else could follow; whoever goes on with a pass of an earlier term
writes with the earlier lead, which fails.
"""

from __future__ import annotations

import asyncio

from hookbridge.store.nodes import Lead


class Term:
    """One of them, or the time before the first."""

    def __init__(self) -> None:
        self.lead: Lead | None = None
        self.begun = asyncio.Event()

    def begin(self, lead: Lead | None) -> None:
        """Begin: from now on it can be written."""
        self.lead = lead
        self.begun.set()
