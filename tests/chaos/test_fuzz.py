"""``scripts/fuzz`` in short: every target for some seconds, where there is atheris."""

import importlib.util
from pathlib import Path

import pytest

from scripts.fuzzing.__main__ import NAMES
from scripts.fuzzing.targets import TARGETS
from tests.support.commands import REPOSITORY
from tests.support.scripts import script

SECONDS = 2


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has wheels for Linux on x86-64 alone"
)


def test_every_target_has_its_name() -> None:
    assert tuple(TARGETS) == NAMES


@needs_atheris
@pytest.mark.parametrize("target", NAMES)
async def test_nothing_is_found_in_some_seconds(tmp_path: Path, target: str) -> None:
    before = set(REPOSITORY.glob("crash-*"))
    ran = await script(tmp_path, "scripts.fuzzing", "--seconds", str(SECONDS), "--json", "--target", target)
    for one in set(REPOSITORY.glob("crash-*")) - before:
        one.unlink()
    assert ran.code == 0, ran.out + ran.err
    (row,) = ran.lines
    assert row["target"] == target
    assert row["runs"] > 0
    assert row["corpus"] > 0
    assert not row["found"]
    assert left_in(tmp_path) == []


@needs_atheris
async def test_what_breaks_a_target_is_kept_and_ends_with_1(tmp_path: Path) -> None:
    # What a site module of this folder replaces stands for a defect.
    (tmp_path / "sitecustomize.py").write_text(
        "import email.utils\n"
        "def parse(value):\n    raise AssertionError('planted')\n"
        "email.utils.parsedate_to_datetime = parse\n"
    )
    place = tmp_path / "temporary"
    place.mkdir()
    ran = await script(place, "scripts.fuzzing", "--seconds", "5", "--target", "retry-after", PYTHONPATH=str(tmp_path))
    found = list(REPOSITORY.glob("crash-retry-after-*"))
    for one in found:
        one.unlink()
    assert ran.code == 1
    assert "planted" in ran.err
    assert len(found) == 1
    assert "1 targets were broken" in ran.out
    assert left_in(place) == []
