"""Dates and times as PostgreSQL reads them: one text to days and microseconds since 1970, or the error it would raise.

Python's own calendar ends at the years 1 and 9999, PostgreSQL's does not; so days are counted here.
Not here: two-digit years, day names, Julian days.

Source: PostgreSQL 15 documentation, "Date/Time Input Interpretation"; errors as recorded with it.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import msgspec

from hookbridge.standins.postgrest import errors

INFINITY = 2**63 - 1
DAY = 86_400_000_000
_SECOND = 1_000_000
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<word>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DATES = (
    r"(?P<year>\d{3,})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{3,})",
    rf"{_MONTH}[\s-]+(?P<day>\d{{1,2}}),?[\s-]+(?P<year>\d{{3,}})",
    rf"(?P<day>\d{{1,2}})[\s-]+{_MONTH}[\s,-]+(?P<year>\d{{3,}})",
)
_TIME = r"(?:(?:t|\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d*))?)?)?"
_ZONE = (
    r"(?:\s*(?P<sign>[+-])(?P<off_h>\d{1,2})(?::?(?P<off_m>\d{2}))?(?::?(?P<off_s>\d{2}))?"
    r"|\s*(?P<zone>(?!bc|ad)[a-z][\w/+-]*))?"
)
_TEXTS = [re.compile(rf"\s*{date}{_TIME}{_ZONE}(?:\s*(?P<era>bc|ad))?\s*", re.ASCII) for date in _DATES]
_LARGEST_OFFSET_HOURS = 15
_LEAP_SECOND = 60


class Session(msgspec.Struct):
    """What the meaning of a time depends on: the database's zone and its clock."""

    now: Callable[[], datetime]
    zone: tzinfo = UTC


class Moment(msgspec.Struct, frozen=True):
    """What a text says: its date, its time of day in microseconds, and its zone if it names one."""

    day: int
    time: int
    zone: tzinfo | timedelta | None

    def local(self) -> int:
        """Microseconds since 1970, by the clock on the wall."""
        return self.day * DAY + self.time

    def instant(self, session: Session) -> int:
        """Microseconds since 1970 in UTC."""
        zone = session.zone if self.zone is None else self.zone
        offset = zone if isinstance(zone, timedelta) else offset_of(zone, self.local(), is_local=True)
        return self.local() - offset // timedelta(microseconds=1)


def read_moment(type_name: str, text: str, session: Session) -> Moment | int:
    """Read a text; an infinity is given as the number that stands for it."""
    lowered = text.strip().lower()
    if lowered in {"infinity", "-infinity"}:
        return -INFINITY if lowered.startswith("-") else INFINITY
    if lowered == "epoch":
        return Moment(0, 0, UTC)
    if lowered in {"now", "today", "tomorrow", "yesterday"}:
        return _relative(lowered, session)
    found = next((match for pattern in _TEXTS if (match := pattern.fullmatch(lowered))), None)
    if found is None:
        raise errors.invalid_datetime(type_name.removesuffix(" without time zone"), text)
    fields = found.groupdict()
    zone = _zone(type_name, text, fields)
    return Moment(_day(text, fields), _time(text, fields), zone)


def _relative(word: str, session: Session) -> Moment:
    now = session.now().astimezone(session.zone)
    day = now.date().toordinal() - datetime(1970, 1, 1, tzinfo=UTC).toordinal()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    time = (now.replace(tzinfo=None) - midnight) // timedelta(microseconds=1) if word == "now" else 0
    return Moment(day + {"tomorrow": 1, "yesterday": -1}.get(word, 0), time, None)


def _day(text: str, fields: dict[str, str | None]) -> int:
    year, day = int(fields["year"] or 0), int(fields["day"] or 0)
    word = fields.get("word")
    month = _MONTHS.index(word) + 1 if word else int(fields["month"] or 0)
    if not 1 <= month <= len(_MONTHS) or not 1 <= day <= 31:  # noqa: PLR2004 - no month has more
        raise errors.datetime_out_of_range(text, ambiguous=True)
    if year == 0:
        raise errors.datetime_out_of_range(text)
    counted = 1 - year if fields["era"] == "bc" else year
    first, following = days(counted, month, 1), days(counted + month // 12, month % 12 + 1, 1)
    if day > following - first:
        raise errors.datetime_out_of_range(text)
    return first + day - 1


def _time(text: str, fields: dict[str, str | None]) -> int:
    hour, minute, second = (int(fields[name] or 0) for name in ("hour", "minute", "second"))
    fraction = round(float(f"0.{fields['fraction'] or 0}") * _SECOND)
    time = (hour * 3600 + minute * 60 + second) * _SECOND + fraction
    if minute >= 60 or second > _LEAP_SECOND or time > DAY:  # noqa: PLR2004 - minutes of an hour
        raise errors.datetime_out_of_range(text)
    return time


def _zone(type_name: str, text: str, fields: dict[str, str | None]) -> tzinfo | timedelta | None:
    if fields["sign"]:
        hours, minutes, seconds = (int(fields[name] or 0) for name in ("off_h", "off_m", "off_s"))
        if hours > _LARGEST_OFFSET_HOURS or minutes >= 60 or seconds >= 60:  # noqa: PLR2004 - of an hour
            raise errors.error(400, "22009", f'time zone displacement out of range: "{text}"')
        offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return -offset if fields["sign"] == "-" else offset
    name = fields["zone"]
    if name is None:
        return None
    if name == "z":
        return UTC
    known = _zones().get(name)
    if known is not None:
        return ZoneInfo(known)
    if "/" in name:
        raise errors.error(400, "22023", f'time zone "{name}" not recognized')
    raise errors.invalid_datetime(type_name.removesuffix(" without time zone"), text)


@cache
def _zones() -> dict[str, str]:
    """Names of zones by their lower-case spelling, in which a text is read."""
    return {name.lower(): name for name in available_timezones()}


def days(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date in the Gregorian calendar, in any year (0 is 1 BC)."""
    shifted = year - (month <= 2)  # noqa: PLR2004 - years begin in March here, so that a leap day ends them
    era, of_era = divmod(shifted, 400)
    of_year = (153 * (month + (9 if month <= 2 else -3)) + 2) // 5 + day - 1  # noqa: PLR2004 - as above
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def date_text(day: int) -> tuple[str, str]:
    """A day since 1970 as `YYYY-MM-DD`, and what comes behind it (and behind a time) in years before Christ."""
    era, of_era = divmod(day + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + (3 if shifted < 10 else -9)  # noqa: PLR2004 - from March to December
    year = year_of_era + era * 400 + (month <= 2)  # noqa: PLR2004 - as in `days`
    date = of_year - (153 * shifted + 2) // 5 + 1
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{date:02d}", "" if year > 0 else " BC"


_FIRST, _LAST = days(2, 1, 1) * DAY, days(9999, 1, 1) * DAY
_CYCLE = 146_097 * DAY


def offset_of(zone: tzinfo, microseconds: int, *, is_local: bool = False) -> timedelta:
    """A zone's offset at an instant, or at what its clocks show.

    Beyond Python's years it is that of a year which the calendar repeats, and before them that of the first.
    """
    if zone is UTC:
        return timedelta()
    if microseconds > _LAST:
        microseconds = _LAST - _CYCLE + (microseconds - _LAST) % _CYCLE
    near = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=max(microseconds, _FIRST))
    moment = near.replace(tzinfo=zone) if is_local else near.astimezone(zone)
    return moment.utcoffset() or timedelta()
