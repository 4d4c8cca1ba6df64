"""The addresses of a name, asked for in a thread that nobody waits for.

Invariant: a name server that does not answer holds up nothing but its own request.  The event loop has few threads for
names, of which the sources' requests need one too, and its end waits for each of them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Resolver(AbstractResolver):
    """Asks the system, as the event loop would; a connector asks once at a time for a name."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the addresses of a name.  Raises OSError."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[tuple[Any, ...]]] = loop.create_future()

        def ask() -> None:
            found, error = list[tuple[Any, ...]](), None
            try:
                found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            except (OSError, UnicodeError) as why:
                error = why
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(told, found, error)

        def told(found: list[tuple[Any, ...]], error: Exception | None) -> None:
            if answer.done():
                return  # nobody waits for it any more
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        threading.Thread(target=ask, name="name-of-a-destination", daemon=True).start()
        return [
            ResolveResult(hostname=host, host=address[0], port=address[1], family=kind, proto=protocol, flags=NUMERIC)
            for kind, _, protocol, _, address in await answer
        ]

    async def close(self) -> None:
        """Nothing is held: a thread ends with its answer, or with the process."""
