"""What an event's panel shows of a handler that failed: which one, where, and how it came there."""

from pathlib import Path

from playwright.async_api import Page, expect

from tests.dashboard.driving import opened, rows
from tests.support.books import event, hint, send, settled
from tests.support.running import make_settings, running

TEXT = """
from hookbridge import bridge


@bridge.on("supabase", table="of_the_panel")
async def greet(change):
    print(change.columns["<b>nope</b>"])
"""


async def test_a_failing_handler_is_shown_with_its_line_and_its_traceback_as_text(page: Page, tmp_path: Path) -> None:
    (tmp_path / "handlers_of_the_panel.py").write_text(TEXT)
    async with running(make_settings(tmp_path, handlers={"module": "handlers_of_the_panel"})) as service:
        id_ = await send(service, hint(1, table="of_the_panel"))
        await settled(service)
        reason = (await event(service, id_))["reason"]
        assert reason == "greet (handlers_of_the_panel.py:7): KeyError: '<b>nope</b>'"
        await opened(page, service)
        await rows(page).first.locator(".open").press("Enter")
        await expect(page.locator("#panel .reason")).to_have_text(reason)
        attempts = page.locator("#panel .failures pre")
        await expect(attempts).to_have_count(3)
        await expect(attempts.first).to_contain_text('handlers_of_the_panel.py", line 7, in greet')
        await expect(attempts.first).to_contain_text("KeyError: '<b>nope</b>'")
