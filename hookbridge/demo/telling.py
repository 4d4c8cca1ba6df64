"""What the demonstration says: one line for a reader, with the figures in it for a program.  Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

Kind = Literal[
    "started",
    "dashboard",
    "loaded",
    "edited",
    "killed",
    "delivered",
    "returned",
    "down",
    "waiting",
    "apart",
    "up",
    "differing",
    "proven",
    "books",
    "stopped",
]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened."""

    kind: Kind
    text: str
    round: int = 0
    """0 for what is before the first round, or after the last one."""
    figures: Mapping[str, int] = {}
    source: str = ""
    url: str = ""


Tell = Callable[[Line], None]


def counted(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"
