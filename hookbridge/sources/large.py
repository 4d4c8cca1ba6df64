"""What is done with a large document, and neither the event loop nor the garbage collector is kept busy by it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

LARGE_BYTES_MIN = 64 * 1024
"""From this size on it matters to others what is done with a document."""

_Asked = ParamSpec("_Asked")
_Value = TypeVar("_Value")


def uncollected(decode: Callable[[bytes], _Value]) -> Callable[[bytes], _Value]:
    """Give a decoder that keeps the garbage collector from looking at a large document while it grows.

    It would go through all that is there again and again, although none of it can be garbage: 0.5 of 0.6 s for 2 MB of
    nested lists (measured).
    """

    def decoded(document: bytes) -> _Value:
        if len(document) < LARGE_BYTES_MIN:
            return decode(document)
        with _at_rest():
            return decode(document)

    return decoded


async def aside(size: int, work: Callable[_Asked, _Value], *args: _Asked.args, **kwargs: _Asked.kwargs) -> _Value:
    """Give what pure work gives that has so many bytes to do; much of it is done in a thread, uncollected.

    Python's own steps take turns with the loop there: hashing the values of 2 MB of nested lists held it for 11 s.
    Raises what the work raises.
    """
    if size < LARGE_BYTES_MIN:
        return work(*args, **kwargs)

    def worked() -> _Value:
        with _at_rest():
            return work(*args, **kwargs)

    return await asyncio.to_thread(worked)


@contextmanager
def _at_rest() -> Iterator[None]:
    """Keep the collector at rest.  Whoever stopped it starts it again, of several at once the first that ends."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
