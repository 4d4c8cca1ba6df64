"""The checks behind ``check``: each looks at one thing and says what it found and what to do.

Invariants: nothing is changed, in no source and in no data file; no finding shows a secret; one check's failure never
hides another's, except where it makes the other one meaningless, which is then ``skipped``.
"""

from hookbridge.doctor.examination import Examined, examine
from hookbridge.doctor.finding import Finding

__all__ = ["Examined", "Finding", "examine"]
