"""What a table is called, and what an id that is a UUID looks like: one spelling of each, whoever wrote it.  Pure.

What else can be a record's id, and which columns it is made of, its source says (``sources/ids``).
"""

from __future__ import annotations

import re

from hookbridge.model import SourceName

SCHEMA = "public"
"""The schema of a table whose name says none."""

NAME_MAX = 255
NAME_EXPECTED = f"expected 1 to {NAME_MAX} characters without a colon or control characters"

# A colon ends the table in a record's name; control characters have no place in either.
_NAME = re.compile(rf"[^\x00-\x1f\x7f-\x9f:]{{1,{NAME_MAX}}}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_UUID_CHARACTERS = len("123e4567-e89b-12d3-a456-426614174000")

TITLE_CHARACTERS_MAX = 300
_LOOKED_AT = 8 * TITLE_CHARACTERS_MAX
"""A text of megabytes may be called a title: what stands behind so many of its characters is not looked at."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def is_name(text: str) -> bool:
    """Whether it can be a table's name in a record's name."""
    # The first test is three times as fast and right for nearly every name; it is too strict for some spaces.
    if text.isprintable() and ":" not in text:
        return 0 < len(text) <= NAME_MAX
    return _NAME.fullmatch(text) is not None


def is_schema(text: str) -> bool:
    """Whether it can be a schema's name: the first dot of a table's full name ends its schema."""
    return "." not in text and is_name(text)


def full_name(table: str, schema: str | None = None) -> str:
    """Give a Supabase table's full name: ``users`` is ``public.users``, and ``crm.users`` is one already."""
    if schema is None and "." in table:
        return table
    return f"{schema or SCHEMA}.{table}"


def split(full_name: str) -> tuple[str, str]:
    """Give schema and name of a full name."""
    schema, _, name = full_name.partition(".")
    return schema, name


def short(source: SourceName, table: str) -> str:
    """Give the name of a table that nobody has given a label: ``users`` of ``public.users``, other names whole."""
    return table.removeprefix(f"{SCHEMA}.") if source == "supabase" else table


def one_line(text: str) -> str:
    """Give what people call a record or a table as one line: at most ``TITLE_CHARACTERS_MAX`` characters.

    Control characters are no part of a name, and half a surrogate pair is no character.
    """
    text = text.lstrip()[:_LOOKED_AT]
    if not text.isprintable():
        text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _CONTROLS.sub(" ", text))
    text = " ".join(text.split())
    return text if len(text) <= TITLE_CHARACTERS_MAX else text[: TITLE_CHARACTERS_MAX - 1].rstrip() + "…"


def dashed(id_: str) -> str:
    """Give a UUID in its one form, lower case with dashes; what is none stays as it is (Notion sends both forms)."""
    if not _UUID.fullmatch(id_):
        return id_
    digits = id_.replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_uuid(text: str) -> bool:
    """Whether it is a UUID with dashes, in either case."""
    return len(text) == _UUID_CHARACTERS and _UUID.fullmatch(text) is not None


def is_id(text: str) -> bool:
    """Whether Notion could have made this id; in its one form."""
    return is_uuid(text) and text == text.lower()


def table_of(source: SourceName, written: str) -> str:
    """Write a table as records have it: ``schema.table``, or a Notion database's id with dashes."""
    return full_name(written) if source == "supabase" else dashed(written)
