"""A small world: both sources with state, a service that follows them by webhooks, and what must be true in the end.

``edit`` changes a source at random (seeded) and puts the webhook of that change, in one of the real formats, into the
outbox; ``deliver`` posts the outbox out of order and partly twice; ``drop`` loses it; ``differences`` holds copy, index
and books against the sources.  Every edit writes a word that was never used before, so that a version which should be
gone can be found out by its word.  It waits for nothing but the service, and decides nothing about it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from hookbridge.config import Settings
from hookbridge.model import RecordKey, SourceName
from hookbridge.standins import NotionStandin, PostgrestStandin, Webhook
from hookbridge.standins.notion.objects import page_object
from hookbridge.store.contract import Copies
from tests.support import senders
from tests.support.books import settled
from tests.support.running import Running, make_settings, running
from tests.support.senders import Post
from tests.support.stores import matching

KEY = "sb_secret_for_tests"
TOKEN = "ntn_for_tests"
VERIFICATION_TOKEN = "secret_of_the_subscription"
NOTION_VERSION = "2025-09-03"

TABLES: dict[str, tuple[str, ...]] = {"users": ("id",), "members": ("team", "user")}
"""The tables with their key columns; only ``users`` has a change column."""

TEAMS = ("red", "a,b", "100%", "zoë: ü/ß")
"""Parts of a composite key, with every character that could be mistaken for something else."""

POSTS_AT_ONCE = 32


def now_text() -> str:
    return datetime.now(UTC).isoformat()


class World:
    """Both stand-ins, the outbox, and (once it runs) the service."""

    service: Running

    def __init__(self, supabase: PostgrestStandin, notion: NotionStandin, seed: int) -> None:
        self.supabase = supabase
        self.notion = notion
        self.random = random.Random(seed)
        self.outbox: list[Post] = []
        self.touched: set[RecordKey] = set()
        self.words: set[str] = set()
        self.statuses: Counter[int] = Counter()
        supabase.create_table(
            "users",
            {"id": "bigint", "name": "text", "email": "text", "updated_at": "timestamptz"},
            changed_at="updated_at",
        )
        supabase.create_table("members", {"team": "text", "user": "bigint", "role": "text"}, key=TABLES["members"])
        self.databases = [
            notion.create_database("Tasks", {"Name": "title", "Status": "select"}),
            notion.create_database("Notes", {"Name": "title", "Text": "rich_text"}),
        ]
        self._read = self.databases[1]
        """The one whose pages are read with their bodies."""
        self._data_sources = [notion.data_source_ids(database)[0] for database in self.databases]
        supabase.listen(self._row_told, headers=senders.STATIC)
        notion.listen(self._page_told)

    def settings(self, folder: Path, **sections: Mapping[str, Any]) -> Settings:
        """Settings that follow all of it by webhooks alone; a section's keys override these."""
        given: dict[str, Mapping[str, Any]] = {
            "processing": {"probe_max_seconds": 0.05},
            "signatures": {"verify": True, "static_token": True},
            "supabase": {
                "tables": [
                    {"name": "users", "changed_at": "updated_at"},
                    {"name": "members", "key": list(TABLES["members"])},
                ]
            },
            "notion": {
                "base_url": self.notion.url,
                "databases": [{"id": one, "content": one == self._read} for one in self.databases],
                "requests_per_second": 10_000.0,
            },
            "reconcile": {"enabled": False},
        }
        merged = {name: {**given.get(name, {}), **sections.get(name, {})} for name in {*given, *sections}}
        secrets = {
            "supabase_url": self.supabase.url,
            "supabase_key": KEY,
            "notion_token": TOKEN,
            "webhook_secrets": (senders.PLAIN_SECRET, senders.STANDARD_SECRET),
            "notion_webhook_secrets": (VERIFICATION_TOKEN,),
        }
        return make_settings(folder, secrets=secrets, **merged)

    # Edits

    def edit(self, source: SourceName | None = None) -> None:
        """Change one record of a source (of either, when none is named)."""
        which = source or self.random.choice(("supabase", "notion"))
        kinds = _ROW_EDITS if which == "supabase" else _PAGE_EDITS
        (kind,) = self.random.choices(list(kinds), weights=list(kinds.values()))
        kind(self)

    def burst(self, edits: int) -> None:
        """Edit one record of each source again and again."""
        row, page = self._some_row(), self._some_page()
        for _ in range(edits):
            if row is not None:
                self._write(*row)
            if page is not None:
                self._title(page)

    def forge(self) -> None:
        """Put well-signed lies into the outbox: wrong data, deletions that were none, records that never were."""
        number = self.random.randrange(10_000)
        lie = f"Lie {self._word()}"
        row = {"id": number, "name": lie, "email": lie, "updated_at": "2099-01-01T00:00:00+00:00"}
        for type_, data in (("update", row), ("delete", {})):
            record = self._some_row()
            id_ = str(record[1]) if record and record[0] == "users" else str(number)
            body = {"event_type": type_, "source": "supabase", "table_name": "users", "record_id": id_, "data": data}
            self.touched.add(RecordKey("supabase", "public.users", id_))
            self.outbox.append(senders.signed("supabase", body))
        page = self._some_page()
        if page is not None:
            told = page_object(self.notion.pages[page], NOTION_VERSION)
            title = {"type": "title", "title": [{"type": "text", "plain_text": lie, "text": {"content": lie}}]}
            self.outbox.append(senders.automation({**told, "properties": {"Name": title}}, f"lie-{lie}"))
            self.outbox.append(senders.guided_page(told, "delete", now_text()))

    def _insert_row(self) -> None:
        if self.random.random() < 0.6:
            values: dict[str, object] = {"id": self.random.randrange(400)}
            if self.supabase.get("users", values["id"]) is None:
                self._new_row("users", {**values, "name": self._text(), "email": "ada@example.com"})
        else:
            key = (self.random.choice(TEAMS), self.random.randrange(50))
            if self.supabase.get("members", key) is None:
                self._new_row("members", {"team": key[0], "user": key[1], "role": self._text()})

    def _new_row(self, table: str, values: dict[str, object]) -> None:
        self.supabase.insert(table, values)

    def _update_row(self) -> None:
        if row := self._some_row():
            self._write(*row)

    def _write(self, table: str, key: object) -> None:
        self.supabase.update(table, key, {"name" if table == "users" else "role": self._text()})

    def _delete_row(self) -> None:
        if row := self._some_row():
            self.supabase.delete(*row)

    def _replace_row(self) -> None:
        """Delete a row and insert another under its key."""
        if row := self._some_row():
            values = self.supabase.delete(*row)
            self._new_row(row[0], {**values, "name" if row[0] == "users" else "role": self._text()})

    def _change_key(self) -> None:
        if row := self._some_row():
            table, key = row
            other: object
            if table == "users":
                other = self.random.randrange(400)
                changed: dict[str, object] = {"id": other}
            else:
                other = (self.random.choice(TEAMS), self.random.randrange(50))
                changed = {"team": other[0], "user": other[1]}
            if self.supabase.get(table, other) is None:
                self.supabase.update(table, key, changed)

    def _create_page(self) -> None:
        source = self.random.choice(self._data_sources)
        self.notion.create_page(source, {"Name": self._text()}, markdown=self._text())

    def _edit_page(self) -> None:
        if page := self._some_page():
            self._title(page)

    def _title(self, page: str) -> None:
        self.notion.update_page(page, {"Name": self._text()})

    def _edit_content(self) -> None:
        if page := self._some_page():
            self.notion.edit_content(page, self._text())

    def _trash(self) -> None:
        if page := self._some_page():
            self.notion.trash(page)

    def _restore(self) -> None:
        trashed = [page.id for page in self.notion.pages.values() if page.in_trash]
        if trashed:
            self.notion.restore(self.random.choice(trashed))

    def _move(self) -> None:
        if page := self._some_page():
            self.notion.move_page(page, self.random.choice(self._data_sources))

    def _some_row(self) -> tuple[str, Any] | None:
        table = self.random.choice(list(TABLES))
        rows = self.supabase.rows(table)
        if not rows:
            return None
        row = self.random.choice(rows)
        key = tuple(row[column] for column in TABLES[table])
        return table, key[0] if len(key) == 1 else key

    def _some_page(self) -> str | None:
        living = [page.id for page in self.notion.pages.values() if not page.in_trash]
        return self.random.choice(living) if living else None

    def _text(self) -> str:
        return f"Text {self._word()} end"

    def _word(self) -> str:
        word = f"w{len(self.words):06d}q"
        self.words.add(word)
        return word

    # Webhooks

    def _row_told(self, webhook: Webhook) -> None:
        told = msgspec.json.decode(webhook.body)
        ids = []
        for row in (told["old_record"], told["record"]):
            if row is not None:
                ids.append(row_id(told["table"], row))
                self.touched.add(RecordKey("supabase", f"public.{told['table']}", ids[-1]))
        same = len(set(ids)) == 1
        form = self.random.choice(
            ("native", "standard", "guide", "guide without a time") if same else ("native", "standard")
        )
        if form == "native":
            self.outbox.append(senders.as_sent("supabase", webhook))
        elif form == "standard":
            name = f"msg_{self.random.getrandbits(64):x}"
            now = datetime.now(UTC).timestamp()
            self.outbox.append(senders.standard("supabase", webhook.body, message_id=name, now=now))
        else:
            self.outbox.append(senders.guided_row(webhook, ids[-1], now_text() if form == "guide" else None))

    def _page_told(self, webhook: Webhook) -> None:
        told = msgspec.json.decode(webhook.body)
        page = self.notion.pages[told["entity"]["id"]]
        self.touched |= {RecordKey("notion", database, page.id) for database in self.databases}
        shown = page_object(page, NOTION_VERSION)
        form = self.random.choice(("integration", "integration", "automation", "guide"))
        if form == "integration":
            self.outbox.append(senders.as_sent("notion", webhook))
        elif form == "automation":
            self.outbox.append(senders.automation(shown, told["id"]))
        else:
            kind = "delete" if page.in_trash else "update"
            self.outbox.append(senders.guided_page(shown, kind, told["timestamp"]))

    async def deliver(self, *, repeated: float = 0.1) -> None:
        """Post what lies in the outbox, in any order, some of it twice.  All of it has to be accepted."""
        posts, self.outbox = self.outbox, []
        posts += [post for post in posts if self.random.random() < repeated]
        self.random.shuffle(posts)
        for start in range(0, len(posts), POSTS_AT_ONCE):
            statuses = await asyncio.gather(*map(self.post, posts[start : start + POSTS_AT_ONCE]))
            assert set(statuses) <= {202}, Counter(statuses)

    def drop(self) -> int:
        """Lose what lies in the outbox; gives how much."""
        lost, self.outbox = len(self.outbox), []
        return lost

    async def post(self, post: Post) -> int:
        """Post one webhook; gives the status."""
        answer = await self.service.post(f"/api/v1/webhooks/{post.source}", post.body, post.headers)
        await answer.read()
        self.statuses[answer.status] += 1
        return answer.status

    @asynccontextmanager
    async def outage(
        self, source: SourceName, status: int | None = None, *, retry_after: int | None = None
    ) -> AsyncIterator[None]:
        """Inside, a source refuses connections, or answers everything with this status."""
        standin = self.supabase if source == "supabase" else self.notion
        if status is None:
            async with standin.down():
                yield
            return
        fault = standin.faults.status(status, retry_after=retry_after)
        try:
            yield
        finally:
            fault.clear()

    # What must be true

    async def settled(self) -> dict[str, int]:
        """Wait until no event is open; gives the books without what is zero, and they balance."""
        return await settled(self.service)

    def truths(self) -> dict[RecordKey, dict[str, Any]]:
        """All records that the sources have now, as they would show them."""
        found: dict[RecordKey, dict[str, Any]] = {}
        for table in TABLES:
            for row in self.supabase.rows(table):
                found[RecordKey("supabase", f"public.{table}", row_id(table, row))] = row
        for page in self.notion.pages.values():
            if not page.in_trash and page.source is not None:
                key = RecordKey("notion", page.source.database.id, page.id)
                found[key] = page_object(page, NOTION_VERSION)
        return found

    def bodies(self) -> dict[RecordKey, str]:
        """The bodies of all pages that are read with them."""
        pages = {key: self.notion.pages[key.id] for key in self.truths() if key.table == self._read}
        return {key: page.markdown for key, page in pages.items()}

    async def differences(self, store: Copies | None = None) -> list[str]:
        """Say everywhere that copy or index is not what the sources are; of the running service, or of a store."""
        copies = store or self.service.service.store
        truths, bodies = self.truths(), self.bodies()
        found = []
        for record in self.touched | set(truths):
            copy = await copies.copy(record)
            data = None if copy is None or copy.data is None else msgspec.json.decode(copy.data)
            if isinstance(data, dict):
                data.pop("request_id", None)
            if data != truths.get(record):
                found.append(f"{record}: the copy is {data}, the source has {truths.get(record)}")
            body = None if copy is None or copy.content is None else msgspec.json.decode(copy.content)["markdown"]
            if body != bodies.get(record):
                found.append(f"{record}: the copy's body is {body!r}, the source has {bodies.get(record)!r}")
        texts = {record: [values, bodies.get(record, "")] for record, values in truths.items()}
        return found + await self._differences_of_words(copies, texts)

    async def _differences_of_words(self, copies: Copies, texts: Mapping[RecordKey, object]) -> list[str]:
        current: dict[str, set[RecordKey]] = {word: set() for word in self.words}
        for record, values in texts.items():
            for word in set(words_of(values)) & self.words:
                current[word].add(record)
        found = []
        for word, records in current.items():
            hits = set(await matching(copies, word))
            if hits != records:
                found.append(f"the word {word} finds {sorted(map(str, hits))}, not {sorted(map(str, records))}")
        return found


_ROW_EDITS: dict[Callable[[World], None], int] = {
    World._insert_row: 4,
    World._update_row: 8,
    World._delete_row: 1,
    World._replace_row: 1,
    World._change_key: 1,
}
_PAGE_EDITS: dict[Callable[[World], None], int] = {
    World._create_page: 3,
    World._edit_page: 8,
    World._edit_content: 3,
    World._trash: 2,
    World._restore: 1,
    World._move: 1,
}


def row_id(table: str, row: Mapping[str, Any]) -> str:
    """The id of a row as the API writes it."""
    parts = [str(row[column]) for column in TABLES.get(table, ("id",))]
    return parts[0] if len(parts) == 1 else ",".join(quote(part, safe="") for part in parts)


def words_of(value: object) -> list[str]:
    """All words of all texts in a value."""
    if isinstance(value, str):
        return value.split()
    if isinstance(value, Mapping):
        return [word for part in value.values() for word in words_of(part)]
    return [word for part in value for word in words_of(part)] if isinstance(value, list) else []


@asynccontextmanager
async def world(folder: Path, *, seed: int, serve: bool = True, **sections: Mapping[str, Any]) -> AsyncIterator[World]:
    """Start both sources and, unless told otherwise, the service; ``sections`` are of its settings."""
    async with (
        PostgrestStandin(key=KEY) as supabase,
        NotionStandin(token=TOKEN, verification_token=VERIFICATION_TOKEN) as notion,
    ):
        made = World(supabase, notion, seed)
        if not serve:
            yield made
            return
        async with running(made.settings(folder, **sections)) as made.service:
            yield made


__all__ = ["Post", "World", "row_id", "world"]
