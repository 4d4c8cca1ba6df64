"""The grammar of PostgREST's query strings: names, values, filters, logic trees, orders.

A refusal says where and what was expected, as the parser of PostgREST words it.  What that parser ignores is ignored
(text behind the bracket that closes a tree or a list), and what it takes literally is taken literally (a quote that is
not closed).

Sources: PostgREST documentation, "Tables and Views": horizontal filtering, logical operators, reserved characters;
its parser `QueryParams.hs`; exchanges recorded with 14.13.
"""

import re
from collections.abc import Callable
from typing import NoReturn

import msgspec

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.filters import IS, OPERATORS

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_NAME = re.compile(r"(?:[^\W]|[ $])(?:[^\W]|[ $]|-(?!>))*")
_BRACED = re.compile(r"\{[^{}]*\}")
_PLAIN = re.compile(r"[^,)]*")
_FIELD = "field name (* or [a..z0..9_$])"
_OPERATOR = "operator (eq, gt, ...)"
_IS_WORDS = "isVal: (null, not_null, true, false, unknown)"
LOGIC = ("and", "or", "not.and", "not.or")


class Condition(msgspec.Struct, frozen=True):
    """`column=[not.]operator.value`; the value of `in` is a list."""

    column: str
    operator: str
    value: str | list[str]
    is_negated: bool


class Reader:
    """A position in a parameter's text; `ahead` characters of it come from the parameter's name."""

    def __init__(self, what: str, text: str, shown: str | None = None) -> None:
        self.what = what
        self.text = text
        self.shown = text if shown is None else shown
        self.position = 0

    def refuse(self, expected: str, *, quote: str = '"') -> NoReturn:
        """Raise PGRST100 for what stands here."""
        here = self.text[self.position : self.position + 1]
        unexpected = f"{quote}{here}{quote}" if here else "end of input"
        details = f"unexpected {unexpected} expecting {expected}"
        raise errors.unparsable(self.what, self.shown, self.position + 1, details)

    def takes(self, sign: str) -> bool:
        """Step over this text, if it stands here."""
        if not self.text.startswith(sign, self.position):
            return False
        self.position += len(sign)
        return True

    def takes_lexeme(self, sign: str) -> bool:
        """The same with the spaces around it."""
        start = self.position
        self.skip_spaces()
        if self.takes(sign):
            self.skip_spaces()
            return True
        self.position = start
        return False

    def skip_spaces(self) -> None:
        """Step over spaces."""
        while self.text[self.position : self.position + 1].isspace():
            self.position += 1

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Step over what this pattern matches here."""
        found = pattern.match(self.text, self.position)
        if found:
            self.position = found.end()
        return found

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self.text)

    def name(self, expected: str = _FIELD) -> str:
        """The name of a column: in double quotes, or of letters, digits and `_$-`, without the spaces around it."""
        if quoted := self.match(_QUOTED):
            return _unescaped(quoted[1])
        found = self.match(_NAME)
        return found[0].strip() if found else self.refuse(expected)

    def member(self) -> str:
        """One value of a tree or a list: quoted, a `{…}`, or everything up to `,` or `)`."""
        start = self.position
        for pattern in (_QUOTED, _BRACED):
            found = self.match(pattern)
            if found and self.text[self.position : self.position + 1] in {"", ",", ")"}:
                return _unescaped(found[1]) if pattern is _QUOTED else found[0]
            self.position = start
        found = self.match(_PLAIN)
        return found[0] if found else ""

    def members(self) -> list[str]:
        """`(a,b)`; a list of one empty value is empty, quoted or not."""
        if not self.takes_lexeme("("):
            self.refuse('"("')
        values = [self.member()]
        while self.takes(","):
            values.append(self.member())
        if not self.takes(")"):
            self.refuse('"," or ")"')
        return [] if values == [""] else values


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def parse_condition(column: str, text: str) -> Condition:
    """Parse the value of a parameter that is named like a column: its value is all of the rest."""
    reader = Reader("filter", text)
    return _condition(reader, column, lambda: reader.text[reader.position :])


def _condition(reader: Reader, column: str, value: Callable[[], str]) -> Condition:
    is_negated = reader.takes("not.")
    expected = _OPERATOR if is_negated else f'"not" or {_OPERATOR}'
    if reader.takes("in."):
        return Condition(column, "in", reader.members(), is_negated)
    if reader.takes("is."):
        return Condition(column, "is", _is_word(reader), is_negated)
    word = re.compile("[a-z]*").match(reader.text, reader.position)
    operator = word[0] if word else ""
    reader.position += len(operator)
    if not operator:
        reader.refuse(expected)
    if operator not in {*OPERATORS, "isdistinct"} or not reader.takes("."):
        reader.refuse(_OPERATOR)
    return Condition(column, operator, value(), is_negated)


def _is_word(reader: Reader) -> str:
    rest = reader.text[reader.position :].lower()
    for word in IS:
        if rest.startswith(word):
            reader.position += len(word)
            return word
    return reader.refuse(_IS_WORDS)


class Tree(msgspec.Struct, frozen=True):
    """`and(…)` or `or(…)`, negated or not."""

    operator: str
    members: "list[Condition | Tree]"
    is_negated: bool


def parse_tree(operator: str, text: str) -> Condition | Tree:
    """Parse the value of a parameter `and`, `or`, `not.and`, `not.or`.

    As PostgREST does it, name and value are read as one text; so `or=id.eq.1` is a condition on a column `orid`.
    """
    return _tree(Reader("logic tree", operator + text, shown=text))


def _tree(reader: Reader) -> Condition | Tree:
    start = reader.position
    quoted_or_plain = reader.match(_QUOTED) or reader.match(_NAME)
    if quoted_or_plain is None:
        reader.refuse(f"{_FIELD}, negation operator (not) or logic operator (and, or)")
    reader.position = start
    for operator in LOGIC:
        if reader.takes(operator):
            if reader.takes_lexeme("("):
                return _members(reader, operator)
            reader.position = start
    column = reader.name()
    if not reader.takes("."):
        reader.refuse('"."' if quoted_or_plain[0] not in {"and", "or"} else '"("')
    return _condition(reader, column, reader.member)


def _members(reader: Reader, operator: str) -> Tree:
    members = [_tree(reader)]
    while reader.takes_lexeme(","):
        members.append(_tree(reader))
    if not reader.takes_lexeme(")"):
        reader.refuse('"," or ")"')
    return Tree(operator.removeprefix("not."), members, operator.startswith("not."))


class OrderTerm(msgspec.Struct, frozen=True):
    """One column of `order`."""

    column: str
    descending: bool
    nulls_first: bool


def parse_order(text: str) -> list[OrderTerm]:
    """Parse the value of `order`."""
    reader = Reader("order", text)
    terms = [_order_term(reader)]
    while reader.takes(","):
        terms.append(_order_term(reader))
    if not reader.is_at_end():
        reader.refuse('"," or end of input', quote="'")
    return terms


def _order_term(reader: Reader) -> OrderTerm:
    column = reader.name()
    descending = False
    nulls_first: bool | None = None
    if reader.takes(".asc") or reader.takes(".desc"):
        descending = reader.text[: reader.position].endswith("desc")
    elif reader.text.startswith(".", reader.position) and not reader.text.startswith(".nulls", reader.position):
        reader.position += 1
        reader.refuse('"asc", "desc", "nullsfirst" or "nullslast"')
    if reader.takes(".nullsfirst"):
        nulls_first = True
    elif reader.takes(".nullslast"):
        nulls_first = False
    return OrderTerm(column, descending, descending if nulls_first is None else nulls_first)
