"""A browser: the Chromium that the machine has, without a window."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright, expect

from tests.dashboard.seeded import Seeded, seed

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
]
# Playwright's own 5 seconds are a guess at how fast the machine is; none of a test's waits is meant to end in vain.
expect.set_options(timeout=60_000)

REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


LATE = {(404, "/api/v1/records/supabase/public.users/9007199254740993"), (503, "/readyz")}
"""What an open page may be told just after a record was removed, and while its service stops before it."""


@pytest.fixture
def refusals() -> set[tuple[int, str]]:
    """The refusals that a test provokes, as (status, end of the path): each of them must come, and no other one."""
    return set()


@pytest.fixture(scope="session")
def browser_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One browser for all tests: each has a context of its own in it, which shares nothing with another."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    profile = tmp_path_factory.mktemp("chromium")
    command = [CHROMIUM, *ARGUMENTS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as browser:
        assert browser.stderr is not None
        said = next(line for line in browser.stderr if "DevTools listening on" in line)
        reader = threading.Thread(target=browser.stderr.read)  # or it would wait for somebody to read
        reader.start()
        yield said.rpartition(" ")[2].strip()
        os.killpg(browser.pid, signal.SIGTERM)
        reader.join()


@pytest.fixture(scope="session")
def compiled_driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Playwright's program, which each test starts, is compiled by the first one: that is a third of its start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODE_COMPILE_CACHE", str(tmp_path_factory.mktemp("compiled")))
        yield


@pytest.fixture
async def page(browser_address: str, compiled_driver: None, refusals: set[tuple[int, str]]) -> AsyncIterator[Page]:
    """A page that must not complain, must not be refused what it does not expect, and must not ask anybody else."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(browser_address)
        context = await browser.new_context(viewport={"width": 1280, "height": 860})
        opened = await context.new_page()
        complaints: list[str] = []
        refused: set[tuple[int, str]] = set()
        asked: list[str] = []

        def hear(said: ConsoleMessage) -> None:
            if said.type not in {"error", "warning"} or said.text.endswith("net::ERR_CONNECTION_REFUSED"):
                return  # its service may have ended before it
            if not (refusal := REFUSAL.match(said.text)):
                complaints.append(said.text)
                return
            path = said.location["url"].partition("?")[0]
            expected = {one for one in refusals | LATE if one[0] == int(refusal[1]) and path.endswith(one[1])}
            refused.update(expected)
            if not expected:
                complaints.append(f"{said.text}: {path}")

        opened.on("console", hear)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: asked.append(request.url))
        yield opened
        origin = opened.url.split("/", 3)[:3]
        assert not complaints
        assert refusals <= refused <= refusals | LATE
        assert {tuple(url.split("/", 3)[:3]) for url in asked} <= {tuple(origin)}
        assert not await context.cookies()
        await context.close()


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    """A store with 100,000 events, made once; a test takes a copy of it."""
    return seed(tmp_path_factory.mktemp("seeded"))
