"""Filters as PostgREST reads them: any name, any value, and how long they make a URL."""

from urllib.parse import quote

import httpx
import pytest

from hookbridge.sources.supabase import filters


@pytest.mark.parametrize(
    ("key", "ids", "text"),
    [
        (("id",), [["1"], ["a-b_C"]], "id.in.(1,a-b_C)"),
        (("id",), [[""], ["a,b"], ['a"b'], ["a\\b"], ["ü"]], r'id.in.("a,b","a\"b","a\\b","ü"),id.eq.""'),
        (("offset",), [["1"]], "offset.in.(1)"),
        (("a.b",), [["1"]], '"a.b".in.(1)'),
        (('a"b',), [["1"]], r'"a\"b".in.(1)'),
        (("a", "b c"), [["1", "x y"], ["2", "z"]], 'and(a.eq.1,"b c".eq."x y"),and(a.eq.2,"b c".eq.z)'),
    ],
)
def test_rows_are_named_by_their_key_columns(key: tuple[str, ...], ids: list[list[str]], text: str) -> None:
    assert filters.named(key, ids) == text


@pytest.mark.parametrize(
    ("order", "after", "within", "text"),
    [
        (("id",), ("7",), 0, "and(id.gt.7)"),
        (("a.b", "id"), ("x,y", "7"), 0, 'and("a.b".gte."x,y",or("a.b".gt."x,y",and(id.gt.7)))'),
        (("a", "b", "c"), ("1", "2", "3"), 0, "and(a.gte.1,or(a.gt.1,and(b.gte.2,or(b.gt.2,and(c.gt.3)))))"),
        (("a", "b", "c"), ("1", "2", "3"), 1, "and(a.eq.1,b.gte.2,or(b.gt.2,and(c.gt.3)))"),
        (("a", "b", "c"), ("1", "2", "3"), 2, "and(a.eq.1,b.eq.2,c.gt.3)"),
        (("a", "b", "c"), ("1", "2"), 1, "and(a.eq.1,b.gt.2)"),
        (("a", "b", "c"), ("1",), 0, "and(a.gt.1)"),
    ],
)
def test_a_place_is_behind_its_last_row_and_names_where_an_index_begins(
    order: tuple[str, ...], after: tuple[str, ...], within: int, text: str
) -> None:
    assert filters.behind(order, after, within) == text


def test_the_least_value_is_part_of_what_is_given() -> None:
    assert filters.since("at", "2026-01-01T00:00:00+00:00") == 'at.gte."2026-01-01T00:00:00+00:00"'


@pytest.mark.parametrize("key", [("id",), ("organisation_membership_identifier", "konto-nr.")])
def test_an_id_is_measured_at_least_as_long_as_it_makes_the_url(key: tuple[str, ...]) -> None:
    ids = [[f"ä, {number}" for _ in key] for number in range(50)]
    sent = str(httpx.URL("http://x/", params={"or": f"({filters.named(key, ids)})"}))
    rest = len(str(httpx.URL("http://x/", params={"or": "()"}))) + len(quote(f"{key[0]}.in.()"))
    measured = sum(filters.url_characters(key, id_) for id_ in ids)
    assert len(sent) <= measured + rest <= 2 * len(sent)
