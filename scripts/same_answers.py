"""``scripts/same-answers``: the same bytes to a service with and without its front door; exit code 1 when they differ.

Requests are plain webhooks and what is nearly that, put together by chance, one behind the other or each after the
answer to the one before, and cut anywhere.  Compared is all that comes back, but for ``Date``, and what either service
then has in its books and among its refusals.  ``tests/chaos/test_same_answers.py`` runs the short form.

One difference is aiohttp's own: what it reads together with something malformed behind it is answered and kept only if
that came in a later read.  Where either ends with that 400, answers that only one has before it are excused, and both
begin anew.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import logging
import random
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import structlog
import uvloop

from hookbridge.config import Config, Secrets, Settings
from hookbridge.service import Service
from hookbridge.web.server import bind, listening, working

SECRET = "a-secret-of-the-senders"  # noqa: S105  both services know no other
SILENCE_SECONDS = 20.0
"""Whoever has not closed the connection of a sender that is done by then has forgotten it."""
_BROKEN = b"HTTP/1.0 400 Bad Request"
_VARIES = re.compile(rb"\r\nDate: [^\r]*")

TARGETS = [b"/api/v1/webhooks/supabase"] * 12 + [
    b"/api/v1/webhooks/notion",
    b"/api/v1/webhooks/supabase/",
    b"/api/v1/webhooks/supabase//",
    b"/api/v1/webhooks/supabase?",
    b"/api/v1/webhooks/supabase?a=b",
    b"/api/v1/webhooks/%73upabase",
    b"//api/v1/webhooks/supabase",
    b"/API/v1/webhooks/supabase",
    b"/api/v1/webhooks/test",
    b"/api/v1/webhooks/",
    b"/healthz",
    b"/",
    b"*",
    b"http://localhost/api/v1/webhooks/supabase",
    b"/api/v1/webhooks/supabase#a",
]
METHODS = [b"POST"] * 20 + [b"GET", b"PUT", b"post", b"HEAD", b"OPTIONS", b"POST ", b" POST", b"P\x00ST"]
VERSIONS = [b"HTTP/1.1"] * 20 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/01.1", b""]
HOSTS = [b"Host: localhost"] * 16 + [b"Host: elsewhere.example", b"Host:", b"Host: a b", b"host: localhost:80", b"X: y"]
TYPES = [b"Content-Type: application/json"] * 16 + [
    b"content-type: application/json",
    b"Content-Type: application/json; charset=utf-8",
    b"Content-Type: text/plain",
    b"Content-Type: APPLICATION/JSON",
    b"Content-Type:application/json",
    b"Content-Type:  application/json ",
    b"X: y",
]
EXTRAS = [
    b"Connection: keep-alive",
    b"Connection: close",
    b"Connection: upgrade",
    b"Proxy-Connection: close",
    b"Keep-Alive: 5",
    b"Expect: 100-continue",
    b"Expect: else",
    b"Upgrade: websocket",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Content-Encoding: gzip",
    b"Content-Encoding: identity",
    b"TE: trailers",
    b"Trailer: X",
    b"X-Under_Score: a",
    b"X-Empty:",
    b"X-Tab: a\tb",
    b"X-Latin: \xe9",
    b"X-Utf: \xc3\xa9",
    b"X-Nul: a\x00b",
    b"X-Fold: a\r\n b",
    b"X-Blank : a",
    b"X-Behind: a ",
    b" X-Before: a",
    b": none",
    b"no colon",
    b"X-Return: a\rb",
    b"X-Line: a\nb",
    b"X-Long: " + b"y" * 9_000,
    b"X-Longer: " + b"y" * 17_000,
    b"Content-Length: 5",
    b"Host: localhost",
    b"Content-Type: application/json",
    b"Idempotency-Key: a",
    b"idempotency-key: b",
    b"webhook-id: c",
    b"Accept: */*",
    b"User-Agent: fuzz/1",
    b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    b"X-1: digit",
    b"1-X: digit",
    b"X-Forwarded-For: 203.0.113.7",
    b"Cookie: a=b; c",
    b'X-Quote: "a"',
    b"X-Delete: a\x7f",
    b"Sec-WebSocket-Key: a",
    b"HTTP2-Settings: a",
]

_HTTP = (
    b"Connection: ",
    b"Proxy-",
    b"Keep-",
    b"Content-Enc",
    b"TE",
    b"Accept",
    b"webhook-id",
    b"Idem",
    b"trace",
    b"X-Empty",
    b"X-Beh",
)
SOUND = [one for one in EXTRAS if one.startswith(_HTTP)]
"""Those that are HTTP, and leave a request complete."""


def _in(chance: random.Random, share: float) -> bool:
    return chance.random() < share


def request(chance: random.Random, number: int, *, sound: bool) -> bytes:
    """Put a request together; a sound one is HTTP, and complete."""
    if sound:
        return _sound(chance, number)
    body = _body(chance, number)
    length = str(len(body)).encode()
    lengths = [length] * 20 + [b"0" + length, b"+" + length, b"", b"-1", b"0x10", b"9" * 30, length + b", " + length]
    lengths += [str(max(0, len(body) + by)).encode() for by in (-7, -1, 1, 7)]
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().encode()
    signed = [b"X-Webhook-Signature: sha256=" + digest] * 12 + [b"X-Webhook-Signature: " + digest[:-1] + b"0", b"X: y"]
    lines = [chance.choice(HOSTS), chance.choice(TYPES), chance.choice(signed)]
    if _in(chance, 0.95):
        lines.append(b"Content-Length: " + chance.choice(lengths))
    if _in(chance, 0.4):
        lines += chance.sample(EXTRAS, chance.randint(1, 3))
    if _in(chance, 0.02):
        lines += [b"X-%d: %d" % (count, count) for count in range(chance.choice([50, 70, 120]))]
    if b"Transfer-Encoding: chunked" in lines and _in(chance, 0.5):
        lines = [line for line in lines if not line.startswith(b"Content-Length")]
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    chance.shuffle(lines)
    end = b"\n" if _in(chance, 0.02) else b"\r\n"
    first = b" ".join([chance.choice(METHODS), chance.choice(TARGETS), chance.choice(VERSIONS)])
    raw = bytearray(end.join([first, *lines, b"", b""]) + body)
    if _in(chance, 0.05):
        raw[chance.randrange(len(raw))] = chance.randrange(256)
    return bytes(raw)


def _sound(chance: random.Random, number: int) -> bytes:
    body = _body(chance, number)
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    lines = [b"Host: localhost", b"Content-Type: application/json", f"X-Webhook-Signature: {digest}".encode()]
    lines += chance.sample(SOUND, chance.choice([0, 0, 0, 1, 2]))
    chance.shuffle(lines)
    first = b"POST " + chance.choice(TARGETS[:14]) + b" HTTP/1.1"
    return b"\r\n".join([first, *lines, b"Content-Length: %d" % len(body), b"", b""]) + body


def _body(chance: random.Random, number: int) -> bytes:
    table = chance.choice(["users"] * 9 + ["", "orders"])
    hint = {"event_type": "update", "source": chance.choice(["supabase"] * 9 + ["notion"]), "table_name": table}
    body = msgspec.json.encode(
        {**hint, "record_id": str(number), "data": {"text": "x" * chance.choice([1, 1, 1, 3_000])}}
    )
    return chance.choice([body] * 16 + [b"", b"{", b"[]", body + b" ", b"\xef\xbb\xbf" + body, b"x" * 20_001])


class Sender(asyncio.Protocol):
    """A connection that keeps whatever comes back, also where it is reset behind that."""

    def __init__(self) -> None:
        self.received = b""
        self.arrived = asyncio.Event()
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.arrived.set()

    def eof_received(self) -> None:
        self.closed.set()
        self.arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self.eof_received()


async def converse(port: int, requests: list[list[bytes]]) -> bytes:
    """Send requests in their pieces, each behind the answer to the one before, then shut down our side.

    Gives all that came back until the other side closed.
    """
    transport, sender = await asyncio.get_running_loop().create_connection(Sender, "127.0.0.1", port)
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            for place, pieces in enumerate(requests):
                if place:
                    await sender.arrived.wait()
                if sender.closed.is_set():
                    break
                sender.arrived.clear()
                for piece in pieces:
                    if not transport.is_closing():
                        transport.write(piece)
                    for _ in range(4):  # turns of the loop in which the service reads it
                        await asyncio.sleep(0)
            if not transport.is_closing():
                transport.write_eof()
            await sender.closed.wait()
    except TimeoutError:
        sender.received += b"(not closed)"
    finally:
        transport.abort()
    return _VARIES.sub(b"", sender.received)


def pieces_of(chance: random.Random, raw: bytes) -> list[bytes]:
    """Cut bytes anywhere, or nowhere."""
    places = sorted(chance.choices(range(1, len(raw)), k=chance.choice([0, 0, 0, 1, 2, 5])))
    return [raw[begin:end] for begin, end in zip([0, *places], [*places, len(raw)], strict=True)]


async def state(service: Service) -> object:
    """What a service says that it has taken and refused."""
    books = (await service.store.totals()).books
    return books, [
        (one.endpoint, one.status, one.reason, one.message, one.bytes) for one in service.rejections.latest()
    ][:8]


@asynccontextmanager
async def serving(folder: Path, *, door: bool) -> AsyncIterator[tuple[Service, int]]:
    """A service that takes webhooks and processes none."""
    config = msgspec.convert(
        {
            "server": {"port": 0, "access_log": "none", "allowed_hosts": ["localhost"], "max_body_bytes": 20_000},
            "signatures": {"verify": True},
            "store": {"path": str(folder / "hookbridge.db"), "min_free_bytes": 0},
        },
        Config,
    )
    secrets = Secrets(admin_token="admin-token-for-tests", webhook_secrets=(SECRET,))  # noqa: S106
    settings = Settings(config=config, secrets=secrets, path=None, folder=folder)
    service = await Service.open(settings)
    for lane in service.lanes.values():
        await lane.pause("held")
    async with working(service), listening(service, bind(config.server), door=door) as url:
        yield service, int(url.rpartition(":")[2])


def excused(one: bytes, other: bytes) -> bool:
    """Whether two differ in nothing but what was read together with something malformed behind it."""
    kept = [answers[: answers.rfind(_BROKEN)] if _BROKEN in answers else answers for answers in (one, other)]
    return _BROKEN in one + other and (kept[0].startswith(kept[1]) or kept[1].startswith(kept[0]))


async def compare(seed: int, *, rounds: int | None = None, seconds: float = 0.0) -> tuple[int, str]:
    """Send the same to both, for so many rounds or so long; give the number of requests and what differs, if any."""
    chance, until = random.Random(seed), time.monotonic() + seconds  # noqa: S311
    number = turn = 0
    while turn < rounds if rounds is not None else time.monotonic() < until:
        async with AsyncExitStack() as stack:
            pair = []
            for door in (True, False):
                folder = Path(stack.enter_context(TemporaryDirectory()))
                pair.append(await stack.enter_async_context(serving(folder, door=door)))
            same = True
            while same and (turn < rounds if rounds is not None else time.monotonic() < until):
                turn += 1
                waits = _in(chance, 0.3)
                size = chance.choice([1, 1, 2, 3, 8])
                raw = [request(chance, number + place, sound=waits) for place in range(size)]
                number += size
                sent = [pieces_of(chance, one) for one in (raw if waits else [b"".join(raw)])]
                answers = [await converse(port, sent) for _, port in pair]
                states = [await state(service) for service, _ in pair]
                same = answers[0] == answers[1] and states[0] == states[1]
                if not same and not excused(*answers):
                    came = f"with    {answers[0]!r}\nwithout {answers[1]!r}"
                    return number, f"seed {seed}, round {turn}\nsent {sent}\n{came}\n{states}"
    return number, ""


def main() -> int:
    """Compare until the time is over."""
    parser = argparse.ArgumentParser(
        prog="scripts/same-answers", description="The same bytes with and without the front door."
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--seed", type=int, default=None, help="of a run that is to be repeated (drawn)")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        number, difference = runner.run(compare(seed, seconds=options.seconds))
    print(f"seed {seed}: {number:,} requests, {'they differ' if difference else 'the same answers'}")
    if difference:
        print(difference)
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
