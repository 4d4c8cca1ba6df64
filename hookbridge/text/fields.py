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

    cut: bool = False
    """Whether the record says more than this."""

    @classmethod
    def within(cls, title: str, properties: Iterable[str], body: str = "") -> Self:
        """Make them of what a record says, cut where the index takes no more of it: title, properties, then the body.

        Of the body ``WORDS_MAX`` characters and one more are enough.
        """
        said = "\n".join(properties)
        is_cut = len(title) + len(said) + len(body) > WORDS_MAX
        title = title[:WORDS_MAX]
        said = said[: WORDS_MAX - len(title)]
        return cls(title, said, body[: WORDS_MAX - len(title) - len(said)], is_cut)

    @property
    def texts(self) -> tuple[str, str, str]:
        """The texts in their order: a word of the title counts before one of the properties, and so on."""
        return self.title, self.properties, self.body
