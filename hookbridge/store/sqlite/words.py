"""The index on SQLite: tokens in FTS5, found newest change first, within a bound.

Invariants: an entry belongs to the copy of exactly one ticket; a later change of words has a larger rowid; what is read
for one search has an end, however common its words are: in rows, in bytes and in processor time, and says so; a stretch
of the newest rows is looked at however long that takes, because a virtual machine may charge for its host's pauses.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence

from hookbridge.model import Document, RecordKey, SourceName
from hookbridge.store.asked import TERMS_MAX, place_token
from hookbridge.text import Query
from hookbridge.text.query import Term

SEARCH_SECONDS = 0.04
"""Of processor time."""

VARIANTS_MAX = 200
"""So many words that begin as asked are looked for, in the order of the alphabet, for all terms of a query together:
each costs 50 µs whenever a stretch of rows is opened."""

UNWANTED_VARIANTS_MAX = 32
"""So many of them for words that must not occur."""

Own = tuple[str, str, str, int]
"""Source, table and id of a copy, and its ticket."""

_ROW = "SELECT id, words FROM copies WHERE source = ? AND table_name = ? AND record_id = ? AND ticket = ?"
_KNOWN = "SELECT title, properties, body FROM words WHERE rowid = ?"
_OF_COPY = "SELECT title, properties, body FROM words WHERE rowid = (SELECT words FROM copies WHERE id = ?)"
# Not in one SELECT: that would look at all rows between.
_ENDS = "SELECT (SELECT min(id) FROM words_content), (SELECT max(id) FROM words_content)"

# FTS5 writes what a transaction gathered to the file whenever a statement might write several rows, or a row below the
# last one: so each of these names its one row, and they run in the order of the rows.
_PUT = "INSERT INTO words (copy, title, properties, body, place, rowid) VALUES (?, ?, ?, ?, ?, ?)"
_DROP = "DELETE FROM words WHERE rowid = ?"

_FIRST_ROW = 1 << 32
"""There is room below for what is indexed anew."""

_VARIANT = "SELECT term FROM terms WHERE term >= ? AND term <= ? LIMIT 1"
_FOUND = "SELECT copy FROM words WHERE words MATCH ? AND rowid <= ? ORDER BY rowid DESC"
_NEXT_ROW = "SELECT max(id) FROM words_content WHERE id <= ?"

# FTS5 does not come back before it has found the next row, whatever rows are asked for: of words that never stand
# together it reads all.  So each entry names its stretches of rows by tokens, and a search asks for one at a time.
_STRETCHES = (13, 17)
"""How many bits of a row are left out of the names."""
_ROWS_BETWEEN_LOOKS = 32


def write(
    connection: sqlite3.Connection, documents: Sequence[tuple[Own, Document | None]], *, anew: bool = False
) -> None:
    """Write the entries of copies, where they are others than the index has; of None the entry goes.

    Only here it is known what the index has: since the claim, a read outside of the change may have written another
    copy.  Words that change come first from then on; those that are indexed ``anew`` stay where they were, or come
    last.
    """
    changes: dict[int, tuple[int | None, Document | None]] = {}
    for own, document in documents:
        for id_, known in connection.execute(_ROW, own):
            wanted = None if document is None or not any(document.fields) else document
            has = None if known is None else connection.execute(_KNOWN, (known,)).fetchone()
            if has != (None if wanted is None else wanted.fields):
                changes[id_] = known, wanted
    if changes:
        _write(connection, changes, anew=anew)


def _write(
    connection: sqlite3.Connection, changes: dict[int, tuple[int | None, Document | None]], *, anew: bool
) -> None:
    first, last = connection.execute(_ENDS).fetchone()
    for row in sorted(known for known, _ in changes.values() if known is not None):
        connection.execute(_DROP, (row,))
    puts = [(id_, known, document) for id_, (known, document) in changes.items() if document is not None]
    if anew:
        below = (first or _FIRST_ROW) - sum(known is None for _, known, _ in puts)
        fresh = iter(range(below, below + len(puts)))
        rows = {id_: next(fresh) if known is None else known for id_, known, _ in reversed(puts)}
    else:
        rows = {id_: (last or _FIRST_ROW) + place for place, (id_, _, _) in enumerate(puts, start=1)}
    for id_, _, document in sorted(puts, key=lambda put: rows[put[0]]):
        places = " ".join((*_places(document.record), *_stretches(rows[id_])))
        connection.execute(_PUT, (id_, *document.fields, places, rows[id_]))
    connection.executemany("UPDATE copies SET words = ? WHERE id = ?", [(rows.get(id_), id_) for id_ in changes])


def entry(connection: sqlite3.Connection, id_: int, record: RecordKey) -> Document:
    """Give what the index has of a copy."""
    return Document(record, *connection.execute(_OF_COPY, (id_,)).fetchone())


def drop(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Remove the entries of copies; their rows may be another's from then on."""
    rows = [connection.execute("SELECT words FROM copies WHERE id = ?", (id_,)).fetchone()[0] for id_ in ids]
    for row in sorted(row for row in rows if row is not None):
        connection.execute(_DROP, (row,))
    connection.executemany("UPDATE copies SET words = NULL WHERE id = ?", [(id_,) for id_ in ids])


def _places(record: RecordKey) -> tuple[str, str]:
    return place_token(record.source, None), place_token(record.source, record.table)


def _stretches(row: int) -> Iterator[str]:
    return (_stretch(row, bits) for bits in _STRETCHES)


def _stretch(row: int, bits: int) -> str:
    return f"@{bits}.{row >> bits}"


class Expression:
    """A query as FTS5 has it."""

    def __init__(
        self, connection: sqlite3.Connection, query: Query, source: SourceName | None = None, table: str | None = None
    ) -> None:
        self._connection = connection
        self.until = time.thread_time() + SEARCH_SECONDS
        """When the search has to end, in its thread's processor time."""
        self.complete = True
        """Whether all words that begin as asked are in it."""
        self.texts: tuple[str, ...] = ()
        """One after the other: with the words themselves, with those that begin so; none where nothing can be found.

        The words themselves are few, and who asked for one of them is not to wait for 200 others.
        """
        self._variants_left = VARIANTS_MAX
        terms = query.terms[:TERMS_MAX]
        begun = [self._any_of(term) for term in terms]
        wanted = [text for text in begun if text is not None]
        if not begun or len(wanted) < len(begun):
            return
        complete = self.complete  # what is not left out here is left out by who ranks
        self._variants_left = min(self._variants_left, UNWANTED_VARIANTS_MAX)
        unwanted = [self._any_of(term) for term in query.without[:TERMS_MAX] if len(term.tokens) <= TERMS_MAX]
        self.complete = complete
        within = "" if source is None else _quoted([place_token(source, table)])
        without = f" NOT ({' OR '.join(filter(None, unwanted))})" if any(unwanted) else ""
        whole = [_quoted(term.tokens[:TERMS_MAX]) for term in terms]
        each = [whole, wanted] if any(term.beginning for term in terms) else [whole]
        self.texts = tuple(f"({' AND '.join(filter(None, [*words, within]))}){without}" for words in each)

    def _any_of(self, term: Term) -> str | None:
        """Write a term; FTS5's own beginnings read all that begins so before the first answer.

        None is one that nothing has; an empty one is left to who ranks.
        """
        *front, last = term.tokens[:TERMS_MAX]
        if not term.beginning or len(term.tokens) > TERMS_MAX:
            return _quoted([*front, last])
        most = self._variants_left
        if not most:
            return ""
        variants = list(self._variants(last, most))
        self._variants_left -= len(variants)
        self.complete = self.complete and len(variants) < most
        return f"({' OR '.join(_quoted([*front, one]) for one in variants)})" if variants else None

    def _variants(self, beginning: str, most: int) -> Iterator[str]:
        behind, end = beginning, f"{beginning}\U0010ffff"
        for _ in range(most):
            found = self._connection.execute(_VARIANT, (behind, end)).fetchone()
            if found is None:
                return
            yield found[0]
            behind = f"{found[0]}\x01"  # in the order of bytes nothing lies between


def _within(text: str, stretch: str | None) -> str:
    """Give an expression for a stretch of rows alone, or for all."""
    return text if stretch is None else f"({_quoted([stretch])} AND {text.removeprefix('(')}"


def _quoted(tokens: Sequence[str]) -> str:
    """Write tokens that stand next to each other: none of them has a quote or a space."""
    return f'"{" ".join(tokens)}"'


class Walk:
    """The copies whose words match, as far as a search may go: whole words before beginnings, newest change first."""

    def __init__(self, connection: sqlite3.Connection, expression: Expression) -> None:
        self._connection = connection
        self._expression = expression
        self._was_cut = False

    @property
    def complete(self) -> bool:
        """After the walk: whether nothing more could be found."""
        return self._expression.complete and not self._was_cut

    def ids(self) -> Iterator[int]:
        """Give their ``copies.id``, each once."""
        given: set[int] = set()
        for text in self._expression.texts:
            for id_ in self._all(text):
                if id_ not in given:
                    given.add(id_)
                    yield id_
            if given and self._was_cut:
                return

    def _all(self, text: str) -> Iterator[int]:
        first, newest = self._connection.execute(_ENDS).fetchone()
        if newest is None:
            return
        row = newest
        opening = self._seconds_to_open(text)
        bits: int | None = _STRETCHES[0]
        while True:
            began = time.thread_time()
            stretch = None if bits is None else _stretch(row, bits)
            for number, (id_,) in enumerate(self._found(text, stretch, row)):
                if number and number % _ROWS_BETWEEN_LOOKS == 0 and self._is_over():
                    return
                yield id_
            if bits is None:
                return
            below = row >> bits << bits
            left = self._connection.execute(_NEXT_ROW, (below - 1,)).fetchone()[0]
            if left is None or (newest - left >= 1 << _STRETCHES[0] and self._is_over()):
                return
            seconds_a_row = max(time.thread_time() - began - opening, 1e-6) / (row - below + 1)
            affordable = ((self._expression.until - time.thread_time()) / 2 - opening) / seconds_a_row
            bits, row = _longest(affordable, left - first + 1), left

    def _found(self, text: str, stretch: str | None, row: int) -> sqlite3.Cursor:
        return self._connection.execute(_FOUND, (_within(text, stretch), row))

    def _seconds_to_open(self, text: str) -> float:
        """Measure what a stretch costs in which there is nothing: very many beginnings have to be looked up."""
        began = time.thread_time()
        self._found(text, "@", 0).fetchall()
        return time.thread_time() - began

    def _is_over(self) -> bool:
        self._was_cut = time.thread_time() > self._expression.until
        return self._was_cut


def _longest(affordable: float, rows_left: int) -> int | None:
    """Choose the longest stretch of which so many rows can be looked at; None is all that is left."""
    if rows_left <= affordable:
        return None
    return max((bits for bits in _STRETCHES if 1 << bits <= affordable), default=_STRETCHES[0])
