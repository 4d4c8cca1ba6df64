"""Statements whose parameters are gathered with their conditions (``?``), as Postgres numbers them (``$1``)."""

from __future__ import annotations

import itertools
import re


def numbered(sql: str) -> str:
    """Number the parameters of a statement in their order."""
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)
