"""Senders that mean harm, or far too much of it: memory stays where it is, refusals are clean, and the rest goes on."""

import asyncio
import gzip
import io
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.support.books import WEBHOOKS, balanced, hint, send, settled
from tests.support.processes import Process, process
from tests.support.running import ADMIN, JSON, make_settings, running
from tests.support.signing import standard_webhook, webhook_signature
from tests.support.wire import POST, Wire

SECRET = "a-secret-that-nobody-guesses"
STANDARD = "whsec_" + "c2VjcmV0" * 4
SIGNED = {"VERIFY_WEBHOOK_SIGNATURES": "true", "WEBHOOK_SECRET": SECRET, "HOOKBRIDGE_SERVER__ACCESS_LOG": "none"}
SENDERS = 40
GROWTH_MB_MAX = 60.0
IN_FLIGHT_MAX, OPEN_MAX = 4, 200
"""What the service under a valid flood takes: a tenth of the senders at once, and a fifteenth of their events."""
FLOOD = 15 * OPEN_MAX

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def memory_mb(service: Process) -> float:
    """Resident memory of a service's process."""
    pages = int(Path(f"/proc/{service.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def flood(service: Process, bodies: list[bytes], headers: dict[str, str] | None = None) -> Counter[int]:
    """Send all of them, many at once; gives how often each status came."""
    statuses: Counter[int] = Counter()
    waiting = iter(bodies)

    async def one_after_the_other() -> None:
        for body in waiting:
            answer = await service.post(f"{WEBHOOKS}/supabase", body, headers)
            await answer.read()
            statuses[answer.status] += 1
            assert answer.status != 503 or int(answer.headers["Retry-After"]) > 0

    await asyncio.gather(*[one_after_the_other() for _ in range(SENDERS)])
    return statuses


@needs_proc
async def test_a_flood_without_signatures_costs_no_memory_and_no_event(tmp_path: Path) -> None:
    async with process(tmp_path, SIGNED) as service:
        right = msgspec.json.encode(hint(1))
        await send(service, right, **webhook_signature(right, SECRET))
        large = msgspec.json.encode(hint(2, data={"text": "x" * 500_000}))
        await flood(service, [large] * SENDERS)
        before = memory_mb(service)
        flooding = asyncio.create_task(flood(service, [large] * 1_000, {"X-Webhook-Signature": "0" * 64}))
        valid = 0
        while not flooding.done():  # who signs is served in the middle of it
            right = msgspec.json.encode(hint(3, data={"n": valid}))
            await send(service, right, **webhook_signature(right, SECRET))
            valid += 1
        assert await flooding == {401: 1_000}
        assert valid > 0
        assert memory_mb(service) - before < GROWTH_MB_MAX
        assert (await settled(service))["received"] == 1 + valid


@needs_proc
async def test_a_flood_beyond_every_limit_is_refused_cleanly_and_then_over(tmp_path: Path) -> None:
    limits = {
        "HOOKBRIDGE_SERVER__MAX_APPENDS_IN_FLIGHT": str(IN_FLIGHT_MAX),
        "HOOKBRIDGE_STORE__MAX_OPEN_EVENTS": str(OPEN_MAX),
        "HOOKBRIDGE_SERVER__ACCESS_LOG": "none",
    }
    async with process(tmp_path, limits) as service:
        await service.http.post("/api/v1/sources/supabase/pause", headers=ADMIN)
        bodies = [msgspec.json.encode(hint(number, data={"text": "x" * 10_000})) for number in range(FLOOD)]
        first = await flood(service, bodies[: FLOOD // 10])
        before = memory_mb(service)
        statuses = await flood(service, bodies[FLOOD // 10 :])
        assert (first | statuses).keys() == {202, 503}
        taken = first[202] + statuses[202]
        assert 0 < taken <= OPEN_MAX
        assert memory_mb(service) - before < GROWTH_MB_MAX
        assert await balanced(service) == {"received": taken, "open": taken}
        await service.http.post("/api/v1/sources/supabase/resume", headers=ADMIN)
        assert await settled(service) == {"received": taken, "applied": taken}
        await send(service, hint("after the flood"))
        assert await settled(service) == {"received": taken + 1, "applied": taken + 1}


AT_ONCE = 10
ROUNDS = 10
LEFT_MB_MAX = 30.0
"""After 200 requests of a megabyte or more; a quarter of a megabyte that each leaves behind is more."""
GIVES_BACK = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""glibc keeps what was large and is free; told not to, what is left is what the service holds."""
ENDLESS = b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 0x10000 + b"\r\n") * 40
BOMB = gzip.compress(b" " * 100_000_000)
HUGE = {
    "chunks without an end": ENDLESS,
    "ten thousand header lines": b"X-Line: 1\r\n" * 10_000 + b"\r\n",
    "a header of a megabyte": b"X-Long: " + b"y" * 1_000_000 + b"\r\n\r\n",
    "a gzip bomb": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB,
}


@needs_proc
@pytest.mark.parametrize("what", HUGE)
async def test_what_is_huge_on_the_wire_costs_no_memory(tmp_path: Path, what: str) -> None:
    async with process(tmp_path, {"HOOKBRIDGE_SERVER__ACCESS_LOG": "none", **GIVES_BACK}) as service:

        async def once(_: int) -> int:
            wire = await Wire.open(service)
            try:
                wire.writer.write(POST + HUGE[what])
                return (await wire.answer()).status
            finally:
                await wire.close()

        for _ in range(ROUNDS):
            await asyncio.gather(*map(once, range(AT_ONCE)))
        before = memory_mb(service)
        statuses = set()
        for _ in range(2 * ROUNDS):
            statuses |= set(await asyncio.gather(*map(once, range(AT_ONCE))))
        assert statuses <= {400, 413, 415}
        assert memory_mb(service) - before < LEFT_MB_MAX
        await send(service, hint(1))
        assert await settled(service) == {"received": 1, "applied": 1}


async def test_an_old_signed_request_is_refused_and_a_young_one_counts_once(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, secrets={"webhook_secrets": (STANDARD,)}, signatures={"verify": True})
    body = msgspec.json.encode(hint(1))
    now = int(time.time())
    async with running(settings) as service:
        for age in (301, 86_400, -400):
            old = standard_webhook(body, STANDARD, message_id="msg_1", timestamp=now - age)
            assert (await service.post(f"{WEBHOOKS}/supabase", body, old)).status == 401
        young = standard_webhook(body, STANDARD, message_id="msg_1", timestamp=now)
        answers = [await service.post(f"{WEBHOOKS}/supabase", body, young) for _ in range(3)]
        assert [answer.status for answer in answers] == [202, 202, 202]
        assert len({answer.headers["X-Hookbridge-Event"] for answer in answers}) == 1
        assert await settled(service) == {"received": 1, "applied": 1}
        moved = dict(young) | {"webhook-timestamp": str(now + 1)}
        assert (await service.post(f"{WEBHOOKS}/supabase", body, moved)).status == 401


SIZE = 2_000_000
SHAPES = {
    "one long text": b'["' + b"x" * SIZE + b'"]',
    "nested lists": b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
    "lists in a list": b"[" + b"[]," * (SIZE // 3) + b"1]",
    "nested as deeply as is taken": b"[" + (b"[" * 150 + b"]" * 150 + b",") * (SIZE // 301) + b"1]",
    "many objects": b"[" + b'{"a":1},' * (SIZE // 8) + b"1]",
    "many keys": b"{" + b",".join(b'"k%d":1' % number for number in range(SIZE // 12)) + b"}",
    "one key again and again": b'{"source":"notion"' + b',"source":"notion"' * (SIZE // 18) + b"}",
    "numbers with a point": b"[" + b"1.5," * (SIZE // 4) + b"1]",
    "one long number": b"[" + b"9" * SIZE + b"]",
    "halves of characters": b'["' + rb"\ud83d" * (SIZE // 6) + b'"]',
    "quotes": b'"' * SIZE,
    "no UTF-8": b'["' + b"\xff" * SIZE + b'"]',
    "a handshake as long as a book": b'{"verification_token": "' + b"x" * SIZE + b'"}',
}
ENDPOINTS = ("supabase", "notion", "test")
TIMES = 5
CPU_SECONDS_MAX = 0.05
"""Of one body of 2 MB from a stranger: 5 to 10 ms are for reading and hashing it, the rest is for a busy machine."""


def cpu_seconds(service: Process) -> float:
    """Processor time that a service's process has used, all its threads."""
    tasks = Path(f"/proc/{service.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@needs_proc
async def test_two_megabytes_of_any_shape_from_a_stranger_cost_what_reading_and_hashing_them_does(
    tmp_path: Path,
) -> None:
    secrets = SIGNED | {"WEBHOOK_SECRET": f"{SECRET},{STANDARD}"}
    signed = {"X-Webhook-Signature": "0" * 64, "X-Notion-Signature": "sha256=" + "0" * 64}
    async with process(tmp_path, secrets) as service:
        costs: dict[tuple[str, str], float] = {}
        for endpoint in ENDPOINTS:
            for name, body in SHAPES.items():
                before = cpu_seconds(service)
                for _ in range(TIMES):
                    answer = await service.http.post(
                        f"{WEBHOOKS}/{endpoint}", data=io.BytesIO(body), headers=JSON | signed
                    )
                    assert answer.status == 401
                costs[endpoint, name] = (cpu_seconds(service) - before) / TIMES
        assert {what: cost for what, cost in costs.items() if cost > CPU_SECONDS_MAX} == {}
