"""What search finds a record by, in the order in which it counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import msgspec

WORDS_MAX = 64 * 1024
"""Characters of one record in the index."""


class Fields(msgspec.Struct, frozen=True):
    """The text of a record."""

    title: str = ""
    """Its name for people."""
    properties: str = ""
    """What its columns or properties say beside the title, a value a line."""
    body: str = ""
    """What is written in it."""

    @classmethod
    def within(cls, title: str, properties: Iterable[str]) -> Self:
        """Make them of what a record says, cut where the index takes no more of it: the title goes first."""
        title = title[:WORDS_MAX]
        return cls(title, "\n".join(properties)[: WORDS_MAX - len(title)])

    @property
    def texts(self) -> tuple[str, str, str]:
        """The texts in their order: a word of the title counts before one of the properties, and so on."""
        return self.title, self.properties, self.body
