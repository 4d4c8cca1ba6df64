"""The table of cases on every engine: what is found, in which order, and what is shown; and where a search ends."""

import random
from collections.abc import Mapping, Sequence

import msgspec
import pytest
from msgspec.structs import replace

from hookbridge.model import Content, Copy, RecordKey, SourceName
from hookbridge.search import RANKED_MIN, Hit, Search
from hookbridge.sources.kept import document_of
from hookbridge.sources.source import Source
from hookbridge.store import postgres, sqlite
from hookbridge.store.contract import Store
from hookbridge.text import Fields, parse, rank
from tests.support.events import copy, key
from tests.support.search_cases import CASES, Case
from tests.support.stores import matching
from tests.support.tables import TableSource


class Fielded(TableSource):
    """Rows whose columns are the fields."""

    def fields(self, record: RecordKey, columns: Mapping[str, str], content: Content | None) -> Fields:
        return msgspec.convert(columns, Fields)


SOURCE = Fielded()
SOURCES: dict[SourceName, Source] = {"supabase": SOURCE}


def row(number: int, fields: Fields, ticket: int) -> Copy:
    return copy(key(number), ticket, msgspec.json.encode(fields))


async def put(store: Store, records: Sequence[Fields]) -> None:
    """Write them so that the first one changed last."""
    for number, fields in reversed(list(enumerate(records))):
        written = row(number, fields, await store.ticket())
        document = document_of(SOURCE, written.record, msgspec.to_builtins(fields), None)
        await store.put(written, document, exclusive=False)


async def find(store: Store, text: str, limit: int = 100) -> tuple[Hit, ...]:
    return (await Search(store, SOURCES, lambda: None).find(text, source=None, table=None, limit=limit)).hits


def tables() -> dict[tuple[str, ...], list[Case]]:
    """The cases by their records."""
    found: dict[tuple[str, ...], list[Case]] = {}
    for case in CASES:
        found.setdefault(case.texts, []).append(case)
    return found


@pytest.mark.parametrize("cases", tables().values(), ids=lambda cases: cases[0].about)
async def test_what_is_asked_is_found_in_its_order_and_shown(store: Store, cases: list[Case]) -> None:
    await put(store, cases[0].records)
    for case in cases:
        hits = await find(store, case.query)
        assert [int(hit.record.id) for hit in hits] == list(case.found), case.query
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        if case.shown is not None:
            assert hits[0].snippet == case.shown


async def test_an_engine_gives_exactly_what_has_the_words(store: Store) -> None:
    """Of all records of the table at once: what it leaves out, no rank can bring back."""
    records = [fields for cases in tables().values() for fields in cases[0].records]
    await put(store, records)
    for case in CASES:
        query = parse(case.query)
        wanted = [number for number, fields in enumerate(records) if rank(query, fields) is not None]
        whole = replace(query, terms=tuple(replace(term, beginning=False) for term in query.terms))
        wanted.sort(key=lambda number: rank(whole, records[number]) is None)
        assert [int(record.id) for record in await matching(store, case.query)] == wanted, case.query


ODD = (
    *(
        "ada",
        "Ädá",
        "adam",
        "ß",
        "ss",
        "İ",
        "ﬁ",
        "東京",
        "東",
        "京都",
        "タワー",
        "ｶﾞ",
        "ไทย",
        "서울",
        "서울에서",
        "c++",
        "c#",
    ),
    *(".net", "a.b@c.de", "v1.2.3", "INV-1", "🚀", "👨‍👩‍👧", "é", "é", "9", "٩", "x" * 70),
)


async def test_an_engine_gives_of_odd_texts_what_the_words_themselves_say(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last word on a match is ``rank``; an engine that knows of no other words gives just that."""
    for engine in (sqlite.words, postgres.words):
        monkeypatch.setattr(engine, "SEARCH_SECONDS", 60.0)
    chance = random.Random(14)

    def text() -> str:
        return chance.choice(" -/").join(chance.choices(ODD, k=chance.randrange(4)))

    records = [Fields(text(), text(), text()) for _ in range(150)]
    await put(store, records)
    for _ in range(150):
        asked = [chance.choice(['"{}"', "{}", "{}", "-{}"]).format(" ".join(chance.choices(ODD, k=k))) for k in (1, 2)]
        words = " ".join(asked[chance.randrange(2) :])
        words = words[: chance.randrange(1, len(words) + 1)]
        query = parse(words)
        wanted = [number for number, fields in enumerate(records) if rank(query, fields) is not None]
        assert sorted(int(record.id) for record in await matching(store, words)) == wanted, words


@pytest.mark.parametrize(("seconds", "ranked"), [(0.0, RANKED_MIN), (60.0, 40)])
async def test_when_ranking_takes_too_long_titles_were_looked_at_first_and_it_is_said(
    store: Store, seconds: float, ranked: int
) -> None:
    records = [Fields(title=f"note {number}", body="rare") for number in range(39)] + [Fields(title="rare")]
    for number, fields in reversed(list(enumerate(records))):
        written = replace(row(number, fields, await store.ticket()), title=fields.title)
        await store.put(
            written, document_of(SOURCE, written.record, msgspec.to_builtins(fields), None), exclusive=False
        )
    search = Search(store, SOURCES, lambda: None, rank_seconds=seconds)
    met = await search.find("rare", source=None, table=None, limit=100)
    assert [hit.record.id for hit in met.hits] == ["39", *map(str, range(ranked - 1))]
    assert met.complete is (seconds > 0)


async def test_the_text_behind_a_record_counts_in_what_a_search_looks_at(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in (sqlite.copies, postgres.copies):
        monkeypatch.setattr(engine, "CANDIDATES_BYTES_MAX", 20_000)
    for number in range(9):
        written = replace(row(number, Fields(body="rare"), await store.ticket()), content="x" * 5_000)
        await store.put(written, document_of(SOURCE, written.record, {"body": "rare"}, None), exclusive=False)
    found = await store.candidates(parse("rare"), source=None, table=None)
    assert [one.record.id for one in found.copies] == ["8", "7", "6", "5"]
    assert not found.complete
