"""A steady load of both sources' changes, told in signed webhooks, and what their senders and the service saw of it.

It changes records at an even pace, whatever comes back (an open loop: a slow answer makes no room for itself).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import ClientError, ClientSession

from hookbridge.standins import NotionStandin, PostgrestStandin
from hookbridge.standins.wire import Webhook
from scripts.crashes.setup import ADMIN_TOKEN, DATABASE, SECRET, TABLE
from scripts.replica import Held

RECORDS = 200
NO_TEXT = ""
"""Behind a page: a body that was read, and is empty."""
GOES_EVERY = 9
"""Of the changes of rows, one is a deletion."""
CHANGES_PER_SECOND = {"supabase": 60.0, "notion": 30.0}
ADMIN = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
ACCEPTED = 202


class Load:
    """Both sources, their senders and what was measured since it was last taken."""

    def __init__(self, supabase: PostgrestStandin, notion: NotionStandin, http: ClientSession) -> None:
        self.acks: dict[str, list[float]] = {"supabase": [], "notion": []}
        """Seconds from a webhook to its 202."""
        self.refused = 0
        self._supabase = supabase
        self._notion = notion
        self._http = http
        self._numbers = itertools.count(1)
        self._rows_changed = itertools.count(1)
        self._sending: set[asyncio.Task[None]] = set()
        supabase.create_table(TABLE, {"id": "bigint", "name": "text", "updated_at": "timestamptz"})
        notion.create_database("Tasks", {"Name": "title"}, database_id=DATABASE)
        (source,) = notion.data_source_ids(DATABASE)
        for number in range(RECORDS):
            supabase.insert(TABLE, {"id": number, **self._row()})
        self.pages = [notion.create_page(source, {"Name": self._text()}) for _ in range(RECORDS)]
        supabase.listen(self._row_changed)
        notion.listen(self._page_changed)

    def _text(self) -> str:
        return f"name{next(self._numbers)}"

    def _row(self) -> dict[str, Any]:
        return {"name": self._text(), "updated_at": datetime.now(UTC).isoformat()}

    def change(self, source: str, number: int) -> None:
        """Change one record, which tells the service; now and then a row goes, and comes again with its next change."""
        if source == "notion":
            self._notion.update_page(self.pages[number % RECORDS], {"Name": self._text()})
        elif self._supabase.get(TABLE, number % RECORDS) is None:
            self._supabase.insert(TABLE, {"id": number % RECORDS, **self._row()})
        elif next(self._rows_changed) % GOES_EVERY == 0:
            self._supabase.delete(TABLE, number % RECORDS)
        else:
            self._supabase.update(TABLE, number % RECORDS, self._row())

    def _row_changed(self, webhook: Webhook) -> None:
        signature = hmac.new(SECRET.encode(), webhook.body, hashlib.sha256).hexdigest()
        headers = {**webhook.headers, "Content-Type": "application/json", "X-Webhook-Signature": signature}
        self._send("supabase", webhook.body, headers)

    def _page_changed(self, webhook: Webhook) -> None:
        self._send("notion", webhook.body, dict(webhook.headers))

    def _send(self, source: str, body: bytes, headers: dict[str, str]) -> None:
        task = asyncio.create_task(self._deliver(source, body, headers))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _deliver(self, source: str, body: bytes, headers: dict[str, str]) -> None:
        began = time.monotonic()
        try:
            async with self._http.post(f"/api/v1/webhooks/{source}", data=body, headers=headers) as answer:
                await answer.read()
        except (ClientError, TimeoutError):
            self.refused += 1
        else:
            self.acks[source].append(time.monotonic() - began)
            self.refused += answer.status != ACCEPTED

    async def run(self, seconds: float) -> None:
        """Change records of both sources for so long; ends when every webhook is answered."""
        async with asyncio.TaskGroup() as group:
            for source, pace in CHANGES_PER_SECOND.items():
                group.create_task(self._keep(source, pace, seconds))
        while self._sending:
            await asyncio.gather(*self._sending)

    async def _keep(self, source: str, pace: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(int(seconds * pace)):
            await asyncio.sleep(max(0.0, began + number / pace - loop.time()))
            self.change(source, number)

    async def ask(self, path: str) -> Any:  # noqa: ANN401  any JSON
        """Ask the service as an operator."""
        async with self._http.get(path, headers=ADMIN) as answer:
            return msgspec.json.decode(await answer.read())

    async def tell(self, path: str) -> None:
        """Tell the service something as an operator.  Raises ClientResponseError when it refuses."""
        async with self._http.post(path, headers=ADMIN) as answer:
            answer.raise_for_status()

    async def applied_seconds(self, source: str, since: float) -> list[float]:
        """Give how long each change of a source took from its webhook to its application, of those since then."""
        times: list[float] = []
        cursor = ""
        while True:
            page = await self.ask(f"/api/v1/events?source={source}&outcome=applied&limit=500{cursor}")
            for event in page["events"]:
                received = datetime.fromisoformat(event["received_at"])
                if received.timestamp() < since:
                    return times
                times.append((datetime.fromisoformat(event["settled_at"]) - received).total_seconds())
            if page["next_cursor"] is None:
                return times
            cursor = f"&cursor={page['next_cursor']}"

    def differing(self, copies: Mapping[str, Held]) -> list[str]:
        """Name the records that are not what their source says."""
        rows = {f"supabase:public.{TABLE}:{number}": (self._name_of_row(number), None) for number in range(RECORDS)}
        pages = {f"notion:{DATABASE}:{page}": (self._notion.page_title(page), NO_TEXT) for page in self.pages}
        known: dict[str, tuple[str | None, str | None]] = {**rows, **pages}
        return [record for record, there in known.items() if there != _of_copy(copies.get(record))]

    def _name_of_row(self, number: int) -> str | None:
        row = self._supabase.get(TABLE, number)
        return None if row is None else str(row["name"])


def _of_copy(copy: Held | None) -> tuple[str | None, str | None]:
    """Give its name, and the text behind it."""
    if copy is None:
        return None, None
    if "name" in copy.data:
        return str(copy.data["name"]), copy.markdown
    return "".join(part["plain_text"] for part in copy.data["properties"]["Name"]["title"]), copy.markdown
