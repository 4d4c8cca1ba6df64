"""Write docs/configuration.md from the settings' structs and from what config.toml says of each key.

A test fails while the page is not what this would write.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import get_type_hints

import msgspec

from hookbridge.config import Config, Section
from hookbridge.settings.values import expected

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "configuration.md"
HEAD = """# Configuration

Written by `scripts/config-reference` from the settings themselves. Keys stand in `config.toml`; `.env` has precedence
over it, and the environment over both. There, `[section] key` is `HOOKBRIDGE_<SECTION>__<KEY>`, and lists are JSON or
separated by commas. The unit of a value is the end of its key's name: `_seconds`, `_bytes`, `_days`. Secrets never
stand in the file: [.env.example](../.env.example) lists them.
"""
BLOCKS = """Keys of each `[[{name}]]` block. They have no variables of their own: `{variable}` is the whole
list as JSON, in place of the file's blocks, such as `{example}`."""
EXAMPLES = {
    "supabase.tables": '[{"name": "users", "changed_at": "updated_at"}]',
    "notion.databases": '[{"id": "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d"}]',
    "destinations": '[{"name": "search", "url": "https://example.com/changes", "secret": "{env:SEARCH_SECRET}"}]',
    "cache.keys": '[{"source": "supabase", "table": "users", "templates": ["user:{id}"]}]',
}


def meanings(text: str) -> dict[tuple[str, str], str]:
    """Give what the file says behind each key, by section and key; commented examples count as well."""
    found, section = {}, ""
    for line in text.splitlines():
        bare = re.sub(r"^# (?=\[|\w+ = )", "", line)
        if head := re.match(r"\[+([\w.]+)\]+", bare):
            section = head[1]
        elif key := re.match(r"(\w+) = .*?(?:\s#\s*(.*))?$", bare):
            found[section, key[1]] = key[2] or ""
    return found


def written(value: object) -> str:
    """Give a default as the file would have it."""
    if value is msgspec.NODEFAULT:
        return "required"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return "none" if value is None else f"`{msgspec.json.encode(value).decode()}`"


def rows(name: str, kind: type[msgspec.Struct], said: dict[tuple[str, str], str]) -> list[str]:
    """Give one section as a table, and those within it after it."""
    lines, within = [f"## {name}", ""], []
    if name in EXAMPLES:
        variable = f"HOOKBRIDGE_{name.replace('.', '__').upper()}"
        lines += [BLOCKS.format(name=name, variable=variable, example=EXAMPLES[name]), ""]
    lines += ["| key | default | takes | meaning |", "|---|---|---|---|"]
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        inner = block(field.type)
        if inner is not None:
            within += ["", *rows(f"{name}.{field.name}", inner, said)]
            continue
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        cells = f"`{field.name}`", written(default), expected(hints[field.name]), said[name, field.name]
        lines.append(f"| {' | '.join(cells)} |")
    return lines + within


def block(kind: object) -> type[Section] | None:
    """Give the section that each block of a list is; None for what is no such list."""
    return next((one for one in getattr(kind, "__args__", ()) if is_section(one)), None)


def is_section(kind: object) -> bool:
    """Say whether a type is a section of its own."""
    return isinstance(kind, type) and issubclass(kind, Section)


def page() -> str:
    """Give the whole page."""
    said = meanings((ROOT / "config.toml").read_text())
    parts = [HEAD]
    for field in msgspec.structs.fields(Config):
        parts += ["\n".join(rows(field.name, block(field.type) or field.type, said)), ""]
    return "\n".join(parts)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="scripts/config-reference", description=__doc__).parse_args()
    PAGE.write_text(page())
