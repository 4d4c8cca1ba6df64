"""What a proof says, line by line: how far it is, one line for each table, and the verdict."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hookbridge.model import SourceName


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress"):
    """How far the comparison of a table is."""

    source: SourceName
    table: str
    compared: int
    total: int | None
    """How many records the source says that there are; None where it does not say."""


class TableProof(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="table"):
    """What the comparison of one table showed."""

    source: SourceName
    table: str
    as_of: datetime
    """The copy is as described at this time, or at a later one."""
    equal: int
    differing: int
    missing: int
    """In the source, not in the copy."""
    extra: int
    """In the copy, not in the source."""
    cut: int
    """Equal as far as they could be read, which is not all of them (relations of very many pages)."""
    keys: dict[str, tuple[str, ...]]
    """The ids of what is not equal, by kind; the first 1,000 of each."""
    healed: int = 0
    """Records that differed and are equal now."""

    @property
    def agrees(self) -> bool:
        """Whether copy and source are equal: what could not be compared whole is not known to be."""
        return not (self.differing or self.missing or self.extra or self.cut)


class Unproven(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="unproven"):
    """A table that could not be compared to its end; the others are."""

    source: SourceName
    table: str
    message: str
    """Why."""
    hint: str
    """What to do about it; empty where that is not known."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="result"):
    """The last line of a proof."""

    agrees: bool
    """Whether copy and source of every table are equal."""
    as_of: datetime | None
    """Of the oldest of the comparisons; null where none could be finished."""
    cut: int
    """How many records could not be read whole, and are not known to be equal."""
    tables: int
    """How many were compared."""
    unproven: int
    """How many could not be."""


Line = Progress | TableProof | Unproven | Verdict
