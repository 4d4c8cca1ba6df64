"""What a check finds: one line for a person, with a remedy where one is needed.

It does not know how a finding was made, or how it is printed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Literal

import msgspec

from hookbridge.errors import HookbridgeError

State = Literal["ok", "warning", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check."""

    check: str
    """What was looked at, e.g. ``supabase public.users``."""
    state: State
    """``failed``: it does not work; ``warning``: somebody should look; ``skipped``: there was nothing to look at."""
    message: str
    hint: str = ""
    """What to do."""


Findings = AsyncIterator[Finding]
FindingsNow = Iterator[Finding]


def ok(check: str, message: str) -> Finding:
    """It works."""
    return Finding(check=check, state="ok", message=message)


def warning(check: str, message: str, hint: str = "") -> Finding:
    """It works, and somebody should look."""
    return Finding(check=check, state="warning", message=message, hint=hint)


def failed(check: str, message: str, hint: str) -> Finding:
    """It does not work."""
    return Finding(check=check, state="failed", message=message, hint=hint)


def skipped(check: str, message: str, hint: str = "") -> Finding:
    """There was nothing to look at."""
    return Finding(check=check, state="skipped", message=message, hint=hint)


def broken(check: str, error: HookbridgeError, hint: str) -> Finding:
    """It failed with this error; ``hint`` is for errors that bring none."""
    return failed(check, error.message, error.hint or hint)
