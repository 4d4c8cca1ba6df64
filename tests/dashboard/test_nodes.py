"""The nodes of a cluster on the page: who is there, what each does, and nothing where there is one file."""

import re
from pathlib import Path

from playwright.async_api import Page, Route, expect

from tests.dashboard.driving import opened
from tests.support.running import make_settings, running

LANE = {"source": "supabase", "state": "running", "reason": None, "queued": 2, "busy": 1}
NODE = {
    "name": "a", "version": "0.1.0", "roles": ["receive", "process", "reconcile"], "leads": ["upkeep"],
    "seen_seconds": 0.4, "away": False, "started_at": None, "same_admin_token": True, "lanes": [LANE],
    "clock_seconds": 0.0, "links_lost": 0,
}  # fmt: skip
AWAY = {**NODE, "name": "b", "roles": ["receive"], "leads": [], "seen_seconds": 42.0, "away": True, "lanes": []}
STANDBY = {"state": "standby", "reason": "another node works on it", "since": None}


async def test_each_node_has_its_line_and_one_that_was_not_heard_of_says_so(page: Page, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:

        async def told(route: Route) -> None:
            answer = await route.fetch()
            ready = await answer.json()
            ready["lanes"] = [{**ready["lanes"][0], **STANDBY}, *ready["lanes"][1:]]
            cluster = {"store": "postgresql://db", "node": "a", "nodes": [NODE, AWAY], "leases": []}
            await route.fulfill(response=answer, json={**ready, "cluster": cluster})

        await page.route("**/readyz", told)
        await opened(page, service)
        lines = page.locator("#nodes li")
        await expect(lines).to_have_text(
            [
                re.compile(r"^a \(this page\) up · leads upkeep · 3 in work · 0\.1\.0$"),
                re.compile(r"^b away for 42 s · receive · 0 in work"),
            ]
        )
        await expect(page.locator("#sources li").first).to_contain_text("standby")


async def test_a_file_has_no_nodes(page: Page, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path)) as service:
        await opened(page, service)
        await expect(page.locator("#health-text")).not_to_have_text("Asking…")
        await expect(page.locator("#nodes")).to_be_hidden()
