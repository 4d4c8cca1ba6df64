"""Which characters are letters of words, and what each is taken for.

Case, width and the forms of compatibility are folded (NFKC), diacritics and the vowel signs of Arabic and Hebrew
dropped; the vowel signs of scripts that spell with them (Devanagari, Thai …) stay.  Decimal digits of all scripts are
one.  Invariant: whitespace stays where it is, so that what stands between two spaces is folded by itself.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import chain

# Scripts that put no spaces between words: their runs are found by any part of them.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x1AAF),  # Tai Le, New Tai Lue, Tai Tham, the symbols of Khmer
    (0x1B00, 0x1B7F),  # Balinese
    (0x3005, 0x3007),  # 々〆〇
    (0x3031, 0x30FF),  # Hiragana, Katakana
    (0x3100, 0x3130),  # Bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x9FFF),  # Han
    (0xA000, 0xA4CF),  # Yi
    (0xA980, 0xA9FF),  # Javanese, more of Burmese
    (0xAA60, 0xAADF),  # more of Burmese, Tai Viet
    (0xF900, 0xFAFF),
    (0x17000, 0x18CFF),  # Tangut
    (0x1AFF0, 0x1B2FF),  # Kana, Nushu
)

_HAN_PLANES = "\U00020000-\U0003ffff"

_HANGUL = ((0x1100, 0x11FF), (0x3131, 0x318E), (0xA960, 0xA97F), (0xAC00, 0xD7FF))

HANGUL = "".join(f"{chr(first)}-{chr(last)}" for first, last in _HANGUL)
"""The script of Korean, for a class of ``re``."""

FLAG = "\U0001f1e6-\U0001f1ff"
"""Two of them are a flag."""

EMOJI = "\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
"""Without the colours of a skin."""

_COLOURS = "\ufe00-\ufe0f\U0001f3fb-\U0001f3ff"
"""How an emoji looks: thumbs up are thumbs up."""

_JOINER = "\u200d"

# Marks that a reader may leave out: diacritics; vowel signs of Arabic, Hebrew and Syriac, and the stretching of Arabic;
# what shows nothing at all.  Not the dots of kana, which make another syllable.
DROPPED = (
    "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08ca-\u08ff"
    "\u0711\u0730-\u074a"
    "\u02be\u02bf\u00ad\u034f\u061c\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    f"{_COLOURS}"
)

_SPELLED = {
    "ł": "l",
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "ħ": "h",
    "ŧ": "t",
    "ı": "i",  # noqa: RUF001  the letter that is meant
    "ŀ": "l",
    "ŋ": "n",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
    "ƀ": "b",
    "ɖ": "d",
    "ƒ": "f",
    "ɨ": "i",
    "ɔ": "o",
    "ɛ": "e",
    "ə": "e",
    "\u02bb": "'",  # letters that look like the apostrophe, and stand where it does
    "\u02bc": "'",
    "\u0649": "\u064a",  # ى, written for ي at the end of a word, and Persian's letters for those of Arabic
    "\u06cc": "\u064a",
    "\u06a9": "\u0643",
    "\u0629": "\u0647",  # ة, often written without its dots
}


@cache
def words() -> str:
    """Give the letters, digits and marks of words, of scripts that put spaces between them, for a class of ``re``."""
    others = _codes((*_UNSPACED, *_HANGUL))
    return _ranges(code for code in _letters() if code not in others)


@cache
def unspaced() -> str:
    """Give those of the scripts that do not."""
    ours = _codes(_UNSPACED)
    return _ranges(code for code in _letters() if code in ours) + _HAN_PLANES


def fold(text: str) -> str:
    """Give a text as it is compared."""
    if text.isascii():
        return text.lower()
    marks, alone, spelled = _folding()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    if _JOINER in apart:
        apart = alone.sub("", apart)
    apart = marks.sub("", apart)
    if apart.isascii():
        return apart
    return unicodedata.normalize("NFC", apart.translate(spelled))


@cache
def _folding() -> tuple[re.Pattern[str], re.Pattern[str], dict[int, str]]:
    # A joiner belongs to an emoji that is made of several; in a word it shows nothing.
    alone = re.compile(f"(?<![{EMOJI}{_COLOURS}]){_JOINER}|{_JOINER}(?![{EMOJI}])")
    digits = {code: str(digit) for code in _letters() if (digit := unicodedata.decimal(chr(code), -1)) >= 0}
    return (
        re.compile(f"[{DROPPED}]+"),
        alone,
        digits | {ord(letter): spelling for letter, spelling in _SPELLED.items()},
    )


@cache
def _letters() -> tuple[int, ...]:
    """Of all planes but those of Han (0.05 s, once)."""
    marked = (code for code in range(0x80, 0x20000) if unicodedata.category(chr(code))[0] in "LMN")
    return (*map(ord, "0123456789abcdefghijklmnopqrstuvwxyz"), *marked)


def _codes(ranges: Iterable[tuple[int, int]]) -> frozenset[int]:
    return frozenset(chain.from_iterable(range(first, last + 1) for first, last in ranges))


def _ranges(codes: Iterable[int]) -> str:
    """Write a class of ``re``, without its brackets."""
    written: list[str] = []
    first = last = -2
    for code in [*codes, sys.maxunicode + 2]:
        if code != last + 1:
            if first >= 0:
                written.append(f"{chr(first)}-{chr(last)}")
            first = code
        last = code
    return "".join(written)
