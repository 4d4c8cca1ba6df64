"""HTTP as bytes, for requests that no client library would send."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import msgspec

from tests.support.running import Client

POST = b"POST /api/v1/webhooks/supabase HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class RawAnswer(msgspec.Struct, frozen=True):
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401  any JSON value
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, service: Client) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", service.port))

    async def answer(self) -> RawAnswer:
        """Read one answer; a test that waits for nothing ends with the deadline."""
        async with asyncio.timeout(30):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return RawAnswer(int(first.split()[1]), headers, body)

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):  # the service may have been first
            await self.writer.wait_closed()


async def ask(service: Client, *parts: bytes) -> RawAnswer:
    """Send these bytes over a connection of their own, and read the answer."""
    wire = await Wire.open(service)
    try:
        for part in parts:
            wire.writer.write(part)
        return await wire.answer()
    finally:
        await wire.close()
