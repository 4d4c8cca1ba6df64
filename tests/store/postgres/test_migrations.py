"""The schema: made once by whoever comes first, brought up to date while others work, refused where it is newer."""

import asyncio
import shutil
from importlib import resources
from pathlib import Path

import asyncpg
import pytest

from hookbridge.errors import StartupError, StoreUnavailable
from hookbridge.store.postgres import PostgresStore
from hookbridge.store.postgres.connections import Link, Server
from hookbridge.store.postgres.migrations import migrate, newest
from tests.store.postgres.conftest import Opened
from tests.support import databases

pytestmark = pytest.mark.on("postgres")

SHIPPED = resources.files("hookbridge.store.postgres") / "schema"
OURS = list(range(1, newest() + 1))
NEXT = newest() + 1


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The schema of a version that is still to come: it adds a column, and a function beside the one of before."""
    folder = tmp_path / "schema"
    with resources.as_file(SHIPPED) as shipped:
        shutil.copytree(shipped, folder)
    (folder / f"{NEXT:04}_next.sql").write_text("ALTER TABLE hookbridge.labels ADD COLUMN color text;")
    (folder / "functions" / "next.sql").write_text(
        "CREATE OR REPLACE FUNCTION hookbridge.put_note_2(a text, b text, c boolean, d text, e bigint,"
        " f double precision, color text) RETURNS boolean LANGUAGE sql RETURN hookbridge.put_note_1(a, b, c, d, e, f);"
    )
    return folder


async def versions(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch("SELECT version FROM hookbridge.schema_version ORDER BY 1")]
    finally:
        await connection.close()


async def bring_up(url: str, folder: Path) -> None:
    link = Link(Server(url))
    try:
        await migrate(link, folder)
    finally:
        await link.close()


async def test_nodes_that_start_together_make_the_schema_once(empty: str, opened: Opened) -> None:
    stores = await asyncio.gather(*(opened(empty) for _ in range(6)))
    assert await versions(empty) == OURS
    await stores[0].put_note("one", "for all")
    assert await asyncio.gather(*(store.note("one") for store in stores)) == ["for all"] * 6


async def test_nodes_of_the_version_before_go_on_while_it_is_brought_up_and_afterwards(
    url: str, newer: Path, opened: Opened
) -> None:
    store = await opened(url)
    await store.put_note("before", "1")
    bringing = asyncio.create_task(bring_up(url, newer))
    while not bringing.done():
        await store.put_note("meanwhile", "2")
    await bringing
    await store.put_note("after", "3")
    assert [await store.note(name) for name in ("before", "meanwhile", "after")] == ["1", "2", "3"]
    assert await versions(url) == [*OURS, NEXT]


async def test_several_that_bring_it_up_together_do_so_once(url: str, newer: Path) -> None:
    await asyncio.gather(*(bring_up(url, newer) for _ in range(5)))
    assert await versions(url) == [*OURS, NEXT]


async def test_a_schema_of_a_newer_version_is_refused_and_left_alone(url: str, newer: Path) -> None:
    await bring_up(url, newer)
    with pytest.raises(StartupError, match="newer hookbridge") as caught:
        await PostgresStore.open(url)
    assert caught.value.hint
    assert await versions(url) == [*OURS, NEXT]


async def test_of_a_version_that_cannot_be_made_nothing_is_there(url: str, newer: Path) -> None:
    (newer / "functions" / "next.sql").write_text("CREATE FUNCTION broken")
    with pytest.raises(StoreUnavailable, match="syntax error"):
        await bring_up(url, newer)
    assert await versions(url) == OURS
    connection = await asyncpg.connect(url)
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'labels' AND column_name = 'color'"
    assert await connection.fetchval(columns) == 0
    await connection.close()


async def test_through_a_pooler_it_is_made_as_well(empty: str, opened: Opened) -> None:
    if not databases.has_pooler():
        pytest.skip("pgbouncer is not installed")
    await asyncio.gather(*(opened(databases.pooled(empty)) for _ in range(3)))
    assert await versions(empty) == OURS
