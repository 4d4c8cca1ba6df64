"""What search finds a record by, in the order in which it counts."""

from __future__ import annotations

import msgspec


class Fields(msgspec.Struct, frozen=True):
    """The text of a record."""

    title: str = ""
    """Its name for people."""
    properties: str = ""
    """What its columns or properties say beside the title, a value a line."""
    body: str = ""
    """What is written in it."""

    @property
    def texts(self) -> tuple[str, str, str]:
        """The texts in their order: a word of the title counts before one of the properties, and so on."""
        return self.title, self.properties, self.body
