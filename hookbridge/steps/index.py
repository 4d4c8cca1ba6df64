"""``index_update``: the words by which search finds the record.

Words that did not change are not written again: an entry costs more than all the rest of a settlement.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import Change, Document, Effects
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.source import Source


class Index:
    """The step for one source."""

    name = "index_update"

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Add the document, if its words changed."""
        words = "" if so_far.columns is None else self._source.words(change.record, so_far.columns)
        if words == self._words_before(change):
            return so_far
        return msgspec.structs.replace(so_far, document=Document(change.record, words))

    def _words_before(self, change: Change) -> str:
        previous = change.previous
        if previous is None or previous.data is None:
            return ""
        return self._source.words(change.record, decode_columns(previous.data))
