"""What the one process of a SQLite file does alone, and what it is asked: in memory, because both end with it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hookbridge.errors import LeadLost
from hookbridge.store.nodes import Ask, Lead


class Duties:
    """Those of one process."""

    def __init__(self) -> None:
        self._epochs = itertools.count(1)
        self.held: dict[str, Lead] = {}
        self.asks: dict[int, Ask] = {}
        self.answers: dict[int, str] = {}
        self.numbers = itertools.count(1)

    def take(self, duties: Sequence[str]) -> None:
        """Do these and no others."""
        self.held = {duty: self.held.get(duty) or Lead(duty, next(self._epochs)) for duty in duties}

    def require(self, lead: Lead | None) -> None:
        """Raise LeadLost unless this lead is held, or none is needed."""
        if lead is not None and self.held.get(lead.duty) != lead:
            raise LeadLost(lead.duty)
