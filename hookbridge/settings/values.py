"""One value of the configuration: converted strictly, read from text, and described in words.

Pure functions over msgspec's view of a type; what the keys are called and where a value came from is not known here.
"""

from __future__ import annotations

import difflib
import math
from typing import Any

import msgspec
from msgspec import inspect

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
_SHOWN_CHARACTERS = 60


def convert(value: Any, type_: Any) -> Any:
    """Give the value as this type.  An integer may stand for a float, nothing else is bent.

    Raises ValueError, also for a number that is infinite.
    """
    return _finite(msgspec.convert(value, type_))


def from_text(text: str, type_: Any) -> Any:
    """Read a value that came as text: from the environment.  Lists are JSON, or separated by commas.

    Raises ValueError.
    """
    info = _plain(type_)
    if isinstance(info, inspect.BoolType):
        if text.lower() not in _TRUE + _FALSE:
            msg = "not a boolean"
            raise ValueError(msg)
        return text.lower() in _TRUE
    if isinstance(info, inspect.VarTupleType):
        return convert(list_of(text), type_)
    return _finite(msgspec.convert(text, type_, strict=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        msg = "not finite"
        raise ValueError(msg)
    return value


def list_of(text: str) -> Any:
    """Take a list apart that came as text: JSON, or separated by commas.  Raises ValueError."""
    if text.lstrip().startswith("["):
        return msgspec.json.decode(text)
    return [part.strip() for part in text.split(",") if part.strip()]


def expected(type_: Any) -> str:
    """Say in words what the type takes: ``an integer from 0 to 65535``."""
    info = _plain(type_)
    if isinstance(info, inspect.BoolType):
        return "true or false"
    if isinstance(info, inspect.LiteralType):
        return _choice(info, "or")
    if isinstance(info, inspect.IntType | inspect.FloatType):
        return ("an integer" if isinstance(info, inspect.IntType) else "a number") + _range(info)
    if isinstance(info, inspect.VarTupleType):
        if isinstance(info.item_type, inspect.StructType):
            return "a list of blocks, each with its own keys"
        of = info.item_type
        each = _choice(of, "and") if isinstance(of, inspect.LiteralType) else "texts"
        return f"a list of {each}" + (" with at least one" if info.min_length else "")
    return _text(info)


def _text(info: inspect.Type) -> str:
    if isinstance(info, inspect.DictType):
        return "a table of texts"
    return "a text that is not empty" if isinstance(info, inspect.StrType) and info.min_length else "a text"


def _choice(info: inspect.LiteralType, joint: str) -> str:
    return f" {joint} ".join(f'"{value}"' for value in info.values)


def _plain(type_: Any) -> inspect.Type:
    """Leave out None: a key that may be absent is left out of the file, not written as null."""
    info = inspect.type_info(type_)
    if isinstance(info, inspect.UnionType):
        return next(one for one in info.types if not isinstance(one, inspect.NoneType))
    return info


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {info.ge} to {info.le}"
    if info.gt is not None and info.le is not None:
        return f" greater than {info.gt:g} and at most {info.le:g}"
    if info.gt is not None:
        return f" greater than {info.gt:g}"
    if info.ge is not None:
        return f" of at least {info.ge:g}"
    return ""


def nearest(name: str, known: list[str]) -> str:
    """Give `` (did you mean …?)`` where a known name is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def shown(value: Any) -> str:
    """Give a value as an error message shows it: as JSON, cut to what fits into a line."""
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
