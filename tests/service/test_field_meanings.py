"""What the fields of the API mean is written beside the code, and told without it."""

import compileall
import shutil
import subprocess
import sys
from pathlib import Path

from hookbridge.web.openapi import document
from hookbridge.web.routes import ROUTES
from scripts.field_meanings import FILE, text
from tests.support.commands import environment
from tests.support.processes import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "field-meanings"
DESCRIBE = """
import sys
from hookbridge.web import openapi, routes
assert openapi.__file__.endswith(".pyc"), openapi.__file__
sys.stdout.buffer.write(openapi.document(routes.ROUTES))
"""


def test_the_meanings_of_fields_are_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run ./scripts/field-meanings"


def test_the_api_is_described_where_no_source_is(tmp_path: Path) -> None:
    package = tmp_path / "hookbridge"
    shutil.copytree(REPOSITORY / "hookbridge", package, ignore=shutil.ignore_patterns("__pycache__"))
    assert compileall.compile_dir(package, quiet=2, legacy=True)
    for source in package.rglob("*.py"):
        source.unlink()
    ran = subprocess.run(
        [sys.executable, "-c", DESCRIBE],
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(tmp_path)}),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout == document(ROUTES)


def test_asking_for_help_writes_nothing() -> None:
    written = FILE.stat().st_mtime_ns
    shown = subprocess.run([SCRIPT, "--help"], check=True, capture_output=True, text=True)
    assert "usage: scripts/field-meanings" in shown.stdout
    assert FILE.stat().st_mtime_ns == written
