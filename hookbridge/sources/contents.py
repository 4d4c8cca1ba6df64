"""The text behind a record as it is kept: a ``Content`` as JSON, in one column beside the record.

Pure.  Whoever shows, indexes or compares it asks here.
"""

from __future__ import annotations

import msgspec

from hookbridge.model import Content, Copy

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Content).decode


def stored(content: Content | None) -> str | None:
    """Give the text to store."""
    return None if content is None else _encode(content).decode()


def given(content: Content | None) -> Content | None:
    """Give what there is to read of it; None where its source gives none."""
    return None if content is None or content.refused is not None else content


def content_of(copy: Copy | None) -> Content | None:
    """Give what a copy has of the text behind its record, also why its source gives none; None until it was read."""
    return None if copy is None or copy.content is None else _decode(copy.content)
