"""The column types by their PostgreSQL names."""

import re
from collections.abc import Callable

from hookbridge.standins.postgrest.containers import Array, JsonColumn, JsonText
from hookbridge.standins.postgrest.kinds import Boolean, Bytea, Citext, Enum, Text, Uuid
from hookbridge.standins.postgrest.moments import Session
from hookbridge.standins.postgrest.numbers import INTEGERS, Float, Integer, Numeric, Real
from hookbridge.standins.postgrest.times import Date, Timestamp, ZonedTimestamp

_ALIASES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "serial": "integer",
    "bigserial": "bigint",
    "bool": "boolean",
    "decimal": "numeric",
    "float8": "double precision",
    "float4": "real",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "varchar": "character varying",
}
_KINDS: dict[str, Callable[[str], Text]] = {
    **dict.fromkeys(INTEGERS, Integer),
    "boolean": Boolean,
    "numeric": Numeric,
    "double precision": Float,
    "real": Real,
    "uuid": Uuid,
    "citext": Citext,
    "bytea": Bytea,
    "json": JsonText,
    "jsonb": JsonColumn,
}
_TIMES: dict[str, Callable[[str, Session], Text]] = {
    "timestamp with time zone": ZonedTimestamp,
    "timestamp without time zone": Timestamp,
    "date": Date,
}
_ENUM = re.compile(r"enum (\w+)\((.*)\)")


def column_type(name: str, session: Session) -> Text:
    """The type with this PostgreSQL name or alias; `type[]` is an array; an unknown name behaves as text.

    `enum mood(sad, happy)` is an enumeration of that name with these labels.
    """
    labelled = _ENUM.fullmatch(name)
    if labelled:
        return Enum(labelled[1], [label.strip() for label in labelled[2].split(",")])
    bare = re.sub(r"\(.*\)", "", name.strip().lower()).strip()
    if bare.endswith("[]"):
        element = column_type(bare[:-2], session)
        return Array(f"{element.name}[]", element)
    full = _ALIASES.get(bare, bare)
    return _TIMES[full](full, session) if full in _TIMES else _KINDS.get(full, Text)(full)
