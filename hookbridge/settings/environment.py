"""Variables: ``.env`` beside the file, and ``HOOKBRIDGE_<SECTION>__<KEY>`` over what the file says.

A name that starts with our prefix and means nothing is a mistake and refused.  What a secret is worth is not known
here: ``settings/secrets`` reads those.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from dotenv.parser import parse_stream

from hookbridge.config import Config
from hookbridge.settings.destinations import names_in
from hookbridge.settings.secrets import NAMES as SECRETS
from hookbridge.settings.sections import is_blocks, mistaken, read_value, replaced
from hookbridge.settings.texts import is_there, read_text, undressed
from hookbridge.settings.values import from_text, list_of, nearest

PREFIX = "HOOKBRIDGE_"
VERIFY = "VERIFY_WEBHOOK_SIGNATURES"
"""The guide's name for ``[signatures] verify``."""
DESTINATIONS = "HOOKBRIDGE_DESTINATIONS"
"""The list of destinations as JSON, in which secrets may stand."""
NOT_OURS = "HOOKBRIDGE_TEST_"
"""What only tests read."""
OF_COMMANDS = ("HOOKBRIDGE_URL",)
"""What commands read that talk to a service elsewhere, and no service."""


def read_dotenv(file: Path, problems: list[str]) -> dict[str, str]:
    """Give the variables of a ``.env`` file, none when there is no file.  Values stand for themselves: no ``${…}``."""
    if not is_there(file):
        return {}
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file.name}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}")
        return {}
    values = {}
    # dotenv_values() would only log that a line makes no sense, and go on without it.
    for binding in parse_stream(io.StringIO(text)):
        # A name alone is no empty value: what its writer meant to set would silently be the default.
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(f"{file.name}: line {binding.original.line}: expected NAME=value")
        elif binding.key is not None:
            values[binding.key] = str(binding.value)
    return values


def undress(values: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Give the variables as their writer meant them, and tell of each of ours that came otherwise."""
    bare: dict[str, str] = {}
    for name, value in values.items():
        if name.startswith(PREFIX) or name == VERIFY or name.removesuffix("_FILE") in SECRETS:
            bare[name], problem = undressed(value)
            problems += [f"{name}: {problem}"] if problem else []
    return bare


def override(sections: dict[str, Any], values: Mapping[str, str], problems: list[str]) -> None:
    """Apply HOOKBRIDGE_<SECTION>__<KEY> and the guide's switch to the sections, in place."""
    known, blocks = _names(), _blocks()
    for name in blocks.keys() & values.keys():
        section, type_ = blocks[name]
        sections[section] = _read(name, values[name], section, type_, problems)
    theirs = names_in(sections["destinations"] or ())
    for name in sorted(values.keys() - blocks.keys()):
        if name in known:
            section, key, type_ = known[name]
            value = _read(name, values[name], section, type_, problems)
            sections[section] = msgspec.structs.replace(sections[section], **{key: value})
        elif _is_mistaken(name) and name.removesuffix("_FILE") not in theirs:
            instead = replaced(name.removeprefix(PREFIX))
            problems.append(f"{name}: {instead or 'unknown variable' + nearest(name, [*known, *blocks, *SECRETS])}")
    _check_switch(values, problems)


def _read(name: str, text: str, section: str, type_: Any, problems: list[str]) -> Any:
    """Give what a variable says; after a problem, anything: ``load`` does not return it."""
    try:
        if is_blocks(type_):
            return read_value(list_of(text), type_, section, name, problems)
        return from_text(text, type_)
    except ValueError:
        problems.append(f"{name}: {mistaken(text, type_, section)}")
        return None


def _is_mistaken(name: str) -> bool:
    """Whether it looks like one of ours and is none."""
    known = name in OF_COMMANDS or name.removesuffix("_FILE") in SECRETS or name.startswith(NOT_OURS)
    return name.startswith(PREFIX) and not known


def _names() -> dict[str, tuple[str, str, Any]]:
    """Give every variable that is no secret with its section, its key and the key's type."""
    names = {
        f"{PREFIX}{section}__{key}".upper(): (section, key, type_)
        for section, struct in get_type_hints(Config).items()
        if not is_blocks(struct)
        for key, type_ in get_type_hints(struct, include_extras=True).items()
    }
    named = {**names, VERIFY: names[f"{PREFIX}SIGNATURES__VERIFY"]}
    return {name: key for name, key in named.items() if name not in SECRETS}


def _blocks() -> dict[str, tuple[str, Any]]:
    """Give the variables of the blocks that stand in no section, with their name in the file and their type."""
    types = get_type_hints(Config, include_extras=True)
    return {f"{PREFIX}{name}".upper(): (name, type_) for name, type_ in types.items() if is_blocks(type_)}


def _check_switch(values: Mapping[str, str], problems: list[str]) -> None:
    """Refuse the switch's two names with two values: whichever won, someone would believe the other one."""
    ours = f"{PREFIX}SIGNATURES__VERIFY"
    try:
        differ = (
            VERIFY in values and ours in values and from_text(values[VERIFY], bool) != from_text(values[ours], bool)
        )
    except ValueError:
        return  # one of them is no switch, which was told
    if differ:
        problems.append(f"{VERIFY}: {ours} says something else; set one of them")
