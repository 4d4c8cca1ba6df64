"""What ``config.toml`` says, held against the structs key by key.

msgspec stops at the first mistake, and a user wants to see all of them: so every key is converted by itself.
"""

from __future__ import annotations

import difflib
from typing import Any, cast, get_type_hints

import msgspec

from hookbridge.config import Config, Section
from hookbridge.settings.secrets import NAMES as SECRETS
from hookbridge.settings.values import convert, expected, nearest, shown

_REPLACED = {"retention__tombstone_hours": "tombstone_days, in days,"}
"""What has the place of a key that was there once."""

MAY_HOLD_SECRETS = ("alerts", "destinations")
"""Whose values are in no message: secrets, headers and URLs of chats stand among them."""

_SECRET_WORDS = {"apikey", "key", "password", "secret", "secrets", "token"}


def read_sections(written: dict[str, Any], file: str, problems: list[str]) -> dict[str, Any]:
    """Give every section, and the blocks that stand in none, with defaults for what is not written."""
    types = get_type_hints(Config)
    problems += [
        f"{file}: [{name}]: {_unknown('section', name, '', list(types))}" for name in written if name not in types
    ]
    sections: dict[str, Any] = {}
    for name, type_ in types.items():
        value = written.get(name, [] if is_blocks(type_) else {})
        if is_blocks(type_):
            sections[name] = read_value(value, type_, name, f"{file}: {name}", problems)
        elif isinstance(value, dict):
            sections[name] = _struct(value, type_, name, f"{file}: [{name}]", problems)
        else:
            problems.append(f"{file}: {name}: expected a section [{name}], got {shown(value)}")
            sections[name] = type_()
    return sections


def _struct(written: dict[str, Any], type_: type[Section], section: str, where: str, problems: list[str]) -> Section:
    hints = get_type_hints(type_, include_extras=True)
    required = {field.name for field in msgspec.structs.fields(type_) if field.required}
    before = len(problems)
    values = {}
    for key, value in written.items():
        if key in hints:
            values[key] = read_value(value, hints[key], section, f"{where} {key}", problems)
        else:
            problems.append(f"{where} {key}: {_unknown('key', key, section, list(hints))}")
    problems += [f"{where} {key}: missing, expected {expected(hints[key])}" for key in sorted(required - set(written))]
    # After a problem the value is only a stand-in: load() does not return it.
    return type_(**values) if len(problems) == before else type_(**dict.fromkeys(required, "-"))


def read_value(value: Any, type_: Any, section: str, where: str, problems: list[str]) -> Any:
    """Give one key's value, block by block where it holds some; ``where`` begins what is said of a mistake."""
    block = _block(type_)
    if block is not None and isinstance(value, list) and all(isinstance(one, dict) for one in value):
        numbered = enumerate(value, start=1)
        return tuple(_struct(one, block, section, f"{where}[{number}]", problems) for number, one in numbered)
    try:
        return convert(value, type_)
    except ValueError:
        problems.append(f"{where}: {mistaken(value, type_, section)}")
        return None


def mistaken(value: Any, type_: Any, section: str) -> str:
    """Say what was expected instead of a value, and the value where no secret can stand in it."""
    got = "" if section in MAY_HOLD_SECRETS else f", got {shown(value)}"
    return f"expected {expected(type_)}{got}"


def replaced(name: str) -> str | None:
    """Say what has the place of a key (``section__key``) that was there once."""
    instead = _REPLACED.get(name.lower())
    return None if instead is None else f"is gone; {instead} has its place"


def is_blocks(type_: Any) -> bool:
    """Whether a key holds blocks."""
    return _block(type_) is not None


def _block(type_: Any) -> type[Section] | None:
    """Give the struct of a list of blocks (``[[supabase.tables]]``)."""
    info = msgspec.inspect.type_info(type_)
    if isinstance(info, msgspec.inspect.VarTupleType) and isinstance(info.item_type, msgspec.inspect.StructType):
        return cast("type[Section]", info.item_type.cls)
    return None


def _unknown(what: str, name: str, section: str, known: list[str]) -> str:
    """Say that a name is unknown, what has its place by now, or where a secret belongs that was looked for here."""
    if (instead := replaced(f"{section}__{name}")) is not None:
        return instead
    full = f"{section}_{name}".upper().strip("_")
    is_secret = name.upper() in SECRETS or full in SECRETS or _SECRET_WORDS.intersection(name.lower().split("_"))
    if not is_secret or difflib.get_close_matches(name, known, cutoff=0.9):
        return f"unknown {what}{nearest(name, known)}"
    near = difflib.get_close_matches(full, SECRETS, n=1)
    return f"unknown {what}; secrets stand in the environment or .env" + (f", as {near[0]}" if near else "")
