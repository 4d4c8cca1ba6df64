"""The named members of a JSON object, and of a large one nothing else.

2 MB that are decoded whole hold the event loop for up to 0.2 s, and all that is asked of a body before its ack are a
few names and keys.  Invariants: a large body is refused for what a small one is refused for; what is taken can be
decoded whole later.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from hookbridge.errors import FieldProblem, InvalidFields
from hookbridge.sources.bodies import (
    UNDECODABLE,
    Part,
    decode_object,
    decode_value,
    invalid_json,
    kind,
    refuse_deep,
)
from hookbridge.sources.decodable import refuse_undecodable
from hookbridge.sources.large import LARGE_BYTES_MIN

Members = Mapping[str, Any]
"""By name; the objects and arrays of a large body are ``Raw``."""

_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode


def decode_members(body: bytes, names: tuple[str, ...]) -> Members:
    """Give at least these members, as far as they are there, of a body that must be a JSON object.

    Raises InvalidJson, or InvalidFields where it is another value.
    """
    if len(body) < LARGE_BYTES_MIN:  # a few microseconds, and 6 ms at the most (measured)
        return decode_object(body)
    refuse_deep(body)
    try:
        raw = _found(body, names)
        received = "an object" if raw is not None else kind(_opened(_decode_raw(body)))
        refuse_undecodable(body)
    except UNDECODABLE as error:
        raise invalid_json(error, body) from None
    if raw is None:
        raise InvalidFields([FieldProblem(("body",), f"expected an object, got {received}", "type_error.dict")])
    return {name: _opened(value) for name, value in raw.items()}


def members(of: Part | None, names: tuple[str, ...]) -> Members:
    """Give at least these members, as far as they are there, of an object inside of a body; none of no object."""
    if not isinstance(of, msgspec.Raw):
        return of or {}
    return {name: _opened(value) for name, value in (_found(of, names) or {}).items()}


def _found(document: bytes | msgspec.Raw, names: tuple[str, ...]) -> dict[str, msgspec.Raw] | None:
    """Give the members as they are written; None of what is no object, of which the rest was not looked at then."""
    look = _looking_for(names)
    try:
        return look(document)
    except msgspec.ValidationError:
        return None


@lru_cache(maxsize=256)
def _looking_for(names: tuple[str, ...]) -> Callable[[bytes | msgspec.Raw], dict[str, msgspec.Raw]]:
    fields = {f"at_{place}": name for place, name in enumerate(names)}
    wanted = [(field, msgspec.Raw, None) for field in fields]
    try:
        kind_ = msgspec.defstruct("Named", wanted, rename=fields)
    except ValueError:  # a column with a quote, a backslash or a control character in its name
        return msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    decode = msgspec.json.Decoder(kind_).decode

    def look(document: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
        values = msgspec.structs.astuple(decode(document))
        return {name: value for name, value in zip(names, values, strict=True) if value is not None}

    return look


def _opened(value: msgspec.Raw) -> Any:  # noqa: ANN401  any JSON value
    return value if memoryview(value)[0] in b"[{" else decode_value(value)
