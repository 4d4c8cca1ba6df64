"""``@bridge.on``: the user's own functions, registered and matched.

Handlers run in the order of their registration, at least once for each change.  This module calls none of them
(``steps/handlers`` does) and imports nothing heavy: a user's module imports it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from hookbridge.errors import StartupError, named
from hookbridge.model import SOURCES, Change, SourceName
from hookbridge.names import NAME_EXPECTED, is_name, table_of
from hookbridge.observe.places import of_traceback, place

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
    """Where handlers are registered: ``bridge``, or one that a module, or a test, makes for itself."""

    def __init__(self) -> None:
        self._registered: list[_Registered] = []

    def __bool__(self) -> bool:
        """Whether there is any handler."""
        return bool(self._registered)

    def on(
        self, source: SourceName, *, table: str | None = None, event: str | None = None
    ) -> Callable[[HandlerT], HandlerT]:
        """Register an async function for the changes of a source.

        ``table`` narrows to one table (``users`` is ``public.users``) or one Notion database (its id, with or without
        dashes), ``event`` to changes with an ``insert``, ``update`` or ``delete`` among their events.

        Raises ValueError for a source, event or table that there cannot be, TypeError for a function that is not async.
        """
        if source not in SOURCES:
            msg = f"bridge.on: there is no source {source!r}; expected {' or '.join(SOURCES)}"
            raise ValueError(msg)
        if event is not None and event.lower() not in EVENTS:
            msg = f"bridge.on: there is no event {event!r}; expected {', '.join(EVENTS)}"
            raise ValueError(msg)
        if table is not None and not is_name(table):
            msg = f"bridge.on: {table!r} is no table's name: {NAME_EXPECTED}; leave it out for all tables"
            raise ValueError(msg)

        def register(handler: HandlerT) -> HandlerT:
            is_async: bool = inspect.iscoroutinefunction(handler)
            if not is_async:
                msg = f"bridge.on: {getattr(handler, '__qualname__', handler)!s} must be an async function"
                raise TypeError(msg)
            where = None if table is None else table_of(source, table)
            self._registered.append(_Registered(handler, source, where, event.lower() if event else None))
            return handler

        return register

    def names(self) -> tuple[str, ...]:
        """Give the names of all handlers, each once."""
        return tuple(dict.fromkeys(map(name_of, self.handlers())))

    def handlers(self) -> list[Handler]:
        """Give all handlers, in the order of their registration."""
        return [one.handler for one in self._registered]

    def listens(self, source: SourceName, table: str) -> bool:
        """Whether any handler could match a change of this table."""
        return any(one.source == source and one.table in (None, table) for one in self._registered)

    def matching(self, change: Change) -> list[Handler]:
        """Give the handlers of a change, in the order of their registration."""
        return [one.handler for one in self._registered if one.matches(change)]


def name_of(handler: Handler) -> str:
    """Name a handler for people, with its file: ``greet (my_handlers.py)``."""
    return f"{_name_alone(handler)} ({Path(file_of(handler)).name})"


def name_at(handler: Handler, place: str | None) -> str:
    """Name a handler with a place in the user's code, where there is one: ``greet (my_handlers.py:7)``."""
    return name_of(handler) if place is None else f"{_name_alone(handler)} ({place})"


def file_of(handler: Handler) -> str:
    """Give the file of the function itself, below its decorators."""
    code = getattr(inspect.unwrap(_bare(handler)), "__code__", None)
    return code.co_filename if code is not None else "?"


def _name_alone(handler: Handler) -> str:
    bare = _bare(handler)
    return getattr(bare, "__qualname__", None) or type(bare).__qualname__


def _bare(handler: Handler) -> Handler:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return handler


bridge = Bridge()
"""Where everything is registered that makes none of its own."""


def load_handlers(module: str, folder: Path) -> Bridge:
    """Import the module that ``[handlers] module`` names, from the import path or from ``folder``; give its bridge.

    That is the one it has among its names, else the default one.  Raises StartupError with what the module itself
    raised and where, and when there are several with handlers, or none.
    """
    # At the end, and for good: nothing there may stand in for an installed package, and a handler may import later.
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    registered_before = len(bridge.handlers())
    try:
        names = vars(importlib.import_module(module))
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        # A Ctrl-C of the user's does not come out here: asyncio makes it a cancellation.
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            message = f"The handlers' module {module} was not found"
            raise StartupError(message, hint=f"put {module}.py into {folder}, or correct [handlers] module") from error
        message = f"The handlers' module {module} could not be imported: {_failure_of(error)}"
        raise StartupError(message, hint="correct it, or take it out of [handlers] module") from error
    own = {id(one): one for one in names.values() if isinstance(one, Bridge) and one is not bridge and one.handlers()}
    if len(bridge.handlers()) > registered_before:  # by the module, or by one that it imports
        own[id(bridge)] = bridge
    if len(own) > 1:
        message = f"The handlers' module {module} has handlers at {len(own)} bridges, and one is called"
        raise StartupError(message, hint="register them all at one: hookbridge.bridge, or a Bridge() of its own")
    found = next(iter(own.values()), bridge)
    if not found:
        message = f"The handlers' module {module} registers no handler"
        raise StartupError(
            message, hint='decorate an async function with @bridge.on("supabase") or @bridge.on("notion")'
        )
    return found


def _failure_of(error: BaseException) -> str:
    """Say in one line what a module raised, and the line of the user's code that led to it."""
    if isinstance(error, SyntaxError):
        return named(error)  # with its own file and line
    # Where what it calls refuses it (``bridge.on`` does), the line to look at is still its own.
    own = place(of_traceback(error.__traceback__), home="")
    if own is None:  # an installed one has no line of the user's
        frame = traceback.extract_tb(error.__traceback__)[-1]
        own = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"{named(error)} ({own.replace(':', ', line ')})"
