"""``@bridge.on``: the user's own functions, registered and matched.

Handlers run in the order of their registration, at least once for each change.  This module calls none of them
(``steps/handlers`` does) and imports nothing heavy: a user's module imports it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from hookbridge.errors import StartupError
from hookbridge.model import SOURCES, Change, SourceName

Handler = Callable[[Change], Awaitable[None]]
HandlerT = TypeVar("HandlerT", bound=Handler)

EVENTS = ("insert", "update", "delete")


class _Registered(msgspec.Struct, frozen=True):
    handler: Handler
    source: SourceName
    table: str | None
    event: str | None

    def matches(self, change: Change) -> bool:
        return (
            change.record.source == self.source
            and self.table in (None, change.record.table)
            and (self.event is None or any(one.event.type == self.event for one in change.events))
        )


class Bridge:
    """Where handlers are registered.  Modules use the one instance, ``bridge``."""

    def __init__(self) -> None:
        self._registered: list[_Registered] = []

    def on(
        self, source: SourceName, *, table: str | None = None, event: str | None = None
    ) -> Callable[[HandlerT], HandlerT]:
        """Register an async function for the changes of a source.

        ``table`` narrows to one table (``users`` is ``public.users``) or one Notion database (its id, with or without
        dashes), ``event`` to changes with an ``insert``, ``update`` or ``delete`` among their events.

        Raises ValueError for a source or an event that there is not, TypeError for a function that is not async.
        """
        if source not in SOURCES:
            msg = f"bridge.on: there is no source {source!r}; expected {' or '.join(SOURCES)}"
            raise ValueError(msg)
        if event is not None and event.lower() not in EVENTS:
            msg = f"bridge.on: there is no event {event!r}; expected {', '.join(EVENTS)}"
            raise ValueError(msg)

        def register(handler: HandlerT) -> HandlerT:
            is_async: bool = inspect.iscoroutinefunction(handler)
            if not is_async:
                msg = f"bridge.on: {getattr(handler, '__qualname__', handler)!s} must be an async function"
                raise TypeError(msg)
            self._registered.append(
                _Registered(handler, source, _normal(source, table), event.lower() if event else None)
            )
            return handler

        return register

    def matching(self, change: Change) -> list[Handler]:
        """Give the handlers of a change, in the order of their registration."""
        return [one.handler for one in self._registered if one.matches(change)]


def _normal(source: SourceName, table: str | None) -> str | None:
    """Write a table as records have it: ``schema.table``, or an id of 32 digits with dashes."""
    if table is None:
        return None
    if source == "supabase":
        return table if "." in table else f"public.{table}"
    digits = table.replace("-", "").lower()
    if len(digits) == 32 and all(sign in "0123456789abcdef" for sign in digits):  # noqa: PLR2004  a UUID
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return table


bridge = Bridge()


def load_handlers(module: str, folder: Path) -> None:
    """Import the module that ``[handlers] module`` names; it is looked for in ``folder`` first.

    Raises StartupError, with what the module itself raised.
    """
    sys.path.insert(0, str(folder))
    try:
        importlib.import_module(module)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]:
            message, hint = f"The handlers' module {module} was not found", f"put {module}.py into {folder}"
        else:
            message = f"The handlers' module {module} could not be imported: {type(error).__name__}: {error}"
            hint = f"python -c 'import {module}' shows where"
        raise StartupError(message, hint=hint) from error
    finally:
        sys.path.remove(str(folder))
