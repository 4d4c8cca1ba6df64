"""What the fields of the API mean is told where no source is, too."""

import compileall
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hookbridge.web.openapi import document
from hookbridge.web.routes import ROUTES
from tests.support.commands import environment
from tests.support.processes import REPOSITORY

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: a document

DESCRIBE = """
import sys
from hookbridge.web import openapi, routes
assert openapi.__file__.endswith(".pyc"), openapi.__file__
sys.stdout.buffer.write(openapi.document(routes.ROUTES))
"""


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
