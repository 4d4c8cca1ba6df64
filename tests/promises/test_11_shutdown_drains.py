"""Rule 11: a stop answers what was accepted, finishes or releases what is claimed, and leaves the rest dirty."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientConnectionError
from structlog.testing import capture_logs

from hookbridge.service import Service
from hookbridge.web import arriving
from tests.support.books import WEBHOOKS, balanced, event, hint, send, settled
from tests.support.handling import Handling
from tests.support.processes import process
from tests.support.running import make_settings, running
from tests.support.waiting import wait_until
from tests.support.wire import POST, Wire


async def test_sigterm_under_load_ends_with_code_0_and_every_ack_is_kept(tmp_path: Path) -> None:
    acknowledged: dict[int, int] = {}
    async with process(tmp_path) as service:

        async def keep_sending(first: int) -> None:
            number = first
            while True:
                number += 10
                try:
                    answer = await service.post(f"{WEBHOOKS}/supabase", hint(number % 20, data={"n": number}))
                except (ClientConnectionError, OSError):
                    return
                if answer.status != 202:
                    assert answer.status == 503, await answer.text()
                    return
                acknowledged[int(answer.headers["X-Hookbridge-Event"])] = number

        senders = [asyncio.create_task(keep_sending(first)) for first in range(10)]
        await wait_until(lambda: len(acknowledged) > 100)
        service.terminate()
        await asyncio.gather(*senders)
        assert await service.ended() == 0
        assert service.log[-1]["event"] == "Stopped"
    async with process(tmp_path) as service:
        for id_, number in acknowledged.items():
            assert (await event(service, id_))["body"]["data"] == {"n": number}
        books = await settled(service)
        assert books["received"] == len(acknowledged)


PATIENT = """
from hookbridge import bridge
from hookbridge.web import arriving

arriving.LAST_SECONDS = 60.0

@bridge.on("notion")
async def handle(change):
    pass
"""
"""So long a body may take once the service stops: this process may stand still for the second that it has otherwise."""


async def test_a_body_that_is_still_arriving_at_sigterm_is_read_answered_and_kept(tmp_path: Path) -> None:
    body = msgspec.json.encode(hint(1))
    (tmp_path / "patient.py").write_text(PATIENT)
    async with process(tmp_path, {"HOOKBRIDGE_HANDLERS__MODULE": "patient"}) as service:
        wire = await Wire.open(service)
        wire.writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body[:10])
        # Another request that was answered afterwards: the beginning of this one has arrived.
        await send(service, hint(2))
        service.terminate()
        await wait_until(lambda: service.said("Stopping: no new connections, requests that have begun are answered"))
        wire.writer.write(body[10:])
        answer = await wire.answer()
        assert answer.status == 202, answer.body
        await wire.close()
        assert await service.ended() == 0
    async with process(tmp_path) as service:
        assert await settled(service) == {"received": 2, "applied": 2}


async def test_what_is_being_processed_is_finished_and_what_waits_is_still_dirty(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    processing, server = {"workers": 2, "queue_size": 4}, {"shutdown_deadline_seconds": 60.0}
    settings = make_settings(tmp_path, handlers=user.section, processing=processing, server=server)
    async with running(settings) as service:
        module = user.module
        module.gate.clear()
        for number in range(8):
            await send(service, hint(number, table=user.table))
        await wait_until(lambda: len(module.running) == 2)
        stopping = asyncio.create_task(service.service.stop())
        await wait_until(lambda: not service.service.accepting)
        refused = await service.post(f"{WEBHOOKS}/supabase", hint(9, table=user.table))
        assert (refused.status, "Retry-After" in refused.headers) == (503, True)
        await wait_until(lambda: not any(lane.queued for lane in service.service.lane_states()))
        module.gate.set()
        await stopping
    assert len(module.calls) == 2
    async with running(settings, process=False) as service:
        assert await balanced(service) == {"received": 8, "open": 6, "applied": 2}


async def test_what_is_not_finished_at_the_deadline_is_done_by_the_next_start(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    settings = make_settings(tmp_path, handlers=user.section, server={"shutdown_deadline_seconds": 0.05})
    async with running(settings) as service:
        user.module.gate.clear()
        await send(service, hint(1, table=user.table))
        await wait_until(lambda: user.module.running)
    assert user.module.running == []  # cancelled, not left behind
    user.module.gate.set()
    async with running(settings) as service:
        assert await settled(service) == {"received": 1, "applied": 1}
        assert len(user.module.calls) == 2


async def test_what_arrives_while_requests_are_answered_is_stored_and_waits_for_the_next_start(tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        service.service.begin_stop()
        assert (await service.get("/readyz")).status == 503
        await send(service, hint(1))
        assert await balanced(service) == {"received": 1, "open": 1}
    async with running(make_settings(tmp_path)) as service:
        assert await settled(service) == {"received": 1, "applied": 1}


async def test_a_body_that_is_still_arriving_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "LAST_SECONDS", 0.05)
    async with running(make_settings(tmp_path)) as service:
        wire = await Wire.open(service)
        wire.writer.write(POST + b"Content-Length: 100\r\n\r\n{")
        await send(service, hint(1))
    answer = await wire.answer()
    assert (answer.status, "retry-after" in answer.headers) == (503, True)
    await wire.close()


async def test_a_request_that_does_not_end_is_cut_off_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arriving, "LAST_SECONDS", 3_600.0)
    async with running(make_settings(tmp_path, server={"shutdown_deadline_seconds": 0.2})) as service:
        wire = await Wire.open(service)
        wire.writer.write(POST + b"Content-Length: 100\r\n\r\n{")
        await send(service, hint(1))
    assert await asyncio.wait_for(wire.reader.read(), 60) == b""
    await wire.close()


async def test_a_part_that_cannot_be_closed_keeps_the_others_from_nothing(tmp_path: Path) -> None:
    async def broken() -> None:
        raise OSError("broken")

    service = await Service.open(make_settings(tmp_path))
    service.sources["supabase"].close = broken  # type: ignore[method-assign]
    work = asyncio.create_task(service.run())
    with capture_logs() as lines:
        async with asyncio.timeout(60):
            await service.stop()
            await work
    assert [one["event"] for one in lines if one["log_level"] == "error"] == ["A part could not be closed"]
    await (await Service.open(make_settings(tmp_path))).store.close()  # the file is free
