"""What a page's markdown says, without its syntax: what a reader of the page sees is words, everything else is none.

Pure.  Notion's markdown has tags, lists of attributes and links signed anew with every read; what stands for itself is
escaped (https://developers.notion.com/guides/data-apis/enhanced-markdown).  Any text is markdown, and is read in time
that is linear in its length: no piece of syntax looks over the beginning of another one for its own end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from hookbridge.sources.notion.markdown import without_signatures

_CHARACTERS_AT_ONCE = 16 * 1024

_FENCE = re.compile(r"\s*(`{3,})")
"""Begins and ends a block of code, in which nothing is syntax; what follows at its beginning names the language."""

_LINE_BEGINS = re.compile(
    r"^(?=[^\n]*---)[ \t|:-]++$"  # a rule, or the line below a table's head
    r"|^[ \t]*(?:>[ \t]*|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?|\#{1,6}[ \t]+|:{3,}[ \t]*[\w-]*)+",
    re.MULTILINE,
)
"""Quotes, bullets, boxes, headings, callouts.  Numbers stay: nothing tells a list's from a sentence's first word."""

# Each begins with a character of its own, so that the expression stops only at these: five times as fast.
_PIECES = (
    r"\\(?P<escaped>[!-/:-@\[-`{-~])",
    r"`(?P<code>[^`\n]+)`",
    r"\{(?:[ \t]*[\w-]+=\"[^\"\n]*\")+[ \t]*\}",  # attributes of the block
    r"<!--[^<>\n]*-->",
    r"</?(?P<tag>[A-Za-z][\w-]*+)(?P<values>(?:\"[^\"\n]*\"|[^\"<>\n])*+)>",
    r"h(?P<link>ttps?://[^\s<>()\[\]{}`*|\\]++)",
    r"\[\^[^\[\]\n]*\]",  # a citation
    r"\]\((?:[^()\s]|\([^()\s]*\))*+\)",  # where a link leads
    r"!(?P<image>(?=\[))",
    r"\|(?P<cell>)",
    *(r"\[", r"\]", r"\*", r"`", r"\$", r"~~"),
)
_SYNTAX = re.compile("|".join(_PIECES))

_WITHIN_WORDS = frozenset(("span", "b", "strong", "i", "em", "u", "s", "del", "code", "sub", "sup"))
"""Tags of what is a part of a line, and perhaps of a word."""

_DATES = re.compile(r"\b(?:start|end)=\"([^\"]*)\"")
"""What a mention of a date is shown as."""


def plain_text(markdown: str, most: int) -> str:
    """Give what a reader sees, in lines; of a long text its beginning, ``most`` characters and a few more."""
    found: list[str] = []
    length = 0
    for stretch, is_code in _stretches(markdown):
        found.append(stretch if is_code else _SYNTAX.sub(_said, _LINE_BEGINS.sub("", stretch)))
        length += len(found[-1])
        if length > most:
            break
    return "".join(found)


def _stretches(markdown: str) -> Iterator[tuple[str, bool]]:
    """Give lines in some pieces, with whether they are code, without what fences it."""
    for is_code, lines in groupby(_lines(markdown), key=lambda one: one[1]):
        piece: list[str] = []
        length = 0
        for line, _ in lines:
            piece.append(line)
            length += len(line)
            if length >= _CHARACTERS_AT_ONCE:
                yield "".join(piece), is_code
                piece, length = [], 0
        yield "".join(piece), is_code


def _lines(markdown: str) -> Iterator[tuple[str, bool]]:
    """Give lines with their ends."""
    fence = ""
    for line in markdown.splitlines(keepends=True):
        begins = _FENCE.match(line)
        if fence:
            if begins and begins[1] == line.strip() and len(begins[1]) >= len(fence):
                fence = ""
            else:
                yield line, True
        elif begins and "`" not in line[begins.end() :]:
            fence = begins[1]
        else:
            yield line, False


def _said(syntax: re.Match[str]) -> str:
    """Give what is shown in place of a piece of syntax."""
    kind = syntax.lastgroup
    if kind in ("escaped", "code"):
        return syntax[kind]
    if kind == "link":  # one that was signed for us is another one with every read
        return syntax[0] if without_signatures(syntax[0]) == syntax[0] else ""
    if kind == "image":
        before = syntax.string[max(0, syntax.start() - 1) : syntax.start()]
        return "!" if before.strip() else ""  # it ends a sentence in front of a link
    if kind == "values":
        return _of_tag(syntax["tag"], syntax["values"])
    return " " if kind == "cell" else ""


def _of_tag(name: str, values: str) -> str:
    if name == "mention-date":
        return f" {' '.join(_DATES.findall(values))} "
    return "" if name.lower() in _WITHIN_WORDS else " "
