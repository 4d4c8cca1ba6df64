"""Texts that Postgres has no form for: those with a zero, and those that are not Unicode."""

from __future__ import annotations


def has_form(text: str) -> bool:
    """Whether Postgres can hold a text.  What it cannot hold is nowhere."""
    return not any(one == "\x00" or "\ud800" <= one <= "\udfff" for one in text)


def shown(text: str | None) -> str | None:
    """Give a text for people as it can be held: no change may stay open because what is shown of it has a zero."""
    return None if text is None else text.replace("\0", "\N{SYMBOL FOR NULL}")
