"""How long what is left will take.

Pure.
"""

from __future__ import annotations

SURE_OF = 20
"""So many done say more about the rest than what may be asked for does."""


def left_seconds(left: int, done: int, elapsed: float, per_second: float | None) -> float | None:
    """Say how long ``left`` will take where ``done`` took ``elapsed`` seconds; None where nothing tells.

    ``per_second`` is what may be done in a second, where that is known.
    """
    if not left:
        return 0.0
    if done >= SURE_OF and elapsed > 0:
        return round(left * elapsed / done, 1)
    return None if per_second is None else round(left / per_second, 1)
