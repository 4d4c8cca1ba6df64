"""``scripts/same-answers`` in short: the front door answers what the ordinary route would, and stores the same."""

import pytest

from scripts.same_answers import compare, excused

OTHER = b"HTTP/1.1 202 Accepted\r\n\r\n"
BROKEN = b"HTTP/1.0 400 Bad Request\r\n\r\n"


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_same_bytes_have_the_same_answers_with_and_without_the_front_door(seed: int) -> None:
    number, difference = await compare(seed, rounds=200)
    assert difference == ""
    assert number >= 200


@pytest.mark.parametrize(
    ("one", "other", "may_be"),
    [
        (OTHER + BROKEN, BROKEN, True),
        (BROKEN, OTHER + BROKEN, True),
        (OTHER, OTHER + OTHER, False),
        (OTHER, b"", False),
        (OTHER + BROKEN, b"HTTP/1.1 401 Unauthorized\r\n\r\n" + BROKEN, False),
    ],
)
def test_only_what_came_together_with_something_malformed_may_differ(one: bytes, other: bytes, *, may_be: bool) -> None:
    assert excused(one, other) is may_be
