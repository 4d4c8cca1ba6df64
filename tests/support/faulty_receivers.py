"""Destinations that answer as none should: bytes on a connection, one way of failing each."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import NamedTuple

LONG_BYTES = 100_000_000
PATH = "/secret-in-a-path"
POISON = b"poison"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_PIECE = b"x" * 0x10000

Answering = Callable[["Faulty", asyncio.StreamWriter, bytes], Awaitable[None]]


class Faulty:
    """One of them."""

    def __init__(self, answering: Answering) -> None:
        self.paths: list[bytes] = []
        """Of the requests that came."""
        self.sent = 0
        """How many bytes of answers were taken off it, of the longest one."""
        self._answering = answering
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes on one connection, until somebody closes it or ``end`` is called."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            # An end by ``end`` is no failure: asyncio would log it as one.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    self.paths.append(head.split()[1])
                    found = _LENGTH.search(head)
                    body = await reader.readexactly(int(found[1]) if found else 0)
                    await self._answering(self, writer, body)
        finally:
            self._serving.discard(task)
            writer.close()

    async def end(self) -> None:
        """End all connections."""
        serving = [*self._serving]
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)

    async def write_on(self, writer: asyncio.StreamWriter, piece: bytes, most: int) -> None:
        """Write the same again and again, as far as it is taken."""
        sent = 0
        while sent < most:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            self.sent = max(self.sent, sent)


def saying(answer: bytes, *, closes: bool = False) -> Answering:
    """Make one that always says this."""

    async def says(_: Faulty, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(answer)
        await writer.drain()
        if closes:
            writer.close()
            raise ConnectionResetError

    return says


async def _never(_: Faulty, __: asyncio.StreamWriter, ___: bytes) -> None:
    """Say nothing, and wait for more."""


async def _slowly(_: Faulty, writer: asyncio.StreamWriter, __: bytes) -> None:
    for byte in b"HTTP/1.1 204 No Content\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.2)  # the whole of it takes longer than anybody waits


async def _one_record(_: Faulty, writer: asyncio.StreamWriter, body: bytes) -> None:
    status = b"500 Internal Server Error" if POISON in body else b"204 No Content"
    writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)
    await writer.drain()


def _long(status: bytes, more: bytes = b"") -> Answering:
    async def says(self: Faulty, writer: asyncio.StreamWriter, _: bytes) -> None:
        writer.write(b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n" % (status, more, LONG_BYTES))
        await self.write_on(writer, _PIECE, LONG_BYTES)

    return says


async def _endless_headers(self: Faulty, writer: asyncio.StreamWriter, _: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await self.write_on(writer, b"X-More: and more\r\n" * 1000, LONG_BYTES)


class Fault(NamedTuple):
    """A way of failing, and what an operator is shown of it."""

    answering: Answering
    state: str
    says: str


REDIRECTED = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
CUT_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\nabc"
BAD_CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n"

FAULTS: Mapping[str, Fault] = {
    "never": Fault(_never, "down", "did not answer within"),
    "slowly": Fault(_slowly, "down", "did not answer within"),
    "redirects": Fault(saying(REDIRECTED), "down", "redirections are never followed"),
    "closes": Fault(saying(b"HTTP/1.1 200 OK\r\nContent-Le", closes=True), "down", "closed the connection"),
    "bad-chunk": Fault(saying(BAD_CHUNK), "down", "no HTTP"),
    "no-http": Fault(saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "down", "no HTTP"),
    "one-record": Fault(_one_record, "down", "it answered 500"),
    "long-error": Fault(_long(b"503 Service Unavailable"), "down", "it answered 503"),
    "endless-headers": Fault(_endless_headers, "down", "no HTTP: Too many headers"),
    "cut-chunk": Fault(saying(CUT_CHUNK, closes=True), "running", ""),
    "long-answer": Fault(_long(b"200 OK"), "running", ""),
    "long-gzip": Fault(_long(b"200 OK", b"Content-Encoding: gzip\r\n"), "running", ""),
}
"""By the names that the destinations have; of those that took the message only the answer is broken."""


@asynccontextmanager
async def faulty_receivers() -> AsyncIterator[dict[str, tuple[str, Faulty]]]:
    """Serve one of each; gives the URL of each, and what it has seen."""
    async with AsyncExitStack() as stack:
        there = {}
        for name, fault in FAULTS.items():
            one = Faulty(fault.answering)
            server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
            stack.push_async_callback(one.end)
            stack.callback(server.close)
            there[name] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}", one
        yield there
