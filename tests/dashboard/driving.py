"""What the tests of the dashboard do with a page and its service."""

import asyncio
import os
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.support.running import ADMIN_TOKEN, Running


async def send(service: Running, record_id: str, name: str = "Ada", **more: object) -> int:
    """Let a webhook tell of a row; gives the event's number."""
    record = {"id": record_id, "name": name, **more}
    body = {"type": "INSERT", "schema": "public", "table": "users", "record": record, "old_record": None}
    answer = await service.post("/api/v1/webhooks/supabase", body)
    assert answer.status == 202
    return int(answer.headers["X-Hookbridge-Event"])


async def opened(page: Page, service: Running, query: str = "") -> None:
    """Open the page, and wait until it has said how it is."""
    await page.goto(f"{service.url}/{query}#token={ADMIN_TOKEN}")
    await expect(page.locator("#health-text")).not_to_have_text("Asking…")


async def confirm(page: Page, part_of_the_call: str) -> None:
    """Look at the call that the action shows, then do it."""
    await expect(page.locator("#action .curl").first).to_contain_text(part_of_the_call)
    assert ADMIN_TOKEN not in await page.locator("#action").inner_text()
    await page.click("#action button.main")
    await expect(page.locator("#action")).to_be_hidden()


def rows(page: Page) -> Locator:
    """The rows of the list."""
    return page.locator("#rows tr")


def figure(page: Page, name: str) -> Locator:
    """The value of a figure."""
    return page.locator("#figures div", has=page.get_by_text(name, exact=True)).locator("dd")


async def choose(page: Page, name: str, value: str) -> None:
    """Set a filter."""
    field = page.locator(f"#filter [name={name}]")
    if await field.evaluate("one => one.nodeName") == "SELECT":
        await field.select_option(value)
    else:
        await field.fill(value)
        await field.press("Enter")


async def place_of(page: Page, number: int = 0) -> tuple[float, float]:
    """Where a row is in the window, and how far the page is scrolled."""
    script = "number => [document.querySelectorAll('#rows tr')[number].getBoundingClientRect().y, scrollY]"
    y, scrolled = await page.evaluate(script, number)
    return round(y), round(scrolled)


async def looked(page: Page) -> None:
    """Wait until the page has asked for its health and its list once more, and has shown what came."""
    async with (
        page.expect_response(lambda answer: "/readyz" in answer.url),
        page.expect_response(lambda answer: "limit=" in answer.url and "/api/v1/" in answer.url),
    ):
        pass
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


async def in_bash(command: str) -> str:
    """Run a command as somebody who has pasted it; gives what it printed."""
    made = await asyncio.create_subprocess_exec(
        "bash", "-c", command,
        env={"PATH": os.environ["PATH"], "HOOKBRIDGE_ADMIN_TOKEN": ADMIN_TOKEN, "NO_PROXY": "*"},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await made.communicate()
    assert made.returncode == 0, errors.decode()
    return out.decode()


async def module(page: Page, name: str, expression: str, *given: Any) -> Any:  # noqa: ANN401  any JSON
    """Ask a module of the page: ``expression`` sees its exports as ``it`` and what is given as ``given``."""
    script = f"async ([name, given]) => {{ const it = await import(`/dashboard/${{name}}`); return {expression}; }}"
    return await page.evaluate(script, [name, list(given)])
