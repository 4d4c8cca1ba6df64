"""The SQL that PostgREST sends to PostgreSQL for a read.  Pure.

Every value is a parameter of unknown type, as `limit` and `offset` are; a list is `= ANY` of one array.  `count=exact`
counts what the filter leaves in a second part of the same statement; for `count=planned` that part is explained, not
run.  Sources: PostgREST's src/PostgREST/Query (QueryBuilder.hs, SqlFragment.hs, Statements.hs).
"""

import re
from urllib.parse import parse_qsl, unquote

import msgspec

from hookbridge.standins.postgrest.standin import PREFIX

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_OPERATORS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "neq": "<>"}
_WORDS = {"asc": "ASC", "desc": "DESC", "nullsfirst": "NULLS FIRST", "nullslast": "NULLS LAST"}


def _item(text: str, position: int, stops: str) -> tuple[str, int]:
    """One value or name from `position` up to one of `stops`, without its double quotes, and where it ends."""
    if found := _QUOTED.match(text, position):
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL), found.end()
    end = position
    while end < len(text) and text[end] not in stops:
        end += 1
    return text[position:end], end


class Statement(msgspec.Struct, frozen=True):
    """SQL with `$1` and so on, and the texts of these parameters."""

    sql: str
    values: tuple[str, ...]


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What a request makes PostgREST ask."""

    shape: str
    """The request without its values: requests of one shape are one statement."""
    page: Statement
    planned: Statement | None
    """What is explained, not run, for `count=planned`."""


def read(path_qs: str, schema: str, count: str | None, max_rows: int = 1000) -> Read:
    """Write what a GET asks, with the `count` that its `Prefer` names."""
    path, _, query = path_qs.partition("?")
    given = dict(parse_qsl(query))
    table = f"{_quoted(schema)}.{_quoted(unquote(path.removeprefix(PREFIX)))}"
    page = _Writer(table, given)
    limit = min(int(given.get("limit", max_rows)), max_rows)
    where = page.where()
    source = f"SELECT {table}.* FROM {table} {where} {page.order()} LIMIT {page.value(str(limit))}"
    source += f" OFFSET {page.value(given.get('offset', '0'))}"
    counting = f", pgrst_source_count AS (SELECT 1 FROM {table} {page.where()})" if count == "exact" else ""
    total = "(SELECT pg_catalog.count(*) FROM pgrst_source_count)" if counting else "null::bigint"
    sql = (
        f"WITH pgrst_source AS ( {source} ) {counting} SELECT {total} AS total_result_set, "
        "pg_catalog.count(_postgrest_t) AS page_total, coalesce(json_agg(_postgrest_t), '[]') AS body, "
        "nullif(current_setting('response.headers', true), '') AS response_headers, "
        "nullif(current_setting('response.status', true), '') AS response_status "
        "FROM ( SELECT * FROM pgrst_source ) _postgrest_t"
    )
    planned = _Writer(table, given)
    guess = f"SELECT 1 FROM {table} {planned.where()}"
    shape = " ".join(part for part in (table, where, page.order(), count and f"count={count}") if part)
    return Read(
        shape=shape.replace(f" {table}.", " ").replace(f"({table}.", "(").replace('"', ""),
        page=Statement(sql, tuple(page.values)),
        planned=Statement(guess, tuple(planned.values)) if count == "planned" else None,
    )


class _Writer:
    """Writes the parts of one statement, and numbers its parameters."""

    def __init__(self, table: str, given: dict[str, str]) -> None:
        self.values: list[str] = []
        self._table = table
        self._given = given
        self._text = given.get("or", "")
        self._position = 0

    def value(self, text: str) -> str:
        self.values.append(text)
        return f"${len(self.values)}"

    def where(self) -> str:
        if not self._text:
            return ""
        self._position = 0
        return f"WHERE {self._members(' OR ')}"

    def order(self) -> str:
        terms = self._given.get("order", "")
        written, position = [], 0
        while position < len(terms):
            name, position = _item(terms, position, ".,")
            words, _, _ = terms[position:].partition(",")
            position += len(words) + 1
            written.append(" ".join([self._column(name), *(_WORDS[word] for word in words.split(".") if word)]))
        return f"ORDER BY {', '.join(written)}" if written else ""

    def _column(self, name: str) -> str:
        return f"{self._table}.{_quoted(name)}"

    def _members(self, joined: str) -> str:
        self._take("(")
        members = [self._member()]
        while not self._skip(")"):
            self._take(",")
            members.append(self._member())
        return f"({joined.join(members)})"

    def _member(self) -> str:
        negated = "NOT " if self._skip("not.") else ""
        for word, joined in (("and(", " AND "), ("or(", " OR ")):
            if self._text.startswith(word, self._position):
                self._position += len(word) - 1
                return negated + self._members(joined)
        column = self._column(self._item("."))
        self._take(".")
        negated = "NOT " if self._skip("not.") else negated
        operator = self._item(".")
        self._take(".")
        if operator == "in":
            return f"{negated}{column} = ANY ({self.value(self._array())})"
        if operator == "is":
            return f"{negated}{column} IS {self._item(',)').upper()}"
        return f"{negated}{column} {_OPERATORS[operator]} {self.value(self._item(',)'))}"

    def _array(self) -> str:
        self._take("(")
        members = [self._item(",)")]
        while not self._skip(")"):
            self._take(",")
            members.append(self._item(",)"))
        escaped = (member.replace("\\", "\\\\").replace('"', '\\"') for member in members)
        return "{" + ",".join(f'"{member}"' for member in escaped) + "}"

    def _item(self, stops: str) -> str:
        text, self._position = _item(self._text, self._position, stops)
        return text

    def _skip(self, text: str) -> bool:
        found = self._text.startswith(text, self._position)
        self._position += len(text) if found else 0
        return found

    def _take(self, text: str) -> None:
        assert self._skip(text), f"{text!r} expected at {self._position} of {self._text}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
