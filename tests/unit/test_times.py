"""When something happened, by a text of any sender's or source's."""

import pytest

from hookbridge.reconcile.state import later
from hookbridge.sources.notion import agreement
from hookbridge.sources.notion import words as notion
from hookbridge.sources.supabase import words as supabase
from hookbridge.sources.supabase.agreement import agree
from hookbridge.sources.times import instant_in, instant_of, micros_of, same_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00:00.25+02:00", "2026-03-01T10:00:00.250000+00:00"),
        ("2026-03-01 00:30:00-05:30", "2026-03-01T06:00:00+00:00"),
        ("2026-03-01T12:00", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01", "2026-03-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_an_instant_is_given_in_utc(text: str, instant: str) -> None:
    found = instant_of(text)
    assert found is not None
    assert found.isoformat() == instant


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "infinity",
        "yesterday",
        "1772366400",
        "2026-02-30",
        "2026-03-01T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "\ud800",
    ],
)
def test_what_no_clock_can_show_in_utc_is_no_time(text: str | None) -> None:
    assert instant_of(text) is None


@pytest.mark.parametrize(
    ("one", "other", "latest"),
    [
        ("2026-03-01T12:00:00+02:00", "2026-03-01T11:00:00Z", "2026-03-01T11:00:00Z"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z", "2026-03-01T12:00:00+02:00"),
        ("infinity", "2026-03-01T11:00:00Z", "2026-03-01T11:00:00Z"),
        ("2026-03-01T11:00:00Z", "9999-12-31T23:59:59-14:00", "2026-03-01T11:00:00Z"),
        ("infinity", "-infinity", "infinity"),
        (None, "2026-03-01", "2026-03-01"),
        (None, None, None),
    ],
)
def test_the_later_of_two_times_is_given_as_it_is_written(
    one: str | None, other: str | None, latest: str | None
) -> None:
    assert later(one, other) == latest


NO_TIMES = ["2026-13-01", "0000-01-01", "9999-12-31T23:59:59-23:59", "2026", "20260101112", "not a time at all"]
# ISO 8601 has these, too; in a column or a property they are a telephone number, a part's, a week's.
READ_AS_TIMES = ["20260301", "2026-W10-1", "20260301T1200", "2026-03-01x12:00"]


@pytest.mark.parametrize("text", [*NO_TIMES, *READ_AS_TIMES, None, ""])
def test_a_text_that_may_say_anything_is_a_time_only_where_it_is_written_as_times_are(text: str | None) -> None:
    assert instant_in(text) is None


@pytest.mark.parametrize("text", READ_AS_TIMES)
def test_what_only_reads_as_a_time_is_a_word_in_rows_and_pages_alike(text: str) -> None:
    assert instant_of(text) is not None
    assert supabase.fields({"phone": text}, None, None).properties == text
    assert notion.fields({"phone": text}, None).properties == text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01 14:00:00+02", True),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000", True),
        ("2026-03-01", "2026-03-01", True),
        ("2026-03-01", "2026-03-01T00:00:00Z", False),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:01Z", False),
        ("20260301", "2026-03-01", False),
        ("infinity", "infinity", False),
    ],
)
def test_rows_and_pages_are_compared_by_the_same_instants(one: str, other: str, *, same: bool) -> None:
    assert same_instant(one, other) is same_instant(other, one) is same
    assert agree({"at": one}, {"at": other}) is (same or one == other)
    page = {"properties": {"At": {"type": "date", "date": {"start": one}}}}
    assert agreement.agree(page, {"properties": {"At": {"type": "date", "date": {"start": other}}}}) is (
        same or one == other
    )


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:01.5Z", 1_500_000),
        ("1970-01-01T00:00:01", 1_000_000),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000_000),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_time_has_microseconds_also_at_the_ends_of_time(text: str | None, micros: int | None) -> None:
    assert micros_of(text) == micros
