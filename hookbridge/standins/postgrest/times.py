"""Types of dates and times: microseconds (a date: days) since 1970, infinities included.

A `timestamp with time zone` is written in the zone of the database at that moment: another zone, another text.
"""

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import Json
from hookbridge.standins.postgrest.kinds import Text, Value
from hookbridge.standins.postgrest.moments import (
    DAY,
    INFINITY,
    Moment,
    Session,
    date_text,
    days,
    offset_of,
    read_moment,
)

_FIRST = days(-4713, 11, 24)
_LAST_OF_TIMES = days(294_276, 12, 31)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-5]):[0-5]\d)", re.ASCII)
_MICROSECOND = timedelta(microseconds=1)
_LAST_OF_DATES = days(5_874_897, 12, 31)


class Moments(Text):
    """What the types of dates and times have in common."""

    _last_day = _LAST_OF_TIMES
    _word = "timestamp"

    def __init__(self, name: str, session: Session) -> None:
        super().__init__(name)
        self._session = session

    def parse(self, text: str) -> Value:
        read = read_moment(self.name, text, self._session)
        if isinstance(read, int):
            return read
        if not _FIRST <= read.day <= self._last_day:
            raise errors.error(400, "22008", f'{self._word} out of range: "{text}"')
        return self._value(read)

    def store(self, value: object) -> Value:
        return super().store(value.isoformat() if isinstance(value, date) else value)

    def out(self, value: Value) -> Json:
        return None if value is None else self._written(value, "T")

    def text(self, value: Value) -> str:
        return self._written(value, " ")

    def spaced(self, value: Value) -> str:
        return "null" if value is None else f'"{self._written(value, "T")}"'

    def _written(self, value: int, between: str) -> str:
        if abs(value) == INFINITY:
            return "-infinity" if value < 0 else "infinity"
        return self._finite(value, between)

    def _value(self, moment: Moment) -> int:
        raise NotImplementedError

    def _finite(self, value: int, between: str) -> str:
        raise NotImplementedError


class Date(Moments):
    """date: what a text says of a time and a zone is read and left out."""

    _last_day = _LAST_OF_DATES
    _word = "date"

    def _value(self, moment: Moment) -> int:
        return moment.day

    def _finite(self, value: int, between: str) -> str:
        del between
        return "".join(date_text(value))


class Timestamp(Moments):
    """timestamp without time zone: what the clock on the wall shows."""

    def _value(self, moment: Moment) -> int:
        return moment.local()

    def _finite(self, value: int, between: str) -> str:
        return _wall(value, between, "")


class ZonedTimestamp(Moments):
    """timestamp with time zone: an instant."""

    def parse(self, text: str) -> Value:
        # What nearly every text looks like, by a way that is six times as fast.
        if _USUAL.fullmatch(text):
            with suppress(ValueError):
                return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
        return super().parse(text)

    def store(self, value: object) -> Value:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return (value - _EPOCH) // _MICROSECOND
        return super().store(value)

    def _value(self, moment: Moment) -> int:
        return moment.instant(self._session)

    def _finite(self, value: int, between: str) -> str:
        offset = offset_of(self._session.zone, value)
        return _wall(value + offset // _MICROSECOND, between, _offset(offset, short=between == " "))


def _wall(value: int, between: str, zone: str) -> str:
    day, time = divmod(value, DAY)
    seconds, fraction = divmod(time, 1_000_000)
    text, era = date_text(day)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if fraction:
        clock += f".{fraction:06d}".rstrip("0")
    return f"{text}{between}{clock}{zone}{era}"


def _offset(offset: timedelta, *, short: bool) -> str:
    """`+01:00`; as text `+01`, and with minutes and seconds only where there are some."""
    total = abs(offset) // timedelta(seconds=1)
    hours, minutes, seconds = total // 3600, total // 60 % 60, total % 60
    text = f"{'-' if offset < timedelta() else '+'}{hours:02d}"
    if minutes or seconds or not short:
        text += f":{minutes:02d}"
    return f"{text}:{seconds:02d}" if seconds else text
