"""Senders that stop in the middle: nobody is waited for without an end, and nobody else waits with them."""

import asyncio
import os
import socket
from pathlib import Path

import pytest
from yarl import URL

from hookbridge.web import arriving, server
from tests.support.books import hint, send, settled
from tests.support.processes import process
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until
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


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not show what is open")
@pytest.mark.parametrize("sent", [b"", b"G", b"GET /healthz HTTP/1.1\r\n"])
async def test_senders_that_are_gone_before_they_were_heard_are_let_go(tmp_path: Path, sent: bytes) -> None:
    async with process(tmp_path) as service:
        port = URL(service.url).port
        assert port is not None

        def come_and_go() -> None:
            for _ in range(200):
                with socket.create_connection(("127.0.0.1", port)) as one:
                    one.sendall(sent)

        async def opened() -> int:
            return len(await asyncio.to_thread(os.listdir, f"/proc/{service.pid}/fd"))

        before = await opened()
        await asyncio.to_thread(come_and_go)

        async def gone() -> bool:
            return await opened() <= before + 5

        await wait_until(gone)  # an idle connection is kept for 75 s
