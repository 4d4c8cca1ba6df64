"""The outbox in the project's own database, as hookbridge takes from it: two functions, asked by either of two ways.

``trigger-sql --pull`` makes them.  ``hookbridge_take`` leases messages in the order of each record, ``hookbridge_done``
removes them; a lease that ends gives its messages again.  Invariants: an answer is understood whole or refused; what is
not known to be removed is given again.  Nothing is decided about messages here.
"""

from __future__ import annotations

from hookbridge.sources.supabase.pull.outbox import (
    LEASE_SECONDS,
    MESSAGES_MAX,
    Outbox,
    OverDataApi,
    OverDatabase,
)
from hookbridge.sources.supabase.pull.taken import RUN_AGAIN, Message, Taken, by_its_keys, decoded, emptied_table, read

__all__ = [
    "LEASE_SECONDS",
    "MESSAGES_MAX",
    "RUN_AGAIN",
    "Message",
    "Outbox",
    "OverDataApi",
    "OverDatabase",
    "Taken",
    "by_its_keys",
    "decoded",
    "emptied_table",
    "read",
]
