"""What was asked: the words that must occur, and those that must not.

``ada love`` both words, the last may be a beginning · ``"ada lovelace"`` next to each other · ``-byron`` without it.
Any text is a query.  Invariant: one without a word that must occur finds nothing.
"""

from __future__ import annotations

import re

import msgspec

from hookbridge.text.tokens import asked

_ITEM = re.compile(r'(?P<without>-?)["“”„](?P<phrase>[^"“”„]*)["“”„]?|(?P<word>[^\s\x00-\x1f]+)')


class Term(msgspec.Struct, frozen=True):
    """Tokens next to each other."""

    tokens: tuple[str, ...]
    """At least one."""
    beginning: bool = False
    """Whether the last one may be the beginning of a longer one."""


class Query(msgspec.Struct, frozen=True):
    """What a record must have, and what it must not have."""

    terms: tuple[Term, ...] = ()
    """All of them, in one field or in several."""
    without: tuple[Term, ...] = ()
    """None of them."""


def parse(text: str) -> Query:
    """Read a query."""
    items = [_Item(found) for found in _ITEM.finditer(text)]
    items = [item for item in items if item.tokens]
    terms = [item for item in items if not item.is_without]
    last = terms[-1] if terms else None
    return Query(
        tuple(dict.fromkeys(Term(item.tokens, item.begins(is_last=item is last)) for item in terms)),
        tuple(dict.fromkeys(Term(item.tokens, item.tail == "character") for item in items if item.is_without)),
    )


class _Item:
    """One word or phrase, as it was asked."""

    def __init__(self, found: re.Match[str]) -> None:
        self.is_phrase = found["word"] is None
        said = found["phrase"] if self.is_phrase else found["word"]
        self.is_without = found["without"] == "-" if self.is_phrase else said.startswith("-")
        tokens, self.tail = asked(said)
        self.tokens = tuple(tokens)

    def begins(self, *, is_last: bool) -> bool:
        """Whether its last token may be a beginning; words of Korean have their endings written to them."""
        if self.is_phrase or self.tail in {"character", "run"}:
            return self.tail == "character"
        return is_last or self.tail == "hangul"
