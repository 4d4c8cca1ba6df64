"""Whatever happens to sources, webhooks and the process: one quiet reconcile later, copy and source are equal."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookbridge.config import Settings
from hookbridge.errors import SourceError
from hookbridge.model import Content, Copy, SourceName
from hookbridge.pipeline.receive import receive
from hookbridge.service import Service
from hookbridge.sources.source import Delivery
from hookbridge.standins.wire import Webhook
from tests.support.followed import Sources, sources
from tests.support.waiting import wait_until

QUICK: dict[str, Any] = {
    "reconcile": {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0, "vanished_share": 1.0},
    "processing": {"retry_delay_seconds": 0.0, "probe_max_seconds": 0.02, "workers": 4, "queue_size": 8},
}
RECORDS = st.integers(0, 5)
FATES = st.sampled_from(["delivered", "lost", "twice", "late"])

steps = st.one_of(
    st.tuples(st.just("row"), RECORDS, st.sampled_from(["put", "delete"]), FATES),
    st.tuples(st.just("plain"), RECORDS, st.sampled_from(["put", "delete"]), FATES),
    st.tuples(st.just("page"), RECORDS, st.sampled_from(["put", "body", "trash", "restore", "remove"]), FATES),
    st.tuples(st.just("outage"), st.sampled_from(["supabase", "notion"]), st.booleans(), st.none()),
    st.tuples(st.just("late"), st.integers(0, 9), st.none(), st.none()),
    st.tuples(st.just("pass"), st.integers(0, 2), st.sampled_from(["poll", "sweep"]), st.none()),
    st.tuples(st.just("crash"), st.none(), st.none(), st.none()),
    st.tuples(st.just("rest"), st.none(), st.none(), st.none()),
)


class World:
    """Both sources, their webhooks on the way, and the service that follows them."""

    tables: tuple[str, ...] = ("users", "plain")
    """Of Supabase."""

    def __init__(self, made: Sources, config: Settings) -> None:
        self.made = made
        self._config = config
        self._told: list[tuple[SourceName, Webhook]] = []
        self._late: list[tuple[SourceName, Webhook]] = []
        self._pages: dict[int, str] = {}
        self._edits = 0
        # An edit within the minute in which its body was read is found when that is over: here each has its own minute.
        made.clock.by = timedelta(days=-1)
        made.supabase.listen(lambda webhook: self._told.append(("supabase", webhook)))
        made.notion.listen(lambda webhook: self._told.append(("notion", webhook)))

    async def start(self) -> None:
        self.service = await Service.open(self._config)
        self._work = asyncio.create_task(self.service.run())
        await asyncio.sleep(0)  # a task that is cancelled before its first step closes nothing

    async def crash(self) -> None:
        """End in the middle of whatever is going on: nothing is drained, nothing is given back."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)
        await self.start()

    async def stop(self) -> None:
        await self.service.stop()
        await self._work

    async def step(self, kind: str, which: Any, what: Any, fate: str | None) -> None:  # noqa: ANN401  each kind its own
        self.made.clock.by += timedelta(minutes=1)
        match kind:
            case "row" | "plain":
                self._edit_row("users" if kind == "row" else "plain", which, what)
            case "page":
                self._edit_page(which, what)
            case "outage":
                faults = self.made.supabase.faults if which == "supabase" else self.made.notion.faults
                faults.status(503) if what else faults.clear()
            case "late" if self._late:
                await self._deliver(*self._late.pop(which % len(self._late)))
            case "pass":
                await self._pass(which, what)
            case "crash":
                await self.crash()
            case "rest":
                await asyncio.sleep(0.02)
        await self._send(fate)

    def _edit_row(self, table: str, number: int, what: str) -> None:
        self._edits += 1
        there = self.made.supabase.get(table, number) is not None
        if what == "put" and there:
            self.made.supabase.update(table, number, {"name": f"edit {self._edits}"})
        elif what == "put":
            self.made.supabase.insert(table, {"id": number, "name": f"edit {self._edits}"})
        elif there:
            self.made.supabase.delete(table, number)

    def _edit_page(self, number: int, what: str) -> None:
        self._edits += 1
        notion, page = self.made.notion, self._pages.get(number)
        if page is None or page not in notion.pages:
            if what == "put":
                page = notion.create_page(
                    self.made.data_source, {"Name": f"edit {self._edits}"}, markdown=f"body {self._edits}"
                )
                self._pages[number] = page
        elif what == "put" and not notion.pages[page].in_trash:
            notion.update_page(page, {"Name": f"edit {self._edits}"})
        elif what == "body":
            notion.edit_content(page, f"body {self._edits}")
        elif what in ("trash", "restore"):
            (notion.trash if what == "trash" else notion.restore)(page)
        elif what == "remove":
            notion.remove(page)

    async def _send(self, fate: str | None) -> None:
        told, self._told = self._told, []
        for source, webhook in told:
            if fate in ("delivered", "twice"):
                await self._deliver(source, webhook)
            if fate == "twice":
                await self._deliver(source, webhook)
            if fate == "late":
                self._late.append((source, webhook))

    async def _deliver(self, source: SourceName, webhook: Webhook) -> None:
        received = receive(self.service.sources[source], webhook.headers, webhook.body, 0.0)
        assert isinstance(received, Delivery)
        await self.service.intake.accept(received.events)

    async def _pass(self, number: int, kind: Literal["poll", "sweep"]) -> None:
        (source, table) = list(self.service.reconciler.tables)[number]
        if kind == "poll" and not self.service.reconciler.tables[source, table].polled:
            return
        try:
            await self.service.reconciler.reconcile(source, table, kind)
        except SourceError:
            return  # an outage

    async def quiet_reconcile(self) -> None:
        """The outages end, what was late arrives in any order or never, and every table is swept once."""
        self.made.supabase.faults.clear()
        self.made.notion.faults.clear()
        for source, webhook in random.Random(len(self._late)).sample(self._late, len(self._late) // 2):
            await self._deliver(source, webhook)
        for source, table in list(self.service.reconciler.tables):
            await self.service.reconciler.reconcile(source, table, "sweep")
        await wait_until(lambda: not self.service.store.open_events)

    async def check(self) -> None:
        totals = await self.service.store.totals()
        assert totals.books.balanced()
        assert (totals.books.open, totals.books.dead) == (0, 0)
        expected: dict[str, str] = {}
        bodies: dict[str, str] = {}
        for table in self.tables:
            expected |= {
                f"supabase:public.{table}:{row['id']}": str(row["name"]) for row in self.made.supabase.rows(table)
            }
        for page in self.made.notion.pages.values():
            if not page.in_trash:
                expected[f"notion:{self.made.database}:{page.id}"] = page.title
                bodies[f"notion:{self.made.database}:{page.id}"] = page.markdown
        copied = await self.copied()
        assert {record: name_of(copy) for record, copy in copied.items()} == expected
        assert {record: body_of(copied[record]) for record in bodies} == bodies
        for record, name in expected.items():
            hits = (await self.service.search.find(name, source=None, table=None, limit=500)).hits
            assert record in {str(hit.record) for hit in hits if name in hit.snippet.replace("[", "").replace("]", "")}
        for record, body in bodies.items():
            assert record in await self._found(body)
        assert await self._found("edit") == set(expected)
        assert await self._found("body") == set(bodies)

    async def _found(self, words: str) -> set[str]:
        hits = (await self.service.search.find(words, source=None, table=None, limit=500)).hits
        return {str(hit.record) for hit in hits}

    async def copied(self) -> dict[str, Copy]:
        copied = {}
        for source, table in self.service.reconciler.tables:
            unmet = await self.service.store.unmet(source, table, 1 << 62, limit=500)
            for record in unmet.records:
                copy = await self.service.store.copy(record)
                assert copy is not None
                copied[str(record)] = copy
        return copied


def name_of(copy: Copy) -> str:
    assert copy.data is not None
    columns = msgspec.json.decode(copy.data)
    if copy.record.source == "supabase":
        return str(columns["name"])
    return "".join(part["plain_text"] for part in columns["properties"]["Name"]["title"])


def body_of(copy: Copy) -> str | None:
    return None if copy.content is None else msgspec.json.decode(copy.content, type=Content).markdown


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        async with sources() as made:
            databases = [{"id": made.database, "content": True}]
            one = World(made, made.settings(Path(folder), **QUICK, notion={"databases": databases}))
            await one.start()
            try:
                yield one
            finally:
                await one.stop()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(taken=st.lists(steps, max_size=25))
def test_one_quiet_reconcile_after_anything_copy_and_source_are_equal(taken: list[tuple[str, Any, Any, Any]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(60), world() as one:
            for step in taken:
                await one.step(*step)
            await one.quiet_reconcile()
            await one.check()

    asyncio.run(run())
