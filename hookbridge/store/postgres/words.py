"""The index on Postgres: what is stored of a record's tokens, and how a query asks for them.

A lexeme is the beginning of a token, so that 16,000 of them fit into a tsvector (1 MiB), however long they are.
Whether an entry has longer ones, and which stand next to each other, is looked up in the tokens themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from hookbridge.model import Document, RecordKey, SourceName
from hookbridge.store.asked import TERMS_MAX, place_token
from hookbridge.text import Query
from hookbridge.text.query import Term

LEXEME_CHARACTERS_MAX = 16

SEARCH_SECONDS = 0.1
"""After these a search takes no further step; none of them looks at more than some thousand entries."""


def tokens(document: Document) -> str:
    """Write the tokens of a record, so that words next to each other are a part of it; empty where there is none."""
    return " " + " \n ".join(document.fields) + " " if any(document.fields) else ""


def document(record: RecordKey, written: str) -> Document:
    """Give what was written of a record by ``tokens``."""
    return Document(record, *(field.strip(" ") for field in written.split("\n")))


def lexemes(document: Document, record: RecordKey) -> str:
    """Write what a record is found by: its lexemes and its place, each once."""
    found = {token[:LEXEME_CHARACTERS_MAX] for field in document.fields for token in field.split(" ") if token}
    return " ".join((*found, *_places(record.source, record.table)))


@lru_cache(maxsize=256)
def _places(source: str, table: str) -> tuple[str, str]:
    return place_token(source, None), place_token(source, table)


class Asked(msgspec.Struct, frozen=True):
    """A query as ``search.sql`` has it: tsqueries as text, and patterns (LIKE) of ``tokens``."""

    whole: Sequence[str]
    """What the index is asked for where the words themselves are looked for."""
    wanted: str
    """All that lexemes can tell of an entry that has them."""
    phrases: Sequence[str]
    """What its tokens have."""
    rest: Sequence[str]
    """What the index is asked for where words that begin so are as good."""
    begun: Sequence[str] | None
    """What of the index begins so; None where the query has no beginning."""
    wanted_begun: str
    phrases_begun: Sequence[str]
    without: Sequence[str]
    """What none of its tokens are."""

    @property
    def parameters(self) -> tuple[object, ...]:
        """What ``candidates_1`` is called with."""
        whole = (self.whole, self.wanted, self.phrases)
        return *whole, self.rest, self.begun, *self.widest

    @property
    def widest(self) -> tuple[str, Sequence[str], Sequence[str]]:
        """What is wanted of an entry where beginnings are as good: lexemes, phrases, and what must not be there."""
        return self.wanted_begun, self.phrases_begun, self.without


def asked(query: Query, source: SourceName | None = None, table: str | None = None) -> Asked | None:
    """Write a query; None where it has no word that must occur."""
    if not query.terms:
        return None
    terms = [_Term(term) for term in query.terms[:TERMS_MAX]]
    unwanted = [_Term(term) for term in query.without[:TERMS_MAX] if len(term.tokens) <= TERMS_MAX]
    places = [] if source is None else [_quoted(place_token(source, table))]
    without = [f"!{term.lexeme_begun or term.lexemes[-1]}" for term in unwanted if term.is_simple]
    whole = [one for term in terms for one in term.lexemes] + places
    begun = [term.lexeme_begun for term in terms if term.lexeme_begun is not None]
    rest = [one for term in terms for one in (term.lexemes[:-1] if term.lexeme_begun else term.lexemes)] + places
    return Asked(
        whole=whole,
        wanted=" & ".join([*whole, *without]),
        phrases=[term.phrase for term in terms if not term.is_simple],
        rest=rest,
        begun=begun if any(term.begins for term in terms) else None,
        wanted_begun=" & ".join([*rest, *begun, *without]),
        phrases_begun=[term.phrase_begun for term in terms if not term.is_simple],
        without=[term.phrase_begun for term in unwanted if not term.is_simple],
    )


class _Term:
    """Tokens next to each other, as lexemes and as a part of ``tokens``."""

    def __init__(self, term: Term) -> None:
        *front, last = term.tokens[:TERMS_MAX]
        is_short = len(last) < LEXEME_CHARACTERS_MAX
        self.begins = term.beginning and len(term.tokens) <= TERMS_MAX
        self.is_simple = is_short and not front
        """Whether lexemes tell all of it."""
        self.lexemes = [_quoted(token[:LEXEME_CHARACTERS_MAX]) for token in (*front, last)]
        self.lexeme_begun = f"{_quoted(last)}:*" if self.begins and is_short else None
        """What begins as the last token; None where it is a lexeme, however it goes on."""
        phrase = " ".join((*front, last))
        self.phrase = f"% {phrase} %"
        self.phrase_begun = f"% {phrase}%" if self.begins else self.phrase


def _quoted(lexeme: str) -> str:
    """Write a lexeme: none of them has a quote or a backslash."""
    return f"'{lexeme}'"
