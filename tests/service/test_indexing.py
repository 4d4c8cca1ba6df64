"""The index is made anew when what makes its words has changed: in the background, and only once."""

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from hookbridge import indexing
from hookbridge.config import Config
from hookbridge.indexing import Indexing, made_by
from hookbridge.model import SourceName
from hookbridge.search import Hits, Search
from hookbridge.sources.kept import anew
from hookbridge.sources.source import Source
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.sqlite import words
from tests.support.data import opened_store
from tests.support.events import copy, key
from tests.support.files import opened
from tests.support.stores import matching
from tests.support.tables import TableSource

SOURCES: dict[SourceName, Source] = {"supabase": TableSource()}
ROWS = 450


def config(*index: str) -> Config:
    table = {"name": "users", **({"index": list(index)} if index else {})}
    return msgspec.convert({"supabase": {"tables": [table]}}, Config)


def data(number: int) -> bytes:
    return f'{{"name": "Ada {number}", "note": "\\uff57\\uff49\\uff44\\uff45"}}'.encode()


def earlier(path: Path) -> None:
    """A file as a version wrote it whose index made tokens of its own."""
    schema = resources.files("hookbridge.store.sqlite").joinpath("schema")
    steps = sorted((step for step in schema.iterdir() if "0001" <= step.name < "0008"), key=lambda step: step.name)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for step in steps:
            connection.executescript(step.read_text())
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.executemany(
            "INSERT INTO copies VALUES (?, 'supabase', 'public.users', ?, ?, NULL, x'00', 1, 1.0, true, NULL)",
            [(number + 1, str(number), data(number)) for number in range(ROWS)],
        )
        connection.execute("INSERT INTO words (rowid, text) SELECT id, data ->> 'note' FROM copies")


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search looks at all there is, however busy the machine is."""
    monkeypatch.setattr(words, "SEARCH_SECONDS", 60.0)


async def find(store: Store, made: Indexing, text: str) -> Hits:
    search = Search(store, SOURCES, lambda: made.progress, rank_seconds=60.0)
    return await search.find(text, source=None, table=None, limit=500)


class Interrupted(Exception):
    """The process ends."""


@pytest.mark.on("sqlite")  # the other engine has had these tokens from its first version on
async def test_a_file_of_before_is_indexed_in_the_background_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    earlier(tmp_path / "hookbridge.db")
    pauses = 0

    async def pause(seconds: float) -> None:
        nonlocal pauses
        pauses += 1
        raise Interrupted

    async with opened(tmp_path) as store:
        made = Indexing(store, SOURCES, config(), sleep=pause)
        await made.open()
        found = await find(store, made, "wide")
        assert found.indexing is not None
        assert 0 < found.indexing < 1
        assert len(found.hits) == indexing.PAGE
        changed = copy(key(0), await store.ticket(), b'{"name": "Eve", "note": "wide"}')
        await store.put(*anew(SOURCES["supabase"], changed), exclusive=False)
        with pytest.raises(Interrupted):
            await made.run()
    async with opened(tmp_path) as store:
        made = Indexing(store, SOURCES, config(), sleep=pause)
        await made.open()
        assert len(await matching(store, "wide")) == 2 * indexing.PAGE + 1
        with pytest.raises(Interrupted):
            await made.run()
        found = await find(store, made, "wide")
        assert found.indexing is None
        assert len(found.hits) == ROWS
        assert {copy.title for copy in (await store.copied(cursor=None, limit=ROWS, bytes_max=1 << 20)).copies} == {
            "Eve",
            *(f"Ada {number}" for number in range(1, ROWS)),
        }
        # What changed meanwhile comes first, then those that were known last.
        assert [record.id for record in await matching(store, "wide")][:3] == ["0", str(ROWS - 1), str(ROWS - 2)]
    assert pauses == 2


async def test_another_index_setting_is_another_index(tmp_path: Path, engine: str) -> None:
    async def pause(seconds: float) -> None:
        return

    async with opened_store(engine, tmp_path) as store:
        await Indexing(store, SOURCES, config(), sleep=pause).open()
        read = [copy(key(number), await store.ticket(), data(number)) for number in range(ROWS)]
        await store.load([anew(SOURCES["supabase"], one) for one in read], exclusive=False)
        same = Indexing(store, SOURCES, config(), sleep=pause)
        await same.open()
        assert (await find(store, same, "ada")).indexing is None
        other = Indexing(store, SOURCES, config("name"), sleep=pause)
        await other.open()
        before = (await find(store, other, "ada")).indexing, await matching(store, "ada")
        await other.run()
        after = (await find(store, other, "ada")).indexing, await matching(store, "ada")
        assert isinstance(before[0], float)
        assert after == (None, before[1])
        assert made_by(config("name")) in (await store.note(note_names.INDEX) or "")


def test_each_setting_that_makes_other_words_is_another_index() -> None:
    database = {"id": "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d"}
    settings: list[dict[str, object]] = [
        {},
        {"index": []},
        {"index": ["Name"]},
        {"content": True},
        {"index": ["Name"], "content": True},
    ]
    made = [made_by(msgspec.convert({"notion": {"databases": [{**database, **one}]}}, Config)) for one in settings]
    assert len(set(made)) == len(settings)
    same = msgspec.convert({"notion": {"databases": [{**database, "content": False, "poll_seconds": 5}]}}, Config)
    assert made_by(same) == made[0] == made_by(Config())
