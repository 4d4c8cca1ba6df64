"""Texts as they come from outside: a file that must be one, and a value that tools dress up on its way.

Invariants: what is at a path and cannot be read as a file is an error and never counts as absent, because without its
settings a service starts open; a value is taken as its writer meant it or refused, and no problem shows it.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")
"""Soft hyphens, zero-width characters and marks of direction: they come along when a value is copied from a page."""
_TYPOGRAPHIC = re.compile("[\u2018-\u201f\u00ab\u00bb].*|.*[\u2018-\u201f\u00ab\u00bb]", re.DOTALL)
_QUOTES = ("'", '"')
_QUOTED = re.compile(r"(['\"])(.*)\1", re.DOTALL)


def is_there(path: Path) -> bool:
    """Whether anything is at the path, a link to nothing included."""
    return os.path.lexists(path)


def read_text(path: Path) -> str:
    """Give a file's text without its byte order mark.

    Raises OSError, for what is no file too (docker makes a folder of a missing bind mount; a pipe would be waited for),
    and UnicodeDecodeError.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder (docker makes one where a file to mount is missing)")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is no ordinary file")
    return path.read_text(encoding="utf-8-sig")


def undressed(text: str) -> tuple[str, str | None]:
    """Give a value as its writer meant it, and what is wrong with how it came, if anything."""
    bare = _INVISIBLE.sub("", text).strip()
    if _INVISIBLE.search(text):
        return (
            bare,
            "it has invisible characters, as they come along with a copied text; type it, or paste it as plain text",
        )
    if quoted := _QUOTED.fullmatch(bare):
        return quoted[2], "the quotes around it are a part of it (docker's --env-file keeps them); write it without"
    if bare[:1] in _QUOTES or bare[-1:] in _QUOTES:
        return bare, "a quote stands at one end of it; write it without"
    if _TYPOGRAPHIC.fullmatch(bare):
        return bare, "typographic quotes stand around it, as a word processor makes them; write it without"
    return bare, None
