"""What is shown of a record that was found: the text around the words, each in ``[`` and ``]``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain, islice

import msgspec

from hookbridge.text.fields import Fields
from hookbridge.text.letters import DROPPED, fold
from hookbridge.text.query import Query
from hookbridge.text.rank import number_of_terms, starts
from hookbridge.text.tokens import TOKENS_MAX, placed, tokens

CHARACTERS = 120
"""About so much is shown."""

BEFORE = 30
"""So much of it before the first match."""

ELLIPSIS = "…"

_PIECE_CHARACTERS = 400
"""A long text is looked at in pieces of about so much."""

_SEGMENT = re.compile(r"\S+")

# What is folded together with the character before it: marks, joiners, the dots of half-wide kana, parts of syllables.
_CLUSTER = re.compile(f"(?s:.)[{DROPPED}\u200d\uff9e\uff9f\u3099\u309a\u1160-\u11ff]*")


class _Span(msgspec.Struct, frozen=True):
    start: int
    end: int
    term: int


class _Text:
    """A field's text, and the tokens of its pieces.

    To say where tokens stand takes twenty times as long as to say which there are, so that is done of a part alone.
    """

    def __init__(self, text: str) -> None:
        self.text = _plain(text)
        self._ends = [0]
        self._written: list[list[str]] = []
        left = TOKENS_MAX  # behind them no word is found
        while self._ends[-1] < len(self.text):
            start = self._ends[-1]
            space = self.text.find(" ", start + _PIECE_CHARACTERS)
            self._ends.append(len(self.text) if space < 0 else space)
            self._written.append(tokens(self.text[start : self._ends[-1]], left))
            left -= len(self._written[-1])

    def number_of_terms(self, query: Query) -> int:
        """Say how many of the words that must occur it has."""
        return number_of_terms(query, [*chain.from_iterable(self._written)])

    def spans(self, query: Query) -> list[_Span]:
        """Say where the words stand, in the part from where on most of them are; the first such place."""
        written = [*self._written, []]
        pieces = range(len(self._written))
        best = max(pieces, key=lambda one: number_of_terms(query, written[one] + written[one + 1]), default=0)
        return _spans(query, self.text, self._ends[best], self._ends[min(best + 3, len(pieces))])


def snippet(query: Query, fields: Fields) -> str:
    """Show the field with the most of the words, the first one of several, there where most of them are."""
    best = max(map(_Text, fields.texts), key=lambda one: (one.number_of_terms(query), bool(one.text)))
    spans = best.spans(query)
    start, end = _window(best.text, spans)
    return _marked(best.text, start, end, spans)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _spans(query: Query, text: str, begin: int, end: int) -> list[_Span]:
    """Say where the terms stand in a part of a text."""
    found = list(islice(_placed_tokens(text[begin:end]), TOKENS_MAX))
    words = [token for token, _, _ in found]
    return sorted(
        (
            _Span(begin + found[at][1], begin + found[at + len(term.tokens) - 1][2], number)
            for number, term in enumerate(query.terms)
            for at in starts(term, words)
        ),
        key=lambda span: (span.start, span.end),
    )


def _placed_tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Give the tokens of a text, with where each stands in it as it is written."""
    if (folded := _one_by_one(text)) is not None:
        yield from placed(folded)
        return
    for segment in _SEGMENT.finditer(text):
        if (folded := _one_by_one(segment[0])) is not None:
            yield from ((token, segment.start() + start, segment.start() + end) for token, start, end in placed(folded))
            continue
        folded, origins = _folded(segment[0])
        for token, start, end in placed(folded):
            yield token, segment.start() + origins[start][0], segment.start() + origins[end - 1][1]


def _one_by_one(text: str) -> str | None:
    """Fold a text in which each character becomes one, which is where it was; None for any other."""
    folded = fold(text)
    return folded if len(folded) == len(text) and folded == text.casefold() else None


def _folded(segment: str) -> tuple[str, Sequence[tuple[int, int]]]:
    """Fold what stands between two spaces; give for each character that comes of it from where to where it is of."""
    folded = fold(segment)
    pieces: list[str] = []
    origins: list[tuple[int, int]] = []
    for cluster in _CLUSTER.finditer(segment):
        piece = fold(cluster[0])
        pieces.append(piece)
        origins += [cluster.span()] * len(piece)
    if "".join(pieces) == folded:
        return folded, origins
    return folded, [(0, len(segment))] * len(folded)  # together they fold otherwise than one by one


def _window(text: str, spans: Sequence[_Span]) -> tuple[int, int]:
    """Choose what is shown: from a match on, as many terms as can be; whole words where there are spaces."""
    if len(text) <= CHARACTERS:
        return 0, len(text)

    def terms_from(span: _Span) -> int:
        return len({other.term for other in spans if span.start <= other.start < span.start + CHARACTERS - BEFORE})

    first = max(spans[:200], key=terms_from).start if spans else 0
    start = min(max(0, first - BEFORE), len(text) - CHARACTERS)
    end = min(len(text), start + CHARACTERS)
    if start and (space := text.find(" ", start, first)) >= 0:
        start = space + 1
    if end < len(text) and (space := text.rfind(" ", first + 1, end)) > first + BEFORE:
        end = space
    return start, end


def _marked(text: str, start: int, end: int, spans: Sequence[_Span]) -> str:
    parts = [ELLIPSIS] if start else []
    at = start
    for span_start, span_end in _joined(spans):
        first, last = max(span_start, at), min(span_end, end)
        if first < last:
            parts += [text[at:first], "[", text[first:last], "]"]
            at = last
    parts.append(text[at:end])
    return "".join(parts) + (ELLIPSIS if end < len(text) else "")


def _joined(spans: Sequence[_Span]) -> Iterator[tuple[int, int]]:
    """Give spans that overlap as one."""
    reached: tuple[int, int] | None = None
    for span in spans:
        if reached is not None and span.start < reached[1]:
            reached = reached[0], max(reached[1], span.end)
            continue
        if reached is not None:
            yield reached
        reached = span.start, span.end
    if reached is not None:
        yield reached
