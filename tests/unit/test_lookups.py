"""Names that nobody answers for: only who asked for one waits, and neither the loop's threads nor its end do."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web

from hookbridge.outgoing import Caller, Unanswered

SILENT = "silent.example.com"
GIVEN_UP_SECONDS = 20.0
MANY = 40
"""More than the event loop has threads."""


@pytest.fixture(autouse=True)
def answered(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Leave questions for one name without an answer until this is set."""
    asked, over = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host: Any, *more: Any, **named: Any) -> list[Any]:  # noqa: ANN401  the system's
        if host not in {SILENT, SILENT.encode()}:
            return asked(host, *more, **named)
        if not over.wait(GIVEN_UP_SECONDS):
            over.set()  # who waits for this fails, and does not hang
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield over
    over.set()


async def called(url: str, seconds: float) -> str:
    """Call it; gives what is said of what came."""
    async with Caller(timeout_seconds=seconds, allow_private=True) as caller:
        try:
            return str((await caller.post(url, b"{}", {})).status)
        except Unanswered as error:
            return error.message


async def test_a_name_server_that_does_not_answer_holds_up_nobody_else(answered: threading.Event) -> None:
    url = f"http://{SILENT}/changes"
    assert {await one for one in [asyncio.create_task(called(url, 0.1)) for _ in range(MANY)]} == {
        "it did not answer within 0.1 s"
    }
    async with asyncio.timeout(30):
        assert await asyncio.to_thread(lambda: "done") == "done"
        runner = web.AppRunner(web.Application())
        await runner.setup()
        await web.TCPSite(runner, "localhost", 0).start()
        assert await called(f"http://localhost:{runner.addresses[0][1]}/", 10.0) == "404"
        await runner.cleanup()
    assert not answered.is_set(), "and nobody has answered yet"


def test_the_end_waits_for_no_name_server(answered: threading.Event) -> None:
    assert asyncio.run(called(f"http://{SILENT}/changes", 0.1)) == "it did not answer within 0.1 s"
    assert not answered.is_set()


async def test_a_name_that_leads_nowhere_is_said(answered: threading.Event) -> None:
    answered.set()
    assert await called(f"http://{SILENT}/changes", 10.0) == f"the name {SILENT} leads to no address"
