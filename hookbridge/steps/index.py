"""``index_update``: the words by which search finds the record.

It says what they are now; whether the index has others, the store knows.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import Change, Effects
from hookbridge.sources import contents, kept
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source
from hookbridge.steps.step import bytes_of


class Index:
    """The step for one source."""

    name = "index_update"

    def __init__(self, source: Source) -> None:
        self._source = source

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Add the document; one without words takes the record out of the index."""
        record = change.record if so_far.truth is None else so_far.truth.record
        truth = None if so_far.truth is None else so_far.truth.data
        content = contents.content_of(change.copy if so_far.copy is None else so_far.copy)
        size = bytes_of(change, truth) + (0 if content is None else len(content.markdown))
        document = await aside(size, kept.document_of, self._source, record, so_far.columns, content)
        return msgspec.structs.replace(so_far, document=document)
