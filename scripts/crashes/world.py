"""Both sources with real state and their senders, as a process of their own.

Usage: python -m scripts.crashes.world PORTS JOURNAL SEED, the nodes' ports with commas between them.  It first says
where the sources listen; then it takes one
command a line and answers each with one line of JSON: ``go`` (change records and tell the service), ``pause`` (stop
changing), ``rate N`` (tell no more than so many webhooks a second), ``look`` (how far the deliveries are), ``state
PATH`` (write what is true to a file).
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

import uvloop

from hookbridge.sources.bodies import named
from hookbridge.standins import NotionStandin, PostgrestStandin
from hookbridge.standins.wire import Webhook
from scripts.crashes.pulled import journal_of
from scripts.crashes.senders import Delivery, Senders
from scripts.crashes.setup import DATABASE, KEY, NOTION_SECRET, PULLED, SECRET, TABLE, TOKEN

CONNECTIONS = 24
RECORDS_MAX = 300
HOT = 5
"""Records that a fifth of all changes meet."""
WAITING_MAX = 400
BURST = 20
COLUMNS = {"id": "bigint", "name": "text", "updated_at": "timestamptz"}
PULLED_EVERY = 4
"""Each row with such a number is in the table whose changes are taken."""
OUTBOX_LEASE_SECONDS = 0.5
"""So that what a killed service had in hand is not waited for after every blow."""


class World:
    """The sources, and what happens in them."""

    def __init__(
        self, supabase: PostgrestStandin, notion: NotionStandin, senders: Senders, seed: int, done: TextIO
    ) -> None:
        """``done`` is written a line for each message that was taken from the outbox."""
        self.going = False
        self.rate: float | None = None
        """Webhooks a second; without one as many as the senders get away."""
        self._supabase = supabase
        self._notion = notion
        self._senders = senders
        self._random = random.Random(seed)  # noqa: S311  a load, not a secret
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)
        self._rows: list[int] = []
        self._pages: list[str] = []
        self._done = done
        supabase.create_table(TABLE, COLUMNS)
        supabase.create_table(PULLED, COLUMNS)
        supabase.pull(PULLED)
        supabase.outbox.lease_seconds_max = OUTBOX_LEASE_SECONDS
        supabase.outbox.listen(self._taken)
        notion.create_database("Tasks", {"Name": "title"}, database_id=DATABASE)
        (self._source,) = notion.data_source_ids(DATABASE)
        supabase.listen(self._row_changed)
        notion.listen(self._page_changed)

    async def run(self) -> None:
        """Change records as fast as the changes are told."""
        due = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            if self.going and now >= due and len(self._senders.waiting) < WAITING_MAX:
                told = self._change()
                due = max(due, now - 1.0) + told / self.rate if self.rate else 0.0
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(0.002)

    def _change(self) -> int:
        """Change something; gives in how many webhooks it was told."""
        before = len(self._senders.waiting)
        kind = self._random.random()
        if kind < 0.7:  # noqa: PLR2004  shares of the load
            self._change_row()
        elif kind < 0.72:  # noqa: PLR2004
            for _ in range(BURST):  # one row, many edits
                self._update_row(self._rows[0] if self._rows else None)
        else:
            self._change_page()
        return len(self._senders.waiting) - before

    def _text(self) -> str:
        return f"name{next(self._numbers)}"

    def _body(self) -> str:
        return f"body{next(self._numbers)}"

    def _row(self) -> dict[str, Any]:
        return {"name": self._text(), "updated_at": datetime.now(UTC).isoformat()}

    def _change_row(self) -> None:
        what = self._random.random()
        if len(self._rows) <= HOT or (what < 0.15 and len(self._rows) < RECORDS_MAX):  # noqa: PLR2004
            self._rows.append(next(self._ids))
            self._supabase.insert(_table(self._rows[-1]), {"id": self._rows[-1], **self._row()})
        elif what > 0.9:  # noqa: PLR2004
            gone = self._rows.pop(self._random.randrange(HOT, len(self._rows)))
            self._supabase.delete(_table(gone), gone)
        else:
            hot = self._random.random() < 0.2  # noqa: PLR2004
            self._update_row(self._random.choice(self._rows[:HOT] if hot else self._rows))

    def _update_row(self, row: int | None) -> None:
        if row is not None:
            self._supabase.update(_table(row), row, self._row())

    def _change_page(self) -> None:
        what = self._random.random()
        if not self._pages or (what < 0.1 and len(self._pages) < RECORDS_MAX):  # noqa: PLR2004
            page = self._notion.create_page(self._source, {"Name": self._text()}, markdown=self._body())
            self._pages.append(page)
        elif what > 0.95 and len(self._pages) > HOT:  # noqa: PLR2004
            self._notion.trash(self._pages.pop(self._random.randrange(HOT, len(self._pages))))
        elif what > 0.5:  # noqa: PLR2004
            self._notion.edit_content(self._random.choice(self._pages), self._body())
        else:
            self._notion.update_page(self._random.choice(self._pages), {"Name": self._text()})

    # What is sent

    def _row_changed(self, webhook: Webhook) -> None:
        name = f"change-{next(self._numbers)}"
        native = self._random.random() < 0.5  # noqa: PLR2004  half and half
        body = webhook.body if native else _guide(webhook.body)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": name,
            "X-Webhook-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        # Of the native payload's two possible events the first (and here only) one has place 0.
        identity = named("supabase", "Idempotency-Key", name) + (b"\0" if native else b"")
        told = json.loads(webhook.body)
        record = f"supabase:{(told['record'] or told['old_record'])['id']}"
        self._senders.waiting.append(Delivery("/api/v1/webhooks/supabase", headers, body, identity, record))

    def _page_changed(self, webhook: Webhook) -> None:
        told = json.loads(webhook.body)
        identity, record = named("notion", "event", told["id"]), f"notion:{told['entity']['id']}"
        delivery = Delivery("/api/v1/webhooks/notion", dict(webhook.headers), webhook.body, identity, record)
        self._senders.waiting.append(delivery)

    # What is taken

    def _taken(self, message: UUID, written_at: datetime) -> None:
        identity = named("supabase", "webhook-id", f"msg_{message.hex}") + b"\0"
        self._done.write(f"{identity.hex()} {written_at.timestamp()}\n")

    @property
    def idle(self) -> bool:
        """Whether nothing changes and everything is with the service."""
        return not self.going and self._senders.idle and not len(self._supabase.outbox)

    def write_state(self, path: Path) -> None:
        """Write down what is true: the text of every record that there is, of a page also its body."""
        rows = {str(row["id"]): str(row["name"]) for name in (TABLE, PULLED) for row in self._supabase.rows(name)}
        pages = {page: f"{self._notion.page_title(page)} {self._notion.pages[page].markdown}" for page in self._pages}
        path.write_text(json.dumps({"supabase": rows, "notion": pages}))


def _table(row: int) -> str:
    return TABLE if row % PULLED_EVERY else PULLED


def _guide(native: bytes) -> bytes:
    values = json.loads(native)
    row = values["record"] or values["old_record"]
    return json.dumps(
        {
            "event_type": values["type"],
            "source": "supabase",
            "table_name": values["table"],
            "record_id": row["id"],
            "data": row,
            "timestamp": datetime.now(UTC).isoformat(),
        }
    ).encode()


async def main(ports: list[int], journal: Path, seed: int) -> None:
    """Serve until standard input ends."""
    with journal_of(journal).open("a", buffering=1) as done:
        await _serve(ports, journal, seed, done)


async def _serve(ports: list[int], journal: Path, seed: int, done: TextIO) -> None:
    async with (
        PostgrestStandin(key=KEY) as supabase,
        NotionStandin(token=TOKEN, verification_token=NOTION_SECRET) as notion,
    ):
        senders = Senders(ports, journal, seed)
        world = World(supabase, notion, senders, seed, done)
        tasks = [asyncio.create_task(world.run()), asyncio.create_task(senders.run(CONNECTIONS))]
        _say({"supabase": supabase.url, "notion": notion.url})
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, _, argument = line.strip().partition(" ")
            if command == "state":
                world.write_state(Path(argument))
            elif command == "rate":
                world.rate = float(argument)
            elif command in ("go", "pause"):
                world.going = command == "go"
            ended = [task.exception() for task in tasks if task.done()]
            _say(
                {
                    "acknowledged": senders.acknowledged,
                    "duplicates": senders.duplicates,
                    "refused": senders.refused,
                    **senders.take_latencies(),
                    "wrong": senders.wrong + [repr(error) for error in ended],
                    "idle": world.idle,
                }
            )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main([int(port) for port in sys.argv[1].split(",")], Path(sys.argv[2]), int(sys.argv[3])))
