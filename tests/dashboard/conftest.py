"""A browser: the Chromium that the machine has, without a window."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def is_complaint(said: ConsoleMessage) -> bool:
    """Whether the page complains: that an answer was a refusal, the browser notes by itself."""
    return said.type == "error" and not said.text.startswith("Failed to load resource: the server responded with")


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page that must not complain, and must not ask anybody else."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context()
        opened = await context.new_page()
        complaints: list[str] = []
        asked: list[str] = []
        opened.on("console", lambda said: complaints.append(said.text) if is_complaint(said) else None)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        opened.on("request", lambda request: asked.append(request.url))
        yield opened
        origin = opened.url.split("/", 3)[:3]
        assert not complaints
        assert {tuple(url.split("/", 3)[:3]) for url in asked} <= {tuple(origin)}
        assert not await context.cookies()
        await browser.close()
