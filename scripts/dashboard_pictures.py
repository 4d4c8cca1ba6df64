"""Make the pictures of docs/dashboard.md and docs/destinations.md: a service that follows two sources.

Webhooks get lost, one source is down for a while, and later a destination is.  Nothing in them is made up: the
sources are those of `python -m hookbridge demo`, and Chromium shows what it is told.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
from msgspec.structs import replace
from playwright.async_api import Page, async_playwright

from hookbridge.config import (
    Config,
    NotionConfig,
    NotionDatabase,
    ProcessingConfig,
    ReconcileConfig,
    Secrets,
    ServerConfig,
    Settings,
    SignaturesConfig,
    StoreConfig,
    SupabaseConfig,
    SupabaseTable,
)
from hookbridge.demo.places import CITIES, DATABASE, TABLE, Calendar, Places
from hookbridge.demo.sender import Sender
from hookbridge.demo.session import LOGGING
from hookbridge.model import SOURCES, SourceName
from hookbridge.observe.logs import configure
from hookbridge.service import Service
from hookbridge.standins import NotionStandin, PostgrestStandin
from hookbridge.web.server import bind, listening, working
from scripts import destination_pictures
from scripts.destination_pictures import Receiver

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DESK = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}
EDITS: dict[SourceName, tuple[int, int]] = {"supabase": (1, 5), "notion": (0, 2)}
"""So many at once, the second number never: as many of pages as Notion's budget lets be read with their bodies."""
LOST_OF = 12
"""Every twelfth webhook is lost."""
DOWN_FROM, DOWN_UNTIL = 0.45, 0.7
"""When Supabase is down, as shares of the whole time."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    asked = argparse.ArgumentParser(prog="scripts/screenshots", description=__doc__)
    asked.add_argument("--minutes", type=float, default=5.0, help="so long the chart becomes (default: %(default)s)")
    asked.add_argument("--into", type=Path, default=PICTURES, help="the folder of the pictures (default: docs/images)")
    asked.add_argument("--seed", type=int, default=7, help="the edits that this number draws (default: %(default)s)")
    return asked.parse_args()


def hidden() -> Secrets:
    """Make secrets that look like real ones, for this run only."""
    return Secrets(
        supabase_key="sb_secret_" + secrets.token_urlsafe(16),
        notion_token="ntn_" + secrets.token_urlsafe(24),
        webhook_secrets=("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),),
        notion_webhook_secrets=(secrets.token_urlsafe(24),),
        admin_token=secrets.token_urlsafe(24),
    )


def config(folder: Path, places: Places) -> Config:
    """Give settings with which a few minutes show polls, sweeps and an outage."""
    return Config(
        server=ServerConfig(port=0),
        store=StoreConfig(path=str(folder / "hookbridge.db"), min_free_bytes=0),
        processing=ProcessingConfig(retry_delay_seconds=0.3, probe_max_seconds=5.0),
        signatures=SignaturesConfig(verify=True),
        supabase=SupabaseConfig(tables=(SupabaseTable(name=TABLE, changed_at="updated_at"),)),
        notion=NotionConfig(base_url=places.notion.url, databases=(NotionDatabase(id=places.database, content=True),)),
        reconcile=ReconcileConfig(poll_seconds=5.0, poll_seconds_max=10.0, sweep_seconds=30.0, grace_seconds=5.0),
        logging=LOGGING,
    )


class Scene:
    """A service at work, whoever edits its sources, and a destination that may be down."""

    def __init__(self, places: Places, sender: Sender, random: Random, warehouse: Receiver) -> None:
        self.places = places
        self.sender = sender
        self.random = random
        self.warehouse = warehouse

    async def edit(self, seconds: float) -> None:
        """Edit both sources for so long, and deliver most of the webhooks."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for source in SOURCES:
                self.places.edit(source, self.random.randrange(*EDITS[source]))
            posts = self.places.take_outbox()
            await self.sender.deliver([one for one in posts if self.random.randrange(LOST_OF)])
            await asyncio.sleep(self.random.uniform(0.3, 1.2))


@asynccontextmanager
async def scene(folder: Path, seed: int) -> AsyncIterator[tuple[Scene, str, str]]:
    """Start all of it; gives also the address and the token."""
    given, random, calendar = hidden(), Random(seed), Calendar()  # noqa: S311  edits, not secrets
    async with (
        PostgrestStandin(key=given.supabase_key) as supabase,
        NotionStandin(
            token=given.notion_token, verification_token=given.notion_webhook_secrets[0], clock=calendar
        ) as notion,
        Receiver("search").there() as search,
        Receiver("warehouse").there() as warehouse,
    ):
        places = Places(supabase, notion, random, calendar)
        to = (search.destination(), warehouse.destination())
        known = replace(given, supabase_url=supabase.url, destinations=to)
        settings = Settings(config=config(folder, places), secrets=known, folder=folder)
        async with (
            working(await Service.open(settings)) as (service, _),
            listening(service, bind(settings.config.server)) as url,
            ClientSession(url) as http,
        ):
            ids = lambda: f"msg_{random.getrandbits(64):016x}"  # noqa: E731
            yield (
                Scene(places, Sender(http, (url,), given.webhook_secrets[0], ids, time.time), random, warehouse),
                url,
                given.admin_token,
            )


async def opened(browser: Any, address: str, token: str, query: str = "", **look: Any) -> Page:  # noqa: ANN401
    """Open a page that looks so."""
    page: Page = await (await browser.new_context(device_scale_factor=2, **look)).new_page()
    await page.goto(f"{address}/{query}#token={token}")
    await page.wait_for_selector("#rows tr")
    await page.wait_for_selector("#chart path", state="attached")
    await page.wait_for_timeout(500)
    return page


async def tried_twice(address: str, token: str) -> int:
    """Find an event that came through only with its second attempt or later."""
    cursor = ""
    async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
        while True:
            answer = await http.get(f"{address}/api/v1/events?source=supabase&outcome=applied&limit=500{cursor}")
            page = await answer.json()
            for one in page["events"]:
                if one["attempts"] > 1:
                    return int(one["id"])
            if page["next_cursor"] is None:
                sys.exit("error: no event needed a second attempt; try again")
            cursor = f"&cursor={page['next_cursor']}"


async def named_most(address: str, token: str) -> str:
    """Find the city that most pages name in their bodies."""
    found: dict[str, int] = {}
    async with ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
        for city in CITIES:
            answer = await http.get(f"{address}/api/v1/search", params={"q": city, "source": "notion"})
            found[city] = len((await answer.json())["hits"])
    return max(found, key=lambda city: found[city])


async def records(page: Page, into: Path) -> None:
    """Look for a city: rows have it in a column, pages in their bodies, one of which is opened."""
    await page.locator("#rows tr", has_text=DATABASE).first.locator(".open").click()
    await page.wait_for_selector("#panel .markdown")
    await page.mouse.move(0, 0)
    await page.evaluate("document.querySelector('#views').scrollIntoView()")
    await page.screenshot(path=into / "dashboard-records.png")


async def main(asked: argparse.Namespace) -> None:
    """Play, and take the pictures as it goes."""
    seconds = asked.minutes * 60
    with TemporaryDirectory() as folder:
        async with scene(Path(folder), asked.seed) as (play, address, token), async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            await play.edit(seconds * DOWN_FROM)
            async with play.places.supabase.down():
                await play.edit(seconds * (DOWN_UNTIL - DOWN_FROM))
                page = await opened(browser, address, token, viewport=PHONE, color_scheme="light")
                await page.screenshot(path=asked.into / "dashboard-phone.png")
            await play.edit(seconds * (1 - DOWN_UNTIL) - 2.0)
            play.places.supabase.faults.status(503, times=2)  # and a hiccup, which costs an event an attempt or two
            await play.edit(2.0)
            await asyncio.sleep(12.0)  # the last step of the chart, and a poll
            page = await opened(browser, address, token, viewport=DESK, color_scheme="light")
            await page.screenshot(path=asked.into / "dashboard-light.png")
            query = f"?open={await tried_twice(address, token)}"
            page = await opened(browser, address, token, query, viewport=DESK, color_scheme="dark")
            await page.click("#compare")
            await page.wait_for_selector("#diff p")
            await page.screenshot(path=asked.into / "dashboard-dark.png")
            query = f"?view=records&q={quote(await named_most(address, token))}&columns=Status&order=changed"
            page = await opened(browser, address, token, query, viewport=DESK, color_scheme="light")
            await records(page, asked.into)
            page = await opened(browser, address, token, "?view=destinations", viewport=DESK, color_scheme="light")
            await destination_pictures.take(page, play.warehouse, play.edit, asked.into)
            await browser.close()


if __name__ == "__main__":
    asked = arguments()  # first: --help needs no browser
    if CHROMIUM is None:
        sys.exit("error: there is no Chromium on this machine")
    configure(LOGGING, Secrets(), stream=sys.stderr)
    asyncio.run(main(asked))
