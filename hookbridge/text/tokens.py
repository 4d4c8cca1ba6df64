"""A text's tokens, the same for the index and for queries, on every engine.

A token is a word as ``letters.fold`` gives it; an emoji; one of the names that are nothing without their signs
(``c++``, ``c#``, ``.net``); of a run without spaces (Chinese, Japanese, Thai …) each character with the next one, the
last one alone: so two characters that stand together are a token, and one character begins one.  E-mail addresses and
ids are the words between their signs.  Invariant: a token is of ASCII letters, digits, ``+``, ``#``, ``.`` and of what
is not ASCII, without spaces, and few enough of them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import Literal

from hookbridge.text.letters import EMOJI, FLAG, HANGUL, fold, unspaced, words

TOKEN_CHARACTERS_MAX = 64
"""What is longer is several tokens behind each other."""

TOKENS_MAX = 16_000
"""Of one record: no place behind it is known to PostgreSQL (16,383)."""

Tail = Literal["word", "hangul", "run", "character"]
"""How an asked text ends: with a word, with one of Korean, with a run without spaces, with one character of such."""

_NAMED = r"(?<!\w)[a-z](?:\+\+(?![^\W\d_])|\#(?![\w#]))|(?<![\w.])\.net(?!\w)"

_PLAIN = re.compile(rf"[a-z0-9]{{1,{TOKEN_CHARACTERS_MAX}}}")
_ASCII = re.compile(rf"{_NAMED}|{_PLAIN.pattern}")

_LONG = 256
_SPACED = {code: " " for code in range(128) if not chr(code).isalnum()}


def tokens(text: str, limit: int = TOKENS_MAX) -> list[str]:
    """Give the first tokens of a text."""
    folded = fold(text)
    if folded.isascii():
        return _of_ascii(folded)[:limit]
    found: list[str] = []
    for one in _any().finditer(folded):
        found += _parts(one)
        if len(found) >= limit:
            break
    return found[:limit]


def _of_ascii(folded: str) -> list[str]:
    # Most texts have none of the signs of a name; looking for names in them would take as long again.
    if "+" in folded or "#" in folded or ".net" in folded:
        return _ASCII.findall(folded)
    if len(folded) > _LONG:  # splitting takes half as long, once there is much to split
        found = folded.translate(_SPACED).split()
        if max(map(len, found), default=0) <= TOKEN_CHARACTERS_MAX:
            return found
    return _PLAIN.findall(folded)


def placed(folded: str) -> Iterator[tuple[str, int, int]]:
    """Give the tokens of a text that is folded, with where each begins and ends in it."""
    for one in _any().finditer(folded):
        start = one.start()
        if one.lastgroup == "run":
            yield from ((part, start + at, start + at + len(part)) for at, part in enumerate(_parts(one)))
        else:
            yield one[0], start, one.end()


def asked(text: str) -> tuple[list[str], Tail]:
    """Give the tokens that a text has to have to contain this one, and how they end.

    A run at the end may go on: its last character is in the token before, or begins one.
    """
    found = tokens(text)
    last = next(iter(deque(_any().finditer(fold(text)), maxlen=1)), None)
    if last is None or last.lastgroup not in {"run", "hangul"}:
        return found, "word"
    if last.lastgroup == "hangul":
        return found, "hangul"
    return (found, "character") if len(last[0]) == 1 else (found[:-1], "run")


def _parts(match: re.Match[str]) -> list[str]:
    run = match[0]
    return [run[at : at + 2] for at in range(len(run))] if match.lastgroup == "run" else [run]


@cache
def _any() -> re.Pattern[str]:
    tags = "[\U000e0020-\U000e007f]*"
    return re.compile(
        rf"(?P<emoji>[{FLAG}]{{1,2}}|[{EMOJI}]{tags}(?:\u200d[{EMOJI}]{tags})*)|(?P<named>{_NAMED})"
        rf"|(?P<run>[{unspaced()}]+)|(?P<hangul>[{HANGUL}]{{1,{TOKEN_CHARACTERS_MAX}}})"
        rf"|(?P<word>[{words()}]{{1,{TOKEN_CHARACTERS_MAX}}})"
    )
