"""What only looks ends when its client has hung up; who only shut down his side is answered."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from hookbridge.web import protocol
from hookbridge.web.protocol import Protocol
from tests.support.data import searches_stand
from tests.support.running import ADMIN_TOKEN, Running, make_settings, running
from tests.support.waiting import wait_until
from tests.support.wire import Wire

COUNT = b'{"all": true, "dry_run": true}'
LOOKS = {
    "search": ("GET", "/api/v1/search?q=ada", b""),
    "events": ("GET", "/api/v1/events", b""),
    "events by a text": ("GET", "/api/v1/events?q=ada", b""),
    "records": ("GET", "/api/v1/records", b""),
    "records by a text": ("GET", "/api/v1/records?q=ada", b""),
    "count": ("POST", "/api/v1/events/replay", COUNT),
}
"""What may look long, by its name: method, path, body."""

End = Literal["close", "reset"]


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Running]:
    async with asyncio.timeout(120), running(make_settings(tmp_path)) as one:
        yield one


Going = Callable[[], int]


@pytest.fixture
def going(monkeypatch: pytest.MonkeyPatch) -> Going:
    """How many requests are being answered."""
    connections: list[Protocol] = []
    connect = Protocol.connection_made

    def spied(self: Protocol, transport: asyncio.BaseTransport) -> None:
        connections.append(self)
        connect(self, transport)

    monkeypatch.setattr(Protocol, "connection_made", spied)
    return lambda: sum(one.answering is not None and not one.answering.done() for one in connections)


def request(method: str, path: str, body: bytes) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def asked(bridge: Running, name: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(request(*LOOKS[name]))
    return reader, writer


async def hang_up(writer: asyncio.StreamWriter, end: End) -> None:
    if end == "reset":  # as a process does that is killed with an answer unread
        endpoint = writer.get_extra_info("socket")
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("end", ["close", "reset"])
@pytest.mark.parametrize("name", LOOKS)
async def test_what_only_looks_ends_when_its_client_has_hung_up(
    bridge: Running, going: Going, name: str, end: End
) -> None:
    async with searches_stand(bridge, lists=True):
        _, writer = await asked(bridge, name)
        await wait_until(lambda: going() == 1)
        await hang_up(writer, end)
        await wait_until(lambda: going() == 0)
    answer = await bridge.get("/api/v1/events")
    assert answer.status == 200


async def test_a_client_that_stays_is_answered_when_its_turn_comes(bridge: Running, going: Going) -> None:
    async with searches_stand(bridge, lists=True):
        reader, writer = await asked(bridge, "search")
        _, other = await asked(bridge, "search")
        await wait_until(lambda: going() == 2)
        await hang_up(other, "reset")
        await wait_until(lambda: going() == 1)
    assert (await Wire(reader, writer).answer()).status == 200
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("name", LOOKS)
async def test_a_client_that_only_shut_down_its_side_is_answered(
    bridge: Running, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HALF_CLOSED_SECONDS", 60.0)  # a busy machine may need more than the second
    reader, writer = await asked(bridge, name)
    writer.write_eof()
    assert (await Wire(reader, writer).answer()).status == 200
    writer.close()
    await writer.wait_closed()


async def test_searches_of_many_hold_up_no_list_and_no_health(bridge: Running, going: Going) -> None:
    paths = ("/api/v1/events", "/api/v1/records", "/api/v1/events?state=open", "/readyz", "/api/v1/webhooks/stats")
    async with searches_stand(bridge):
        searching = [asyncio.ensure_future(bridge.get("/api/v1/search?q=common")) for _ in range(20)]
        await wait_until(lambda: going() == len(searching))
        for path in paths:
            assert (await bridge.get(path)).status == 200
        assert not any(one.done() for one in searching)
    assert {(await one).status for one in searching} == {200}
