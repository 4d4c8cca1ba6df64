"""Senders that stop in the middle: nobody is waited for without an end, and nobody else waits with them."""

import asyncio
from pathlib import Path

import pytest

from hookbridge.web import arriving, server
from tests.support.books import hint, send, settled
from tests.support.running import Running, make_settings, running
from tests.support.wire import POST, Wire, ask


async def closed(service: Running, sent: bytes) -> None:
    """Send these bytes and nothing more, and wait until the service closes the connection."""
    wire = await Wire.open(service)
    try:
        wire.writer.write(sent)
        async with asyncio.timeout(30):
            await wire.reader.read()
    finally:
        await wire.close()


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
async def test_a_body_that_stops_is_given_up(client: Running, monkeypatch: pytest.MonkeyPatch, framing: bytes) -> None:
    monkeypatch.setattr(arriving, "ARRIVAL_SECONDS", 0.05)
    answer = await ask(client, POST + framing)
    assert (answer.status, answer.json()["error"]) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "sent", [b"", b"POST /api/v1/webh", POST + b"X-Half: an", POST + b"Content-Length: 2\r\n\r\n{}" + POST]
)
async def test_a_head_that_stops_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server, "KEEPALIVE_SECONDS", 0.1)
    async with running(make_settings(tmp_path)) as service:
        await closed(service, sent)


async def test_three_hundred_that_stopped_keep_nobody_out(client: Running) -> None:
    waiting = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(300)]
    for number, (_, writer) in enumerate(waiting):
        writer.write(POST + (b"" if number % 2 else b"Content-Length: 9\r\n\r\n{"))
    await send(client, hint(1))
    assert (await settled(client))["applied"] == 1
    for _, writer in waiting:
        writer.close()
        await writer.wait_closed()
