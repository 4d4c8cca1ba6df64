"""What a terminal would take for a command, in texts that others wrote."""

from __future__ import annotations

import re

_UNESCAPED = re.compile(r"[\x7f-\x9f\u2028\u2029]")


def harmless(json: str) -> str:
    """Give the same JSON without control characters: those below the space are escaped in any, these need not be.

    The separators of lines and paragraphs among them: many a reader takes what stands behind one for another line.
    """
    if json.isascii() and "\x7f" not in json:
        return json
    return _UNESCAPED.sub(lambda one: f"\\u{ord(one[0]):04x}", json)
