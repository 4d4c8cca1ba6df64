"""Nothing that an operator, a sender or a stranger can ask is answered otherwise than `/openapi.json` says."""

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
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

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: answers that the document describes

SECRET = "a-secret-of-the-senders"
OPERATOR_EXAMPLES, OTHER_EXAMPLES = 30, 10
SECONDS = 90
"""The feed of changes may hold an answer for 60."""


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
ACCESS = {(route.method, route.path): route.access for route in ROUTES}
SIGNED = "|".join(route.path for route in ROUTES if route.access == "signed")

schema = schemathesis.openapi.from_dict(DOCUMENT)


@contextmanager
def service(folder: Path, **environ: str) -> Iterator[str]:
    """A service of its own process: the questions are asked from this one, without a loop."""
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
                **environ,
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


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that takes webhooks of anybody."""
    with service(tmp_path_factory.mktemp("open")) as one:
        yield one


@pytest.fixture(scope="module")
def strict_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that verifies signatures."""
    with service(tmp_path_factory.mktemp("strict"), VERIFY_WEBHOOK_SIGNATURES="true", WEBHOOK_SECRET=SECRET) as one:
        yield one


class Signing(requests.auth.AuthBase):
    """A sender that knows the secret, whatever it sends."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        assert isinstance(raw, bytes)
        request.headers["X-Webhook-Signature"] = hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        for other in ("webhook-signature", "X-Notion-Signature"):
            request.headers.pop(other, None)
        return request


@schema.parametrize()
@settings(max_examples=OPERATOR_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_to_an_operator_is_documented(case: schemathesis.Case[Any], url: str) -> None:
    case.call_and_validate(base_url=url, headers=dict(ADMIN), checks=CHECKS, timeout=SECONDS)


@schema.include(path_regex=SIGNED).parametrize()
@settings(max_examples=OTHER_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_to_a_sender_that_signs_is_documented(case: schemathesis.Case[Any], strict_url: str) -> None:
    response = case.call_and_validate(base_url=strict_url, auth=Signing(), checks=CHECKS, timeout=SECONDS)
    assert response.status_code not in {401, 403}, "what is signed rightly is not refused for its signature"


@schema.parametrize()
@settings(max_examples=OTHER_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_to_a_stranger_is_documented(case: schemathesis.Case[Any], strict_url: str) -> None:
    response = case.call_and_validate(base_url=strict_url, checks=CHECKS, timeout=SECONDS)
    if ACCESS[case.operation.method.upper(), case.operation.path] in {"readers", "operators"}:
        assert response.status_code in {400, 401, 405}, "a stranger learns nothing"


def test_the_document_is_openapi() -> None:
    validate(DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1")
