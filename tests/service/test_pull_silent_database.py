"""Over `SUPABASE_DB_URL`: a database that takes a connection and then says nothing more."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from hookbridge.errors import SourceUnavailable
from hookbridge.sources.supabase.pull import OverDatabase

_GREETING = (
    b"R\x00\x00\x00\x08\x00\x00\x00\x00"  # no password is asked for
    b"S\x00\x00\x00\x18server_version\x0017.0\x00"
    b"Z\x00\x00\x00\x05I"
)
_BEGUN = b"C\x00\x00\x00\x0aBEGIN\x00Z\x00\x00\x00\x05T"


class Silent:
    """It begins a transaction, and answers nothing that is asked in it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._frame(reader)
            writer.write(_GREETING)
            while kind := await reader.readexactly(1):
                await self._frame(reader)
                if kind == b"Q" and not self.asked.is_set():
                    writer.write(_BEGUN)
                if kind == b"P":
                    self.asked.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @staticmethod
    async def _frame(reader: asyncio.StreamReader) -> None:
        length = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(length - 4)


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    there = Silent()
    server = await asyncio.start_server(there.serve, "127.0.0.1", 0)
    there.port = server.sockets[0].getsockname()[1]
    yield there
    server.close()


def outbox(there: Silent, timeout_seconds: float) -> OverDatabase:
    url = f"postgresql://owner:secret@127.0.0.1:{there.port}/postgres?sslmode=disable"
    return OverDatabase(url, "public", timeout_seconds)


@pytest.mark.on("sqlite")
async def test_who_takes_is_cancelled_although_the_database_says_nothing(silent: Silent) -> None:
    taking = asyncio.create_task(outbox(silent, 0.5).take("a store"))
    await silent.asked.wait()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking


@pytest.mark.on("sqlite")
async def test_it_is_not_waited_for_without_an_end(silent: Silent) -> None:
    with pytest.raises(SourceUnavailable):
        await outbox(silent, 0.1).take("a store")
