"""Types of numbers: which spellings they take, what they can hold, and how many digits they show."""

import math
import re
import struct
from decimal import Decimal
from typing import Any

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.jsonb import number, shortest
from hookbridge.standins.postgrest.kinds import Text, Value

INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_NAN_LAST = (1, 0)
_DOUBLE_DIGITS, _REAL_DIGITS = 15, 6  # from 10 to the power of these on, an exponent is written
_NUMERIC_DIGITS = 131_072  # before the point
# Python takes more than PostgreSQL 15: underscores, and the digits of other scripts.
_WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_SPECIAL = re.compile(r"\s*(?:nan|[+-]?inf(?:inity)?)\s*", re.IGNORECASE)


class Integer(Text):
    """smallint, integer, bigint."""

    def parse(self, text: str) -> Value:
        if not _WHOLE.fullmatch(text):
            raise errors.invalid_text(self.name, text)
        value, bound = int(text), INTEGERS[self.name]
        if not -bound <= value < bound:
            raise errors.out_of_range(self.name, text)
        return value

    def spaced(self, value: Value) -> str:
        return "null" if value is None else str(value)


class Numeric(Text):
    """numeric: digits and scale are kept, `1.50` stays `1.50`."""

    def parse(self, text: str) -> Value:
        if not (_DECIMAL.fullmatch(text) or _SPECIAL.fullmatch(text)):
            raise errors.invalid_text(self.name, text)
        value = Decimal(text.strip())
        if value.is_finite() and value.adjusted() >= _NUMERIC_DIGITS:
            raise errors.error(400, "22003", "value overflows numeric format")
        return value.copy_abs() if value == 0 else value

    def text(self, value: Value) -> str:
        return number(value).strip('"')

    def spaced(self, value: Value) -> str:
        return "null" if value is None else number(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return _NAN_LAST if value.is_nan() else (0, value)


class Float(Text):
    """double precision: what it cannot hold is refused, the infinities have to be written as such."""

    def parse(self, text: str) -> Value:
        if _SPECIAL.fullmatch(text):
            return float(text)
        if not _DECIMAL.fullmatch(text):
            raise errors.invalid_text(self.name, text)
        value = self._rounded(float(text))
        if math.isinf(value) or (value == 0 and Decimal(text.strip()) != 0):
            raise errors.error(400, "22003", f'"{text}" is out of range for type {self.name}')
        return value

    def text(self, value: Value) -> str:
        return self._digits(value).strip('"')

    def compact(self, value: Value) -> str:
        return "null" if value is None else self._digits(value)

    def spaced(self, value: Value) -> str:
        if value is None:
            return "null"
        return number(Decimal(self._digits(value))) if math.isfinite(value) else number(value)

    def ordered(self, value: Value) -> Any:  # noqa: ANN401 - the type belongs to the column
        return _NAN_LAST if math.isnan(value) else (0, value)

    def _rounded(self, value: float) -> float:
        return value

    def _digits(self, value: float) -> str:
        return shortest(value, repr(value), _DOUBLE_DIGITS)


class Real(Float):
    """real: rounded to its four bytes, and shown with as many digits as tell it from its neighbours."""

    def _rounded(self, value: float) -> float:
        try:
            (rounded,) = struct.unpack("f", struct.pack("f", value))
        except OverflowError:
            return math.inf
        return float(rounded)

    def _digits(self, value: float) -> str:
        texts = (f"{value:.{digits}g}" for digits in range(_REAL_DIGITS, 10))
        enough = next((text for text in texts if self._rounded(float(text)) == value), repr(value))
        return shortest(value, enough, _REAL_DIGITS)
