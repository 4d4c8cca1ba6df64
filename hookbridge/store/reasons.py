"""Which reasons are of one kind: those that differ in numbers and ids only.  Pure.

``no user 41`` and ``no user 42`` have one cause, and who repairs it wants both.  The line of a file stays: two lines
are two causes.  Postgres has the same expression (``reason_kind_1`` in ``schema/functions/listings.sql``).
"""

from __future__ import annotations

import re

KIND_CHARACTERS_MAX = 200

# The alternatives never begin at one place with the longer one behind: Postgres takes the longest, Python the first.
_DIFFERS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32,}|(?<!py:)(?<![0-9])[0-9]+"
)


def kind(reason: str | None) -> str:
    """Give what reasons of this one's kind have in common; of a kind it is the kind itself."""
    return _DIFFERS.sub("\N{HORIZONTAL ELLIPSIS}", reason or "")[:KIND_CHARACTERS_MAX]
