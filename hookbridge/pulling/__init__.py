"""Changes that are taken from an outbox at Supabase, instead of being sent by it: nothing has to reach us from outside.

One node does it for all tables with ``pull = true``.
"""

from __future__ import annotations

from hookbridge.pulling.task import Pulling

__all__ = ["Pulling"]
