"""What fuzzing once found, and what it begins with, through every target that it has."""

from pathlib import Path

import pytest

from scripts.fuzzing.targets import TARGETS

CORPUS = sorted((Path(__file__).parents[1] / "fixtures" / "corpus").iterdir())


@pytest.mark.parametrize("case", CORPUS, ids=lambda path: path.name)
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_body_is_taken_or_refused_and_nothing_else(target: str, case: Path) -> None:
    TARGETS[target](case.read_bytes())
