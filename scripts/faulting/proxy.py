"""A proxy between the service and what it reads from, for what that itself does not do to its bytes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CERTIFICATES = Path(__file__).parent / "certificates"
"""Made for these tests, each with its key, for 127.0.0.1: the service is told to trust one of them."""
TRUSTED = CERTIFICATES / "trusted_by_the_test.pem"
UNTRUSTED = CERTIFICATES / "nobody_trusts_this.pem"

DRIP_SECONDS = 0.02


class Proxy:
    """Passes connections on.

    `dripping` gives answers out byte by byte, and so slowly that they never end in time; while it is not `passing`,
    nothing comes through, and nobody hangs up.
    """

    def __init__(self, target: str, certificate: Path | None) -> None:
        self._target = target.rpartition("/")[2].rpartition(":")
        self._context = None if certificate is None else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self.dripping = False
        self.passing = asyncio.Event()
        self.passing.set()
        if certificate is not None:
            self.present(certificate)

    @property
    def url(self) -> str:
        """Where it listens; known once it has begun to."""
        return f"http{'s' if self._context else ''}://127.0.0.1:{self._port}"

    def present(self, certificate: Path) -> None:
        """Show this certificate from now on, also to those who are connected: they have to come again."""
        assert self._context is not None
        self._context.load_cert_chain(certificate)
        self.cut()

    async def listen(self) -> None:
        """Take connections, at the same port each time."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port, ssl=self._context)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take no connections, and end those that are open, until `listen`."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def cut(self) -> None:
        """End the connections that are open, in the middle of what they carry."""
        for connection in self._connections:
            connection.cancel()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._pass_on(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side hangs up."""
        writers = [writer]
        try:
            ours, theirs = await asyncio.open_connection(self._target[0], int(self._target[2]))
            writers.append(theirs)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, theirs))
                group.create_task(self._copy(ours, writer, drips=True))
        except* OSError:
            pass  # a side that hangs up is what this is for
        finally:
            for one in writers:
                one.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, drips: bool = False) -> None:
        while data := await reader.read(65536):
            await self.passing.wait()
            for part in [bytes([one]) for one in data] if drips and self.dripping else [data]:
                writer.write(part)
                await writer.drain()
                if drips and self.dripping:
                    await asyncio.sleep(DRIP_SECONDS)
        writer.close()


@asynccontextmanager
async def proxied(target: str, certificate: Path | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy before a source; with a certificate (and its key in one file) it speaks TLS."""
    proxy = Proxy(target, certificate)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.refuse()
