"""Senders that stop in the middle: nobody is waited for without an end, and nobody else waits with them."""

import asyncio
import json
from pathlib import Path

import pytest

from hookbridge.web import bodies, server
from tests.support.books import hint, send, settled
from tests.support.running import Running, make_settings, running

HEAD = b"POST /api/v1/webhooks/supabase HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"


async def answer_of(service: Running, *parts: bytes) -> bytes:
    """Send these bytes and nothing more; gives all that comes until the service closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        for part in parts:
            writer.write(part)
        await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("framing", [b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"])
async def test_a_body_that_stops_is_given_up(client: Running, monkeypatch: pytest.MonkeyPatch, framing: bytes) -> None:
    monkeypatch.setattr(bodies, "ARRIVAL_SECONDS", 0.05)
    head, _, body = (await answer_of(client, HEAD + framing)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["error"] == "request_timeout"


@pytest.mark.parametrize(
    "sent", [b"", b"POST /api/v1/webh", HEAD + b"X-Half: an", HEAD + b"Content-Length: 2\r\n\r\n{}" + HEAD]
)
async def test_a_head_that_stops_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(server, "KEEPALIVE_SECONDS", 0.1)
    async with running(make_settings(tmp_path)) as service:
        await answer_of(service, sent)  # returns: the connection was closed


async def test_three_hundred_that_stopped_keep_nobody_out(client: Running) -> None:
    waiting = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(300)]
    for number, (_, writer) in enumerate(waiting):
        writer.write(HEAD + (b"" if number % 2 else b"Content-Length: 9\r\n\r\n{"))
    await send(client, hint(1))
    assert (await settled(client))["applied"] == 1
    for _, writer in waiting:
        writer.close()
        await writer.wait_closed()
