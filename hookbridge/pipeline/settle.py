"""Settling: the end of a change, written with its effects in one transaction.

Only this module ends events.  A settlement that the store cannot take now (disk full) is kept and offered again: the
work is done, and the record stays claimed meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from hookbridge.errors import StoreUnavailable
from hookbridge.model import Settled, Settlement
from hookbridge.store.contract import Claims

_WAIT_SECONDS_MAX = 5.0

_log = structlog.get_logger(__name__)


async def settle(
    store: Claims,
    settlement: Settlement,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Settled:
    """Write the settlement, however long the store refuses.  Gives what it met there.

    Raises StoreError when the store can never hold it.
    """
    wait, told = 0.1, False
    while True:
        try:
            # A long burst takes several calls: what else is written gets its turn between two of them.
            while (met := await store.settle(settlement)) is Settled.MORE:
                pass
            return met
        except StoreUnavailable as error:
            tell = _log.debug if told else _log.error  # once: an outage would fill the log with itself
            told = True
            tell(
                "Settling waits for the store",
                record=str(settlement.claim.record),
                error=error.message,
                hint=error.hint,
            )
            await sleep(wait)
            wait = min(wait * 2, _WAIT_SECONDS_MAX)
