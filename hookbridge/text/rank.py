"""Whether a record has what was asked, and how well.

Better is, in this order: fewer words that only the body has · fewer that the title does not have · the title is what
was asked, no more · fewer words that are only beginnings · all words next to each other, as asked · the first of them
stands earlier.  What is the same in all of that is in the order of the engines: the newest change first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from hookbridge.text.fields import Fields
from hookbridge.text.query import Query, Term
from hookbridge.text.tokens import TOKENS_MAX, tokens


class Rank(msgspec.Struct, frozen=True, order=True):
    """How well a record has what was asked; the smaller, the better."""

    only_in_body: int
    not_in_title: int
    is_not_title: bool
    beginnings: int
    apart: bool
    first_at: int

    @property
    def score(self) -> float:
        """One number that is larger for a better one; it says as much as its order, up to words beyond 32."""
        shares = (
            _share(self.only_in_body),
            _share(self.not_in_title),
            0.5 if self.is_not_title else 1.0,
            _share(self.beginnings),
            0.5 if self.apart else 1.0,
            _share(self.first_at),
        )
        return round(sum(share / float(_STEP**place) for place, share in enumerate(shares)), 12)


_STEP = 64
_WORDS_MAX = 32


def _share(number: int) -> float:
    """Give 1 for none, and less for more, in steps."""
    return 1 - min(number, _WORDS_MAX) / (_WORDS_MAX + 1)


class _Place(msgspec.Struct, frozen=True):
    field: int
    at: int
    is_whole: bool


def field_tokens(fields: Fields) -> tuple[list[str], ...]:
    """Give the tokens of each field; of a long record the first ``TOKENS_MAX``, as they are indexed."""
    found: list[list[str]] = []
    left = TOKENS_MAX
    for text in fields.texts:
        found.append(tokens(text, left))
        left -= len(found[-1])
    return tuple(found)


def is_cut(fields: Fields) -> bool:
    """Whether the index has only the beginning of what a record says: so many characters, so many tokens."""
    if fields.cut or sum(map(len, fields.texts)) < TOKENS_MAX:  # no token is shorter than a character
        return fields.cut
    left = TOKENS_MAX + 1
    for text in fields.texts:
        left -= len(tokens(text, left))
    return left <= 0


def rank(query: Query, fields: Fields) -> Rank | None:
    """Say how well a record has what was asked; None where it has not."""
    return rank_of(query, field_tokens(fields))


def rank_of(query: Query, by_field: Sequence[Sequence[str]]) -> Rank | None:
    """Say the same of a record that has these tokens in its fields."""
    if not query.terms or any(_place(term, by_field) for term in query.without):
        return None
    places: list[_Place] = []
    for term in query.terms:
        place = _place(term, by_field)
        if place is None:
            return None
        places.append(place)
    best = min(place.field for place in places)
    whole = Term(tuple(token for term in query.terms for token in term.tokens), query.terms[-1].beginning)
    return Rank(
        only_in_body=sum(place.field == len(by_field) - 1 for place in places),
        not_in_title=sum(place.field != 0 for place in places),
        is_not_title=not _is_whole(whole, by_field[0]),
        beginnings=sum(not place.is_whole for place in places),
        apart=len(query.terms) > 1 and not any(True for one in by_field for _ in starts(whole, one)),
        first_at=min(place.at for place in places if place.field == best),
    )


def titled(query: Query, title: str) -> int:
    """Say how many of the words that must occur a title has."""
    return number_of_terms(query, tokens(title))


def number_of_terms(query: Query, written: Sequence[str]) -> int:
    """Say how many of the words that must occur are among these tokens."""
    return sum(any(True for _ in starts(term, written)) for term in query.terms)


def _is_whole(term: Term, found: Sequence[str]) -> bool:
    """Whether a field is this and no more; a run without spaces ends with its last character alone."""
    asked = list(term.tokens)
    return list(found) in (asked, [*asked, asked[-1][1:]])


def _place(term: Term, by_field: Sequence[Sequence[str]]) -> _Place | None:
    """Find the best place of a term: in the first field that has it, a whole word before a beginning."""
    for field, found in enumerate(by_field):
        places = [_Place(field, at, found[at + len(term.tokens) - 1] == term.tokens[-1]) for at in starts(term, found)]
        if places:
            return min(places, key=lambda place: (not place.is_whole, place.at))
    return None


def starts(term: Term, written: Sequence[str]) -> Iterator[int]:
    """Say where in these tokens a term stands."""
    *front, last = term.tokens
    if not term.beginning and last not in written:
        return  # five times as fast as looking at each, and a query may name hundreds of words that must not occur
    ends = range(len(front), len(written))
    if term.beginning:
        ats = (at for at in ends if written[at].startswith(last))
    else:
        ats = (at for at in ends if written[at] == last)
    for at in ats:
        if not front or list(written[at - len(front) : at]) == front:
            yield at - len(front)
