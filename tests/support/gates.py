"""A gate in front of a server: what clients send passes, is held until it opens, or meets nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Gate:
    """A port of its own that leads to the server while the gate is open."""

    url: str

    def __init__(self, host: str, port: int) -> None:
        self.connections = 0
        """How many there are now."""
        self.held = 0
        """How many of them have sent what is held."""
        self.most_at_once = 0
        self._to = host, port
        self._open = asyncio.Event()
        self._open.set()
        self._refuses = False
        self._writers: set[asyncio.StreamWriter] = set()

    def hold(self) -> None:
        """Let nothing that is sent from now on reach the server, until ``open``."""
        self._open.clear()

    def refuse(self) -> None:
        """End all connections, and each new one at once, until ``open``."""
        self._refuses = True
        for writer in self._writers:
            writer.transport.abort()

    def open(self) -> None:
        """Let everything pass."""
        self._refuses = False
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Be one connection."""
        if self._refuses:
            writer.transport.abort()
            return
        to_reader, to_writer = await asyncio.open_connection(*self._to)
        self.connections += 1
        self.most_at_once = max(self.most_at_once, self.connections)
        both = {writer, to_writer}
        self._writers |= both
        ways = [asyncio.ensure_future(self._forth(reader, to_writer)), asyncio.ensure_future(_back(to_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self.connections -= 1
            self._writers -= both
            for one in both:
                one.transport.abort()

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while sent := await reader.read(65536):
                if not self._open.is_set():
                    self.held += 1
                    try:
                        await self._open.wait()
                    finally:
                        self.held -= 1
                writer.write(sent)
                await writer.drain()


async def _back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while answered := await reader.read(65536):
            writer.write(answered)
            await writer.drain()


@asynccontextmanager
async def gate(url: str) -> AsyncIterator[Gate]:
    """Stand in front of the server of this URL."""
    parts = urlsplit(url)
    made = Gate(str(parts.hostname), int(parts.port or 0))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = parts._replace(netloc=f"127.0.0.1:{server.sockets[0].getsockname()[1]}").geturl()
    try:
        yield made
    finally:
        server.close()
        made.refuse()
        await server.wait_closed()
