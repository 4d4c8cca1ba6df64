"""What an operator sees of a lane."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from hookbridge.model import SourceName
from hookbridge.pipeline.waits import WaitingTable

State = Literal["running", "down", "refused", "paused"]


class LaneState(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sees of a lane."""

    source: SourceName
    state: State
    """``down``: the source cannot be reached; ``refused``: it refuses our key; ``paused``: an operator paused it."""
    reason: str | None
    """Why it is in this state; null while it runs."""
    since: datetime | None
    """Since when it does not run; null while it runs."""
    next_probe_at: datetime | None
    """When its source is asked next; null where nothing has to be waited for."""
    queued: int
    """Records that wait for a worker."""
    busy: int
    """Workers that have a record."""
    has_credentials: bool
    """Whether the source can be read."""
    waiting: tuple[WaitingTable, ...]
    """Tables that cannot be read now, while others can."""
