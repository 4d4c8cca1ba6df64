"""Requests that are wrong on the wire: one clear answer in JSON, never a 500, and the next sender notices nothing."""

import gzip
import logging
import zlib

import msgspec
import pytest

from tests.support.books import hint, send, settled
from tests.support.running import Running
from tests.support.wire import POST, Wire, ask

BOMB = gzip.compress(b" " * 50_000_000)

MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "ten thousand header lines": POST + b"X-Line: 1\r\n" * 10_000 + b"\r\n",
    "a header of a megabyte": POST + b"X-Long: " + b"y" * 1_000_000 + b"\r\n\r\n",
    "a path of a megabyte": b"GET /" + b"y" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a NUL in a header": POST + b"X-Nul: a\x00b\r\n\r\n",
    "a folded header": POST + b"X-Fold: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a header without a name": POST + b": nothing\r\n\r\n",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length of letters": POST + b"Content-Length: many\r\n\r\n",
    "a length beyond all numbers": POST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks of no size": POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_not_http_is_a_400_in_json_and_no_error_of_ours(
    client: Running, request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await ask(client, request_bytes)
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"] in {"bad_request", "invalid_json"}
    await send(client, hint(1))
    assert [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR] == []


def test_the_bomb_is_one() -> None:
    assert len(zlib.decompress(BOMB, 31)) > 500 * len(BOMB)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip"])
async def test_a_compressed_body_is_refused_and_not_unpacked(client: Running, encoding: bytes) -> None:
    head = POST + b"Content-Encoding: " + encoding + b"\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
    answer = await ask(client, head, BOMB)
    assert (answer.status, answer.json()["error"]) == (415, "unsupported_media_type")


async def test_chunks_without_an_end_are_cut_off_at_the_limit(client: Running) -> None:
    wire = await Wire.open(client)
    try:
        wire.writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(2 * 1024 * 1024 // 0x10000 + 1):
            wire.writer.write(chunk)
        answer = await wire.answer()  # and none of the chunks was the last one
    finally:
        await wire.close()
    assert (answer.status, answer.json()["error"]) == (413, "payload_too_large")
    await send(client, hint(1))


async def test_chunks_of_one_byte_are_put_together(client: Running) -> None:
    body = msgspec.json.encode(hint(1))
    chunks = b"".join(b"1\r\n" + bytes([one]) + b"\r\n" for one in body)
    answer = await ask(client, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert answer.status == 202


async def test_requests_that_do_not_wait_for_answers_are_answered_in_order(client: Running) -> None:
    wire = await Wire.open(client)
    bodies = [msgspec.json.encode(hint(number)) for number in range(200)]
    try:
        wire.writer.write(b"".join(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body for body in bodies))
        answers = [await wire.answer() for _ in bodies]
    finally:
        await wire.close()
    assert [answer.json()["details"]["record_id"] for answer in answers] == [str(number) for number in range(200)]
    assert (await settled(client))["received"] == 200


async def test_a_request_behind_a_broken_one_is_not_taken_for_its_own(client: Running) -> None:
    body = msgspec.json.encode(hint(1))
    inner = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    answer = await ask(client, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner)
    assert answer.status == 400
    assert await settled(client) == {}
