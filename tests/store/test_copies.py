"""Copies and the index: never overwritten by an earlier read, and the words are those of the copy."""

import asyncio

import pytest
from msgspec.structs import replace

from hookbridge.model import Copy, RecordKey, Settled
from hookbridge.store.contract import Store
from hookbridge.store.values import Span
from hookbridge.text import parse
from tests.store.conftest import Reopen
from tests.support.engines import at
from tests.support.events import copy, document_of, effects, event, key, settlement
from tests.support.stores import add, matching, take, take_one

R = key(1)


async def put(store: Store, what: Copy, text: str | None = None, *, exclusive: bool = False) -> None:
    document = None if text is None else document_of(what.record, text)
    await store.put(what, document, exclusive=exclusive)


async def found(store: Store, text: str) -> list[RecordKey]:
    return await matching(store, text)


async def data(store: Store, record: RecordKey) -> bytes | None:
    held = await store.copy(record)
    return held.data if held else None


async def test_a_copy_is_kept_as_it_was_read(reopen: Reopen) -> None:
    store = await reopen()
    what = Copy(
        record=key("a:b"),
        data=b'{"n": 1.50}',
        changed_at="2026-01-01T00:00Z",
        fingerprint=b"\x00\xff",
        ticket=await store.ticket(),
        read_at=7.5,
        occurred_at="2026-01-01T00:00:01Z",
        verified=False,
    )
    await put(store, what)
    assert await store.copy(key("a:b")) == what
    assert await (await reopen()).copy(key("a:b")) == what
    assert await (await reopen()).copy(key("b")) is None


async def test_a_settlement_writes_copy_and_words(store: Store) -> None:
    await add(store, event())
    what = copy(R, await store.ticket(), b'{"name": "Ada"}')
    end = settlement(await take_one(store), effects=effects(what, "Ada Lovelace"))
    assert await at(store, 101.0).settle(end) is Settled.DONE
    assert await store.copy(R) == what
    (candidate,) = (await store.candidates(parse("lovelace"), source=None, table=None)).copies
    assert candidate == what


async def test_the_next_claim_brings_the_copy_along(store: Store) -> None:
    await put(store, what := copy(R, await store.ticket(), b'"before"'))
    await add(store, event())
    assert (await take_one(store)).previous == what


async def test_titles_are_given_for_those_records_that_have_one(store: Store) -> None:
    titled = replace(copy(R, 1, b'{"id": 1}'), title="Ada \N{HEBREW LETTER ALEF} \U0001f600")
    await put(store, titled)
    await put(store, copy(key(2), 1, b'{"id": 2}'))
    await put(store, replace(copy(key("a,b"), 1, b"{}"), title="Both"))
    await put(store, replace(copy(key(3), 1, b"{}"), title="Gone"))
    await put(store, copy(key(3), 2, None))
    asked = [R, key(2), key("a,b"), key(3), key(4)]
    assert await store.titles(asked) == {R: titled.title, key("a,b"): "Both"}
    assert await store.titles([]) == {}


async def test_where_ids_are_global_a_title_is_that_of_the_latest_copy_whatever_its_table(store: Store) -> None:
    here, there, elsewhere = (RecordKey("notion", table, "p") for table in ("here", "there", "elsewhere"))
    await put(store, replace(copy(here, 2, b"{}"), title="Now"))
    await put(store, replace(copy(there, 1, b"{}"), title="Before"))
    await put(store, replace(copy(RecordKey("supabase", "elsewhere", "p"), 3, b"{}"), title="A row"))
    assert await store.titles([here, there, elsewhere]) == dict.fromkeys((here, there, elsewhere), "Now")
    assert await store.titles([key("p")]) == {}


# Tickets


async def test_tickets_grow_over_restarts(reopen: Reopen) -> None:
    seen: list[int] = []
    for _ in range(3):
        store = await reopen()
        seen += [await store.ticket() for _ in range(3)]
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("earlier", [b'"earlier"', None])
@pytest.mark.parametrize("later", [b'"later"', None])
async def test_an_earlier_read_never_overwrites_a_later_one(
    store: Store, earlier: bytes | None, later: bytes | None
) -> None:
    first, second = await store.ticket(), await store.ticket()
    await put(store, copy(R, second, later), "" if later is None else "later")
    await put(store, copy(R, first, earlier), "" if earlier is None else "earlier")
    held = await store.copy(R)
    assert held is not None
    assert (held.data, held.ticket) == (later, second)
    assert await found(store, "earlier") == []
    assert await found(store, "later") == ([] if later is None else [R])


async def test_of_two_reads_in_one_group_the_later_one_stays(store: Store) -> None:
    first, second = await store.ticket(), await store.ticket()
    await asyncio.gather(
        put(store, copy(R, second, b'"later"'), "later"), put(store, copy(R, first, b'"earlier"'), "earlier")
    )
    assert await data(store, R) == b'"later"'
    assert (await found(store, "later"), await found(store, "earlier")) == ([R], [])


async def test_a_settlement_with_an_earlier_read_ends_the_events_and_leaves_the_copy(store: Store) -> None:
    early = await store.ticket()
    await put(store, copy(R, await store.ticket(), b'"later"'), "later")
    await add(store, event())
    end = settlement(await take_one(store), effects=effects(copy(R, early, b'"earlier"'), "earlier"))
    assert await at(store, 101.0).settle(end) is Settled.DONE
    assert await data(store, R) == b'"later"'
    assert await found(store, "earlier") == []


# Words


async def test_words_are_replaced_and_removed_with_their_copy(store: Store) -> None:
    await put(store, copy(R, await store.ticket()), "red green")
    await put(store, copy(R, await store.ticket()), "green blue")
    assert [await found(store, word) for word in ("red", "green", "blue")] == [[], [R], [R]]
    await put(store, copy(R, await store.ticket()), "")
    assert await found(store, "green") == []
    await put(store, copy(R, await store.ticket()), "green")
    await put(store, copy(R, await store.ticket(), None), "")
    assert await found(store, "green") == []


async def test_without_a_document_the_words_stay_as_they_are(store: Store) -> None:
    await put(store, copy(R, await store.ticket()), "red")
    await put(store, copy(R, await store.ticket(), b'"other"'))
    assert await found(store, "red") == [R]


async def test_a_change_takes_the_words_along_that_were_read_after_its_claim(store: Store) -> None:
    await put(store, copy(R, await store.ticket(), b'{"name": "one"}'), "one")
    await add(store, event())
    claim = await take_one(store)
    await put(store, copy(R, await store.ticket(), b'{"name": "two"}'), "two")
    back = copy(R, await store.ticket(), b'{"name": "one"}')
    await at(store, 101.0).settle(settlement(claim, effects=effects(back, "one")))
    assert (await found(store, "one"), await found(store, "two")) == ([R], [])


async def test_the_same_copy_is_found_by_other_words_when_it_is_indexed_by_another_setting(store: Store) -> None:
    what = copy(R, await store.ticket(), b'{"name": "Ada", "town": "London"}')
    await put(store, what, "Ada")
    await put(store, replace(what, ticket=await store.ticket()), "London")
    assert (await found(store, "Ada"), await found(store, "London")) == ([], [R])


async def test_a_record_that_is_gone_is_not_found_whatever_the_index_was_told(store: Store) -> None:
    await put(store, copy(R, await store.ticket()), "red")
    await put(store, copy(R, await store.ticket(), None))
    assert await found(store, "red") == []
    await put(store, copy(R, await store.ticket()), "blue")
    assert (await found(store, "red"), await found(store, "blue")) == ([], [R])


async def test_the_same_read_written_twice_is_found_once(store: Store) -> None:
    what = copy(R, await store.ticket())
    await asyncio.gather(put(store, what, "red"), put(store, what, "red"))
    await put(store, what, "red")
    assert await found(store, "red") == [R]


# A record that moves (ids that are global)

A, B = key("p", table="a", source="notion"), key("p", table="b", source="notion")


async def test_a_record_that_moved_has_one_copy(store: Store) -> None:
    other = key("q", table="a", source="notion")
    await put(store, copy(other, await store.ticket()), "stays", exclusive=True)
    await put(store, copy(A, await store.ticket()), "before", exclusive=True)
    await put(store, copy(B, await store.ticket(), b'"b"'), "after", exclusive=True)
    assert await data(store, A) is None
    assert await data(store, B) == b'"b"'
    assert [await found(store, word) for word in ("before", "after", "stays")] == [[], [B], [other]]


async def test_that_a_later_read_did_not_find_it_where_it_was_does_not_hide_where_it_is(store: Store) -> None:
    first, second = await store.ticket(), await store.ticket()
    await put(store, copy(A, second, None), "")
    await put(store, copy(B, first, b'"b"'), "after", exclusive=True)
    assert await data(store, B) == b'"b"'
    assert await found(store, "after") == [B]
    absence = await store.copy(A)
    assert absence is not None
    assert (absence.data, absence.ticket) == (None, second)


@pytest.mark.parametrize("together", [True, False])
async def test_an_earlier_read_does_not_move_a_record_back(store: Store, *, together: bool) -> None:
    first, second = await store.ticket(), await store.ticket()
    puts = [
        put(store, copy(B, second, b'"b"'), "after", exclusive=True),
        put(store, copy(A, first, b'"a"'), "before", exclusive=True),
    ]
    if together:
        await asyncio.gather(*puts)
    else:
        for one in puts:
            await one
    assert (await store.copy(A), await data(store, B)) == (None, b'"b"')
    assert [await found(store, word) for word in ("before", "after")] == [[], [B]]


async def test_settlements_of_one_group_leave_a_moved_record_where_the_latest_read_saw_it(store: Store) -> None:
    await add(store, event("p", table="a", source="notion"), event("p", table="b", source="notion"))
    claims = {claim.record: claim for claim in await take(store, source="notion")}
    first, second = await store.ticket(), await store.ticket()
    ends = [
        settlement(claims[B], effects=effects(copy(B, second), "after", exclusive=True)),
        settlement(claims[A], effects=effects(copy(A, first), "before", exclusive=True)),
    ]
    assert await asyncio.gather(*[at(store, 101.0).settle(end) for end in ends]) == [Settled.DONE] * 2
    assert (await data(store, A), await data(store, B)) == (None, b"{}")
    assert [await found(store, word) for word in ("before", "after")] == [[], [B]]


async def test_the_same_id_in_two_tables_of_a_database_are_two_records(store: Store) -> None:
    one, two = key(1, table="public.users"), key(1, table="public.orders")
    await put(store, copy(one, await store.ticket()), "user")
    await put(store, copy(two, await store.ticket()), "order")
    assert await found(store, "user") == [one]
    assert await found(store, "order") == [two]


# Another spelling


ALIAS, OWN = key("A0"), key("a0")


async def settle_alias(store: Store, what: Copy, text: str | None = None) -> None:
    """Settle a change of ``ALIAS`` with a copy that its source gave another name."""
    await add(store, event("A0"))
    end = settlement(await take_one(store), effects=effects(what, text))
    assert await at(store, 101.0).settle(end) is Settled.DONE


async def test_a_record_that_was_spelled_otherwise_has_its_copy_under_its_own_name_alone(store: Store) -> None:
    await put(store, copy(ALIAS, await store.ticket(), b'"old"'), "old")
    await put(store, copy(OWN, await store.ticket(), b'"before"'), "before")
    await settle_alias(store, copy(OWN, await store.ticket(), b'"now"'), "now")
    assert (await data(store, ALIAS), await data(store, OWN)) == (None, b'"now"')
    assert [await found(store, word) for word in ("old", "before", "now")] == [[], [], [OWN]]


async def test_a_record_that_is_gone_is_gone_under_either_name(store: Store) -> None:
    early = await store.ticket()
    for record in (ALIAS, OWN):
        await put(store, copy(record, await store.ticket(), b'"before"'), "before")
    await settle_alias(store, copy(OWN, await store.ticket(), None))
    for record in (ALIAS, OWN):
        await put(store, copy(record, early, b'"early"'), "early")
        held = await store.copy(record)
        assert held is not None
        assert held.data is None
    assert [await found(store, word) for word in ("before", "early")] == [[], []]


async def test_another_spelling_that_was_read_later_is_left_alone(store: Store) -> None:
    early = await store.ticket()
    await put(store, copy(ALIAS, await store.ticket(), b'"later"'), "later")
    await settle_alias(store, copy(OWN, early, b'"early"'), "early")
    assert (await data(store, ALIAS), await data(store, OWN)) == (b'"later"', b'"early"')
    assert await found(store, "later") == [ALIAS]


async def test_a_page_that_moves_away_and_back_takes_nobody_elses_words(store: Store) -> None:
    here, there = key("p", table="here", source="notion"), key("p", table="there", source="notion")
    await put(store, copy(here, await store.ticket()), "first", exclusive=True)
    await put(store, copy(there, await store.ticket()), "", exclusive=True)
    other = key("other", table="here", source="notion")
    await put(store, copy(other, await store.ticket()), "third", exclusive=True)
    await put(store, copy(here, await store.ticket()), "fourth", exclusive=True)
    assert [await found(store, word) for word in ("first", "third", "fourth")] == [[], [other], [here]]


# Search


async def test_all_words_must_be_there_and_the_last_may_be_a_beginning(store: Store) -> None:
    await put(store, copy(R, await store.ticket()), "Grace Brewster Hopper")
    for text in ("grace", "GRACE hop", "hopper grace", "brew"):
        assert await found(store, text) == [R], text
    for text in ("gra hopper", "grace turing", "opper"):
        assert await found(store, text) == [], text


async def test_accents_and_other_scripts_are_found(store: Store) -> None:
    await put(store, copy(R, await store.ticket()), "Zoë Müller 東京 Привет")
    for text in ("zoe", "MÜLLER", "muller", "東京", "привет"):
        assert await found(store, text) == [R], text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        '"',
        '""',
        "'",
        "*",
        "a*b*",
        "NOT",
        "AND OR NOT",
        "NEAR(a b)",
        "text:red",
        "^red",
        "{text} : red",
        "red + blue",
        "(((",
        "-red",
        "red\x00blue",
        "\x00",
        "_",
        "__ _",
        "\ud800",
        "٣ ½ ² ⅷ",
        "é́́",
        "🙂",
        "ª º ᵃ",
        ";drop table words;--",
        "x" * 100_000,
        "word " * 5_000,
        "\u200d\u200b",
    ],
)
async def test_any_text_is_a_valid_query(store: Store, text: str) -> None:
    await put(store, copy(R, await store.ticket()), "zebra")
    assert await found(store, text) == []


@pytest.mark.parametrize("text", ["red", '"red"', "red*", "(red)", "red, blue!", "RED _ blue", "blue\x00red"])
async def test_signs_around_words_do_not_hide_them(store: Store, text: str) -> None:
    await put(store, copy(R, await store.ticket()), "red blue")
    assert await found(store, text) == [R]


async def test_search_is_narrowed_and_what_changed_last_comes_first(store: Store) -> None:
    for number in range(5):
        await put(store, copy(key(number), await store.ticket()), f"red {number}")
    await put(store, copy(key("n", table="d", source="notion"), await store.ticket()), "red")
    await put(store, copy(key("o", table="orders"), await store.ticket()), "red red red")
    await put(store, copy(key(2), await store.ticket()), "red again")
    await put(store, copy(key(1), await store.ticket(), b'{"other": "data, the same words"}'), "red 1")
    users = await matching(store, "red", source="supabase", table="public.users")
    assert [record.id for record in users] == ["2", "4", "3", "1", "0"]
    assert len(await found(store, "red")) == 7
    assert await matching(store, "red", source="notion") == [key("n", table="d", source="notion")]
    assert await matching(store, "red", source="supabase", table="orders") == [key("o", table="orders")]
    assert await matching(store, "red", source="notion", table="orders") == []


# All copies, and their words anew


@pytest.mark.parametrize(("limit", "bytes_max"), [(3, 1_000), (100, 25), (1, 0), (7, 1_000), (100, 1_000)])
async def test_copies_with_data_are_listed_in_pages_until_all_were_there(
    store: Store, limit: int, bytes_max: int
) -> None:
    for number in range(7):
        await put(store, copy(key(number), await store.ticket(), b"x" * 4, content="y" * 6))
    await put(store, copy(key("gone"), await store.ticket(), None))
    listed: list[str] = []
    done, cursor = 0.0, None
    while True:
        page = await store.copied(cursor=cursor, limit=limit, bytes_max=bytes_max)
        listed += [one.record.id for one in page.copies]
        assert len(page.copies) <= limit
        assert sum(one.size for one in page.copies[:-1]) <= bytes_max
        assert done < page.done <= 1
        done, cursor = page.done, page.next_cursor
        assert (cursor is None) is (done == 1)
        if cursor is None:
            break
    assert sorted(listed) == [str(number) for number in range(7)]


async def test_words_made_anew_leave_the_order_as_it_is_and_what_was_read_since_alone(store: Store) -> None:
    first, second, third, fourth = [copy(key(name), await store.ticket()) for name in ("a", "b", "c", "d")]
    for what, text in ((first, "old one"), (second, "old two"), (third, ""), (fourth, "old four")):
        await put(store, what, text)
    await put(store, later := replace(fourth, ticket=await store.ticket(), data=b'"later"'), "later")
    read = [(replace(one, title="T"), document_of(one.record, "anew")) for one in (first, second, third, fourth)]
    await store.index(read, note=("how far", "here"))
    assert (await found(store, "anew"), await found(store, "old")) == ([key("b"), key("a"), key("c")], [])
    assert await found(store, "later") == [key("d")]
    assert (await store.copy(key("a")), await store.copy(key("d"))) == (replace(first, title="T"), later)
    assert await store.note("how far") == "here"


# Absences


async def test_old_absences_are_forgotten_in_batches_and_copies_stay(store: Store) -> None:
    for number in range(5):
        await put(store, copy(key(number), await store.ticket(), None, read_at=float(number)), "")
    await put(store, copy(key("kept"), await store.ticket(), read_at=0.0), "red")
    assert [await store.remove_tombstones(Span(0.0, 4.0), 3) for _ in range(3)] == [3, 1, 0]
    assert [await store.copy(key(number)) is not None for number in range(5)] == [False] * 4 + [True]
    assert await found(store, "red") == [key("kept")]


async def test_old_absences_that_somebody_has_not_passed_stay(store: Store) -> None:
    for number in range(6):
        await put(store, copy(key(number), await store.ticket(), None, read_at=float(number)), "")
    places = [entry.seq for entry in (await store.feed(after=0, limit=10)).entries]
    assert await store.remove_tombstones(Span(0.0, 10.0), 10, passed=0) == 0
    assert await store.remove_tombstones(Span(0.0, 10.0), 1, passed=places[1]) == 1
    assert await store.remove_tombstones(Span(0.0, 10.0), 10, passed=places[1]) == 1
    assert [await store.copy(key(number)) is not None for number in range(6)] == [False] * 2 + [True] * 4
    assert (await store.feed_ends()).oldest == places[1]


async def test_up_to_where_there_are_too_many_old_absences_is_known(store: Store) -> None:
    for number in range(6):
        await put(store, copy(key(number), await store.ticket(), None, read_at=float(number)), "")
    places = [entry.seq for entry in (await store.feed(after=0, limit=10)).entries]
    # The first one was looked for again: it is the oldest change all the same.
    await put(store, copy(key(0), await store.ticket(), None, read_at=3.5), "")
    assert await store.too_many_tombstones(Span(0.0, 4.0), 4) is None
    assert await store.too_many_tombstones(Span(0.0, 4.0), 3) == places[0]
    assert await store.too_many_tombstones(Span(0.0, 4.0), 1) == places[2]
    assert await store.too_many_tombstones(Span(1.0, 4.0), 3) == places[0]
