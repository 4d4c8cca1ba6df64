"""Whether the columns that an event claims are those that the row has.

Pure.  Compared are values, not text: session time zones, float digits and the case of UUIDs differ between a webhook
and a read of the same row.
"""

from __future__ import annotations

import math
from decimal import Decimal

from hookbridge.model import Columns
from hookbridge.names import is_uuid
from hookbridge.sources.times import same_instant


def agree(truth: Columns, claimed: Columns) -> bool:
    """Whether every column that is claimed has the claimed value; what is not claimed is not compared."""
    return all(name in truth and _same(truth[name], value) for name, value in claimed.items())


def _same(truth: object, claimed: object) -> bool:
    if isinstance(truth, dict) and isinstance(claimed, dict):
        return truth.keys() == claimed.keys() and all(_same(truth[name], value) for name, value in claimed.items())
    if isinstance(truth, list) and isinstance(claimed, list):
        return len(truth) == len(claimed) and all(map(_same, truth, claimed))
    if isinstance(truth, bool) or isinstance(claimed, bool):
        return truth is claimed
    return truth == claimed or _same_number(truth, claimed) or _same_text(truth, claimed)


def _same_number(truth: object, claimed: object) -> bool:
    if not isinstance(truth, int | float | Decimal) or not isinstance(claimed, int | float | Decimal):
        return False
    if isinstance(truth, int) and isinstance(claimed, int):
        return truth == claimed
    try:
        # What is beyond a double is infinite as one, and not the same for that.
        return float(truth) == float(claimed) and math.isfinite(float(truth))
    except OverflowError:
        return False


def _same_text(truth: object, claimed: object) -> bool:
    if not isinstance(truth, str) or not isinstance(claimed, str):
        return False
    if is_uuid(truth):
        return truth.lower() == claimed.lower()
    return same_instant(truth, claimed)
