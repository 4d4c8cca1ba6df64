"""A search over many entries: rare words are looked up, common ones are looked for from the newest entry on."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from hookbridge.store.postgres import PostgresStore, copies, words
from hookbridge.text import parse
from tests.support.events import copy, document_of, key

pytestmark = pytest.mark.on("postgres")

Opened = Callable[[str], Awaitable[PostgresStore]]

MANY = 45_000
"""More than are asked for at once, in more than one of the longest stretches."""

# The larger its number, the later an entry changed; there are gaps, as changes leave them.
_FILL = """
WITH written AS (
    INSERT INTO hookbridge.copies (record, source, table_name, record_id, ticket, data, fingerprint, read_at, verified)
    SELECT 'supabase:public.users:' || n, 'supabase', 'public.users', n::text, 1, '{}', '', 1, true
    FROM generate_series(1, $1::integer) AS n
), placed AS (
    SELECT n, $2::bigint + n + n / 1000 * 500 AS place,
           ARRAY['common', CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END, 'n' || n, 'h' || n % 100]
           || CASE WHEN n % 15000 = 7 THEN ARRAY['needle'] ELSE '{}' END AS tokens
    FROM generate_series(1, $1::integer) AS n
)
INSERT INTO hookbridge.words (record, place, tokens, lexemes)
SELECT 'supabase:public.users:' || n, place, '  ' || E'\\n ' || array_to_string(tokens, ' ') || E' \\n  ',
       array_to_tsvector(tokens || hookbridge.stretches_1(place))
FROM placed
"""


@pytest.fixture
async def store(url: str, sql: asyncpg.Connection, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> PostgresStore:
    monkeypatch.setattr(words, "SEARCH_SECONDS", 60.0)
    await sql.execute("ALTER TABLE hookbridge.copies DISABLE TRIGGER USER")
    await sql.execute(_FILL, MANY, await sql.fetchval("SELECT nextval('hookbridge.words_newest')"))
    return await opened(url)


async def find(store: PostgresStore, text: str) -> tuple[list[int], bool]:
    found = await store.candidates(parse(text), source=None, table=None)
    return [int(one.record.id) for one in found.copies], found.complete


async def test_many_entries_are_looked_at_from_the_newest_on(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = range(MANY, 0, -1)
    needles = [number for number in numbers if number % 15000 == 7]
    assert await find(store, "common") == (list(numbers)[:1000], False)
    assert await find(store, "even common") == (list(numbers)[:2000:2], False)
    assert await find(store, "needle common") == (needles, True)
    assert await find(store, "needle -odd") == ([number for number in needles if number % 2 == 0], True)
    assert await find(store, '"even n140" h40') == ([140], True)
    assert await find(store, '"odd n140" h40') == ([], True)
    assert await find(store, '"h40"') == ([number for number in numbers if number % 100 == 40], True)
    assert await find(store, "even odd") == ([], True)
    assert await find(store, '"even odd"') == ([], True)
    # With the word itself come before those with words that begin so.
    assert await find(store, "n7") == (
        [7, *[number for number in numbers if str(number)[0] == "7" and number != 7]][:1000],
        False,
    )
    assert await find(store, "h") == (list(numbers)[:1000], False)
    assert await find(store, "needle h") == (needles, True)
    assert await find(store, "nee") == (needles, True)
    assert await find(store, "common -odd -even") == ([], True)
    with monkeypatch.context() as bounded:
        bounded.setattr(copies, "CANDIDATES_BYTES_MAX", 20)
        assert await find(store, "common") == (list(numbers)[:11], False)

    # After a step it ends when its time is over, and says so; what is rare takes one step.
    monkeypatch.setattr(words, "SEARCH_SECONDS", 0.0)
    assert await find(store, "even odd") == ([], False)
    assert await find(store, "needle") == (needles, True)
    found, complete = await find(store, "h1")
    assert (found[: MANY // 100], complete) == ([number for number in numbers if number % 100 == 1], False)


async def test_very_long_tokens_are_told_apart_behind_their_beginnings(url: str, opened: Opened) -> None:
    store = await opened(url)
    long = "x" * 40
    for number, text in enumerate((f"{long}a", f"{long}b", f"{long}a and more", "x" * 16, "x" * 15)):
        await store.put(copy(key(number), await store.ticket()), document_of(key(number), text), exclusive=False)
    for asked, expected in {
        f"{long}a ": [2, 0],
        f'"{long}b"': [1],
        long: [2, 1, 0],
        f'"{long}"': [],
        f"and -{long}b": [2],
        f"and -{long}a": [],
        f'"{"x" * 16}"': [3],
        f'"{"x" * 15}"': [4],
        "x" * 16: [3, 2, 1, 0],
        "x" * 15: [4, 3, 2, 1, 0],
    }.items():
        assert (await find(store, asked))[0] == expected, asked
