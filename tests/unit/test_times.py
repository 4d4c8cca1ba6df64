"""When something happened, by a text of any sender's or source's."""

import pytest

from hookbridge.reconcile.state import later
from hookbridge.sources.times import instant_of


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
