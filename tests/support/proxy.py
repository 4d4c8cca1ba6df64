"""A proxy between the service and a source, for what a source itself does not do to its bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

DRIP_SECONDS = 0.02


class Proxy:
    """Passes connections on; `dripping` gives answers out byte by byte, and so slowly that they never end in time."""

    def __init__(self, target: str) -> None:
        self._target = target.rpartition("/")[2].rpartition(":")
        self.dripping = False
        self.url = ""

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            for part in [bytes([one]) for one in data] if drips and self.dripping else [data]:
                writer.write(part)
                await writer.drain()
                if drips and self.dripping:
                    await asyncio.sleep(DRIP_SECONDS)
        writer.close()


@asynccontextmanager
async def proxied(target: str, certificate: Path | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy before a source; with a certificate (and its key in one file) it speaks TLS."""
    proxy = Proxy(target)
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(proxy.pass_on(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    proxy.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


__all__ = ["Proxy", "proxied"]
