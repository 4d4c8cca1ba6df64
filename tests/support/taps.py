"""What SQLite is told to do, overheard."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


class Tap:
    """Hears every statement that these connections run, with its parameters in place.

    The callback stays until they close.  To take it away waits for the connection with the interpreter's lock in hand,
    and a thread that is in a statement of that connection waits for that lock to call back: both for ever.
    """

    def __init__(self, *connections: sqlite3.Connection) -> None:
        self._into: list[str] | None = None
        for connection in connections:
            connection.set_trace_callback(self._hear)

    def _hear(self, statement: str) -> None:
        if (into := self._into) is not None:
            into.append(statement)

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """What is run meanwhile, in its order."""
        heard = self._into = []
        try:
            yield heard
        finally:
            self._into = None
