"""The front door, on raw connections: what is taken there, what is handed over, and in which order answers come."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hookbridge.observe import rejections
from hookbridge.store.sqlite import SqliteStore
from hookbridge.web import server
from hookbridge.web.door import Caller
from hookbridge.web.protocol import Protocol
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: what a connection is told before anything is stored

BODY = b'{"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "%d", "data": {"id": 1}}'


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(make_settings(tmp_path, notion={"handshake": "accept"}), process=False) as service:
        yield service


@pytest.fixture
def handed_over(monkeypatch: pytest.MonkeyPatch) -> list[Protocol]:
    """The connections that were left to aiohttp."""
    seen: list[Protocol] = []
    connect = Protocol.connection_made

    def spied(self: Protocol, transport: asyncio.BaseTransport) -> None:
        seen.append(self)
        connect(self, transport)

    monkeypatch.setattr(Protocol, "connection_made", spied)
    return seen


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one answer."""
        async with asyncio.timeout(60):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, body


@asynccontextmanager
async def connected(bridge: Running) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


def post(body: bytes, *headers: str, path: str = "/api/v1/webhooks/supabase", version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


@pytest.fixture
def callers(monkeypatch: pytest.MonkeyPatch) -> list[Caller]:
    """The server's side of every connection, at the door."""
    made: list[Caller] = []
    connect = Caller.connection_made

    def spied(self: Caller, transport: asyncio.BaseTransport) -> None:
        made.append(self)
        connect(self, transport)

    monkeypatch.setattr(Caller, "connection_made", spied)
    return made


@contextmanager
def stalled(bridge: Running) -> Iterator[None]:
    """Inside, the disk takes its time."""
    gate = threading.Event()
    store = bridge.service.store
    assert isinstance(store, SqliteStore)
    waiting = store._engine.call(lambda _: gate.wait(60))
    try:
        yield
    finally:
        gate.set()
    assert not waiting.cancelled()


async def stored(bridge: Running) -> int:
    return (await bridge.service.store.totals()).books.received


async def test_a_webhook_is_stored_and_acknowledged_as_on_the_ordinary_route(
    bridge: Running, handed_over: list[Protocol]
) -> None:
    async with connected(bridge) as wire:
        wire.send(post(BODY % 1))
        status, at_the_door, body = await wire.answer()
        assert handed_over == []
        wire.send(post(BODY % 2, "Expect: 100-continue"))
        await wire.reader.readuntil(b"100 Continue\r\n\r\n")
        again, ordinary, other = await wire.answer()
    assert len(handed_over) == 1
    assert (status, again) == (202, 202)
    assert set(at_the_door) == set(ordinary)
    assert at_the_door["x-hookbridge-event"] != ordinary["x-hookbridge-event"]
    assert body.replace(b'"1"', b'"2"') == other
    assert await stored(bridge) == 2


async def test_with_an_access_log_of_everything_it_is_the_same_line_as_on_the_ordinary_route(
    tmp_path: Path, handed_over: list[Protocol]
) -> None:
    settings = make_settings(tmp_path, server={"access_log": "all"})
    async with running(settings, process=False) as bridge, connected(bridge) as wire:
        with capture_logs() as lines:
            wire.send(post(BODY % 1, path="/api/v1/webhooks/supabase/"))
            assert (await wire.answer())[0] == 202
            assert handed_over == []
            wire.send(post(BODY % 2, "Connection: keep-alive", path="/api/v1/webhooks/supabase/"))
            assert (await wire.answer())[0] == 202
            await wait_until(lambda: len(lines) == 2)
    first, second = ({name: value for name, value in line.items() if name != "duration"} for line in lines)
    assert first == second
    assert (first["event"], first["remote"]) == ("Request", "127.0.0.1")
    assert len(handed_over) == 1


async def test_answers_come_in_the_order_of_their_requests(bridge: Running) -> None:
    """Pipelined: a plain one, an ordinary request, one that is refused, and plain ones again."""
    async with connected(bridge) as wire:
        get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        wire.send(post(BODY % 1) + get + post(b"{") + post(BODY % 2) + get + post(BODY % 3))
        statuses = [(await wire.answer())[0] for _ in range(6)]
    assert statuses == [202, 200, 400, 202, 200, 202]
    assert await stored(bridge) == 3


async def test_many_on_one_connection_without_waiting_are_all_answered(bridge: Running) -> None:
    async with connected(bridge) as wire:
        for number in range(200):
            wire.send(post(BODY % number))
        events = [(await wire.answer())[1]["x-hookbridge-event"] for _ in range(200)]
    assert events == sorted(events, key=int)
    assert await stored(bridge) == 200


async def test_what_a_sender_sends_without_waiting_is_read_no_faster_than_it_is_answered(
    bridge: Running, handed_over: list[Protocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    receive = Caller.data_received

    def counted(self: Caller, data: bytes) -> None:
        read.append(len(data))
        receive(self, data)

    monkeypatch.setattr(Caller, "data_received", counted)
    async with connected(bridge) as wire:
        wire.send(b"".join(post(BODY % number) for number in range(20_000)))
        for _ in range(30):
            assert (await wire.answer())[0] == 202
        assert handed_over == []
        assert sum(read) < 1_000_000  # a read is a quarter of that at the most, and one may wait behind another


async def test_a_body_in_pieces_and_one_in_chunks_are_taken(bridge: Running) -> None:
    async with connected(bridge) as wire:
        raw = post(BODY % 1)
        for start in range(0, len(raw), 40):
            wire.send(raw[start : start + 40])
            await wire.writer.drain()
            await asyncio.sleep(0)
        assert (await wire.answer())[0] == 202
        head = "POST /api/v1/webhooks/supabase HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        body = BODY % 2
        wire.send(f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n")
        assert (await wire.answer())[0] == 202


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (post(b"{}"), 422),
        (post(b"[1]"), 422),
        (post(BODY % 1, path="/api/v1/webhooks/unknown"), 404),
        (post(BODY % 1, path="/api/v1/webhooks/notion"), 400),
        (post(b'{"verification_token": "secret_x-of-notion"}', path="/api/v1/webhooks/notion"), 200),
        (post(BODY % 1, "Content-Encoding: gzip"), 415),
        (post(BODY % 1).replace(b"application/json", b"text/plain"), 415),
    ],
)
async def test_what_is_special_or_wrong_goes_the_ordinary_route_and_so_does_what_follows(
    bridge: Running, handed_over: list[Protocol], raw: bytes, status: int
) -> None:
    async with connected(bridge) as wire:
        wire.send(raw)
        assert (await wire.answer())[0] == status
        wire.send(post(BODY % 7))
        assert (await wire.answer())[0] == 202
    assert len(handed_over) == 1


@pytest.mark.parametrize("raw", [post(BODY % 1, "Connection: close"), post(BODY % 1, version="1.0")])
async def test_a_connection_that_is_to_be_closed_is_closed(bridge: Running, raw: bytes) -> None:
    async with connected(bridge) as wire:
        wire.send(raw)
        assert (await wire.answer())[0] == 202
        assert await wire.reader.read() == b""


async def test_a_store_that_fails_is_a_503_with_a_time_to_come_back(
    tmp_path: Path, handed_over: list[Protocol]
) -> None:
    async with running(make_settings(tmp_path), process=False) as bridge, connected(bridge) as wire:
        wire.send(post(BODY % 1))
        assert (await wire.answer())[0] == 202
        assert handed_over == []
        await bridge.service.store.close()
        wire.send(post(BODY % 2))
        status, headers, body = await wire.answer()
        assert (status, int(headers["retry-after"]) > 0) == (503, True)
        assert b'"unavailable"' in body
    assert len(handed_over) == 1


async def test_a_store_that_refuses_is_in_the_log_and_not_for_every_webhook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "LINES_MAX", 1)
    monkeypatch.setattr(rejections, "LINES_SECONDS", 0.2)
    async with running(make_settings(tmp_path), process=False) as bridge, connected(bridge) as wire:
        await bridge.service.store.close()
        with capture_logs() as lines:
            for number in range(5):
                wire.send(post(BODY % number))
                assert (await wire.answer())[0] == 503
            await wait_until(lambda: lines[-1]["event"] != "Webhook refused")
    first, last = lines
    assert (first["log_level"], first["event"], first["status"]) == ("error", "Webhook refused", 503)
    assert first["hint"] == "The store is closed"
    assert (last["event"], last["requests"]) == ("More webhooks were refused", 4)


async def test_what_the_store_can_never_hold_is_a_500_with_its_traceback_in_the_log(
    bridge: Running, handed_over: list[Protocol]
) -> None:
    store = bridge.service.store
    assert isinstance(store, SqliteStore)
    broken = "CREATE TRIGGER broken BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'broken'); END"
    await store._engine.call(lambda transaction: transaction.connection.execute(broken).close())
    async with connected(bridge) as wire:
        with capture_logs() as lines:
            wire.send(post(BODY % 1))
            assert (await wire.answer())[0] == 500
    assert len(handed_over) == 1
    line, refused = lines
    assert (line["log_level"], line["event"]) == ("error", "Request failed")
    assert "broken" in str(line["exc_info"])
    assert (refused["event"], refused["status"]) == ("Webhook refused", 500)


async def test_a_webhook_that_waits_for_the_disk_keeps_its_connection_open(
    tmp_path: Path, handed_over: list[Protocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEPALIVE_SECONDS", 0.3)
    async with running(make_settings(tmp_path), process=False) as bridge, connected(bridge) as wire:
        wire.send(post(BODY % 1))
        assert (await wire.answer())[0] == 202
        with stalled(bridge):
            wire.send(post(BODY % 2))
            until = asyncio.get_running_loop().time() + 1.0
            await wait_until(lambda: asyncio.get_running_loop().time() > until)
        assert (await wire.answer())[0] == 202
        assert await asyncio.wait_for(wire.reader.read(), 60) == b""  # idle now
    assert handed_over == []


async def test_a_sender_that_does_not_read_its_answers_is_not_sent_more_and_more(
    bridge: Running, callers: list[Caller], handed_over: list[Protocol]
) -> None:
    async with connected(bridge) as wire:
        wire.send(post(BODY % 1))
        assert (await wire.answer())[0] == 202
        callers[0].pause_writing()  # as its transport does
        for number in range(2, 6):
            wire.send(post(BODY % number))
        await wait_until(lambda: not callers[0].transport.is_reading())
        assert await stored(bridge) == 1
        callers[0].resume_writing()
        assert [(await wire.answer())[0] for _ in range(4)] == [202] * 4
    assert handed_over == []
    assert await stored(bridge) == 5


async def test_a_sender_that_never_reads_its_answers_is_let_go(
    tmp_path: Path, callers: list[Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEPALIVE_SECONDS", 0.1)
    async with running(make_settings(tmp_path), process=False) as bridge, connected(bridge) as wire:
        await wait_until(lambda: callers != [])
        callers[0].pause_writing()
        wire.send(post(BODY % 1))
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(wire.reader.read(), 60) == b""
        assert await stored(bridge) == 0


async def test_a_sender_that_hangs_up_harms_nobody(bridge: Running) -> None:
    async with connected(bridge) as wire:
        wire.send(post(BODY % 1))
        await wire.writer.drain()
    async with connected(bridge) as wire:
        wire.send(post(BODY % 2))
        assert (await wire.answer())[0] == 202

    async def both() -> bool:
        return await stored(bridge) == 2

    await wait_until(both)


@pytest.mark.parametrize(
    ("raw", "statuses"),
    [
        (post(BODY % 1), [202]),
        (post(BODY % 1, path="/api/v1/webhooks/supabase?"), [202]),
        (post(BODY % 1, "Content-Encoding: gzip"), [415]),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", [200]),
        (post(BODY % 1) + post(BODY % 2), [202, 202]),
        (post(BODY % 1) + post(BODY % 2, path="/api/v1/webhooks/supabase?"), [202, 202]),
        (b"".join(post(BODY % n) for n in range(5)), [202] * 5),
        (b"".join(post(BODY % n, path="/api/v1/webhooks/supabase?") for n in range(5)), [202] * 5),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4, [200] * 4),
    ],
)
@pytest.mark.parametrize("slow", [False, True])
async def test_a_sender_that_shuts_down_its_side_behind_the_request_is_answered(
    bridge: Running, raw: bytes, statuses: list[int], *, slow: bool
) -> None:
    with stalled(bridge) if slow and 200 not in statuses else nullcontext():
        reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
        writer.write(raw)
        writer.write_eof()
        wire = Wire(reader, writer)
        if not slow:
            assert [(await wire.answer())[0] for _ in statuses] == statuses
    if slow:
        assert [(await wire.answer())[0] for _ in statuses] == statuses
    async with asyncio.timeout(30):
        assert await reader.read() == b""  # and then let go
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("behind", [b"", post(BODY % 1)])
async def test_a_sender_that_shuts_down_its_side_within_a_body_is_refused_at_once(
    bridge: Running, behind: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(behind + post(BODY % 2)[:-10])
    writer.write_eof()
    wire = Wire(reader, writer)
    if behind:
        assert (await wire.answer())[0] == 202
    status, _, body = await wire.answer()  # long before the minute in which a body may arrive is over
    assert (status, b"did not arrive completely" in body) == (400, True)
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_an_idle_sender_that_shuts_down_its_side_is_let_go(bridge: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    wire = Wire(reader, writer)
    wire.send(post(BODY % 1))
    assert (await wire.answer())[0] == 202
    writer.write_eof()
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
