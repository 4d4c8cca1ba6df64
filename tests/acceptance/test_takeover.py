"""A node that is killed or stands still: another one does what only one does, and the old one writes nothing of it.

Each write of what a leader remembers is noted by the database with who wrote it, and who led at that moment.
"""

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from tests.support import databases
from tests.support.followed import KEY, TOKEN, Sources, sources
from tests.support.processes import Process, process
from tests.support.waiting import wait_until

DUTIES = ("process:notion", "reconcile:notion", "reconcile:supabase", "upkeep")

AUDIT = """
CREATE TABLE public.written (id bigserial, note text, writer text, leader text);
CREATE FUNCTION public.note_writer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.written (note, writer, leader)
    SELECT new.name, current_setting('application_name'), l.node FROM hookbridge.leads AS l
    WHERE l.duty = 'reconcile:' || split_part(new.name, ':', 2);
    RETURN new;
END
$$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON hookbridge.notes FOR EACH ROW
WHEN (new.name LIKE 'poll:%' OR new.name LIKE 'sweep:%') EXECUTE FUNCTION public.note_writer();
"""

CONFIG = """
[supabase]
timeout_seconds = 60
[[supabase.tables]]
name = "users"
changed_at = "updated_at"
[notion]
base_url = "{url}"
requests_per_second = 1000
timeout_seconds = 60
[[notion.databases]]
id = "{database}"
[reconcile]
poll_seconds = 0.05
poll_seconds_max = 0.1
"""


class Cluster:
    """Two nodes over one database, and who looks into that."""

    def __init__(self, sources: Sources, sql: asyncpg.Connection, nodes: dict[str, Process]) -> None:
        self.sources = sources
        self.sql = sql
        self.nodes = nodes

    async def leaders(self) -> set[str]:
        """The nodes that do what only one does, each of which is one for all at first."""
        rows = await self.sql.fetch(
            "SELECT duty, node FROM hookbridge.leads WHERE until > hookbridge.now_1(NULL) AND duty = ANY ($1)", DUTIES
        )
        return {row["node"] for row in rows} if len(rows) == len(DUTIES) else set()

    def page(self) -> str:
        """Make a page, of which no webhook tells."""
        return self.sources.notion.create_page(self.sources.data_source, title="a task")

    async def written(self, writer: str) -> int:
        return int(await self.sql.fetchval("SELECT count(*) FROM public.written WHERE writer = $1", writer))

    async def more_written(self, writer: str) -> None:
        """Wait until this node has written what it remembers."""
        before = await self.written(writer)

        async def more() -> bool:
            return await self.written(writer) > before

        await wait_until(more, deadline_seconds=60.0)

    async def copied(self, id_: str) -> bool:
        query = "SELECT count(*) FROM hookbridge.copies WHERE record_id = $1 AND data IS NOT NULL"
        return bool(await self.sql.fetchval(query, id_) > 0)

    async def until_copied(self, *ids: str) -> None:
        for id_ in ids:
            await wait_until(lambda id_=id_: self.copied(id_), deadline_seconds=60.0)

    async def led_by(self, *nodes: str) -> None:
        async def led() -> bool:
            return await self.leaders() == {*nodes}

        await wait_until(led, deadline_seconds=60.0)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with sources() as both, AsyncExitStack() as stack:
        url = databases.url(tmp_path)
        sql = await asyncpg.connect(url)
        stack.push_async_callback(sql.close)
        await sql.execute(AUDIT)
        nodes = {}
        for name in ("one", "other"):
            folder = tmp_path / name
            folder.mkdir()
            (folder / "config.toml").write_text(CONFIG.format(url=both.notion.url, database=both.database))
            environ = {
                "SUPABASE_URL": both.supabase.url,
                "SUPABASE_KEY": KEY,
                "NOTION_TOKEN": TOKEN,
                "HOOKBRIDGE_STORE__URL": f"{url}{'&' if '?' in url else '?'}application_name={quote(name)}",
                "HOOKBRIDGE_NODE__NAME": name,
            }
            nodes[name] = await stack.enter_async_context(process(folder, environ))
        yield Cluster(both, sql, nodes)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
async def test_what_one_node_did_another_one_does_and_the_old_one_writes_nothing_more(
    cluster: Cluster, blow: signal.Signals
) -> None:
    await cluster.led_by("one")
    cluster.sources.supabase.insert("users", {"id": 1, "name": "Ada"})
    await cluster.until_copied("1", cluster.page())
    await cluster.more_written("one")
    slow = cluster.sources.supabase.faults.slow(0.5)  # so that it is in the middle of a pass
    cluster.nodes["one"].send(blow)
    await cluster.led_by("other")
    slow.clear()
    await cluster.more_written("other")
    cluster.sources.supabase.insert("users", {"id": 2, "name": "Grace"})
    await cluster.until_copied("2", cluster.page())
    cluster.nodes["one"].send(signal.SIGCONT)
    if blow == signal.SIGSTOP:
        ended = "A duty ends: the store was not reached for a lease"
        await wait_until(lambda: cluster.nodes["one"].said(ended), deadline_seconds=60.0)
    await cluster.more_written("other")
    strangers = await cluster.sql.fetch("SELECT * FROM public.written WHERE writer <> leader")
    assert strangers == []
    assert await cluster.leaders() == {"other"}
