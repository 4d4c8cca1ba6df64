"""The totals behind ``/stats``: which counter of a store is which."""

from __future__ import annotations

from collections.abc import Mapping

from hookbridge.model import Books
from hookbridge.store.values import Totals


def totals(counters: Mapping[str, float]) -> Totals:
    """Make the totals of the counters by name."""

    def number(name: str) -> int:
        return int(counters.get(name, 0))

    def group(prefix: str) -> dict[str, int]:
        return {name.removeprefix(prefix): int(value) for name, value in counters.items() if name.startswith(prefix)}

    return Totals(
        books=Books(
            received=number("received"),
            open=number("open"),
            applied=number("applied"),
            coalesced=number("coalesced"),
            ignored=number("ignored"),
            dead=number("dead"),
        ),
        duplicates=number("duplicates"),
        processed=number("processed"),
        failed=number("failed"),
        retries=number("retries"),
        changes=number("changes"),
        processing_seconds=counters.get("processing_seconds", 0.0),
        by_type=group("type:"),
        by_source=group("source:"),
        by_verification=group("verification:"),
        by_origin=group("received:"),
        by_outcome=group("settled:"),
        announced=group("announced:"),
        missed=group("missed:"),
    )
