"""The engine for several machines: what it costs beside the SQLite engine, and what its server does for an event."""

from collections.abc import Callable, Mapping

from scripts.benchmarks.postgres import acks, changes, claims, events, nodes
from scripts.benchmarks.row import Options, Row


def groups() -> Mapping[str, Callable[[Options], list[Row]]]:
    """Give what is measured by its name."""
    return {
        "acks": acks.measure,
        "events": events.measure,
        "claims": claims.measure,
        "nodes": nodes.measure,
        "changes": changes.measure,
    }
