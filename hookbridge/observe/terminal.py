"""What a terminal would take for a command, in texts that others wrote."""

from __future__ import annotations

import re

TURNS = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""What turns the direction of writing, within a regular expression's brackets."""

_UNESCAPED = re.compile(rf"[\x7f-\x9f\u2028\u2029{TURNS}]")


def harmless(json: str) -> str:
    """Give the same JSON without control characters: those below the space are escaped in any, these need not be.

    The separators of lines and paragraphs among them: many a reader takes what stands behind one for another line.
    And those that turn the direction of writing: behind one, a line shows in another order than it has.
    """
    if json.isascii() and "\x7f" not in json:
        return json
    return _UNESCAPED.sub(lambda one: f"\\u{ord(one[0]):04x}", json)
