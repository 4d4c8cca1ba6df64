"""Tickets for a source without a store."""

import itertools

from hookbridge.sources.source import Tickets


def counting() -> Tickets:
    """1, 2, 3 …"""
    numbers = itertools.count(1)

    async def ticket() -> int:
        return next(numbers)

    return ticket
