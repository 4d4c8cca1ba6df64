"""Nothing that a client can ask is answered otherwise than `/openapi.json` says."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import validate
from schemathesis.checks import CheckContext
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hookbridge.web.openapi import document
from hookbridge.web.routes import ROUTES
from tests.support.processes import REPOSITORY
from tests.support.running import ADMIN, ADMIN_TOKEN


def not_an_internal_error(_context: CheckContext, response: schemathesis.Response, _case: object) -> None:
    """500 is documented everywhere and never right; 502 and 503 are answers: this service has no credentials."""
    assert response.status_code != 500, response.text


DOCUMENT = json.loads(document(ROUTES))
CHECKS = [
    not_an_internal_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

schema = schemathesis.openapi.from_dict(DOCUMENT)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service of its own process: the questions are asked from this one, without a loop."""
    folder = tmp_path_factory.mktemp("service")
    log = folder / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "hookbridge", "--port", "0"],
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(REPOSITORY),
                "HOOKBRIDGE_ADMIN_TOKEN": ADMIN_TOKEN,
                "HOOKBRIDGE_STORE__MIN_FREE_BYTES": "0",
                "HOOKBRIDGE_LOGGING__FORMAT": "json",
            },
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while not (listening := [line for line in log.read_text().splitlines() if '"Listening"' in line]):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield str(json.loads(listening[0])["url"])
    finally:
        process.kill()
        process.wait()


@schema.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case[Any], url: str) -> None:
    case.call_and_validate(base_url=url, headers=dict(ADMIN), checks=CHECKS, timeout=60)


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")
