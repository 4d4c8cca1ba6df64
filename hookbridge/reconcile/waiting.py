"""Which copies wait for the text behind their record: they have all that a listing shows, and are of use before it.

Pure.  That a text is older than its record's time of change, or was read before the minute of that was over, is in what
a listing shows (``sources/notion/cuts.py``): then the copy differs, and does not wait.
"""

from __future__ import annotations

from hookbridge.model import FINGERPRINT_BYTES, Copy, Truth, textless
from hookbridge.store.values import Standing


def lacking(copy: Copy) -> Truth:
    """Give a copy that waits as the truth that it is of."""
    return Truth(
        record=copy.record,
        data=copy.data,
        changed_at=copy.changed_at,
        fingerprint=copy.fingerprint,
        ticket=copy.ticket,
        partial=True,
        lacks_content=True,
    )


def waits(truth: Truth, standing: Standing) -> bool:
    """Whether a copy is as a listing shows its record, but for a text that was never read.

    What was edited since the copy was read is not: its text may have been read just before, and be stored just now.
    """
    if not truth.lacks_content or not standing.present or truth.changed_at != standing.changed_at:
        return False
    return standing.fingerprint == truth.fingerprint[:FINGERPRINT_BYTES]


def was_refused(truth: Truth, standing: Standing) -> bool:
    """Whether the text behind a record was refused when it was read, and a listing shows it as it was then."""
    if not truth.partial or not standing.present:
        return False
    return standing.fingerprint[FINGERPRINT_BYTES:] == textless(truth.fingerprint[-FINGERPRINT_BYTES:])
