"""/docs works offline, and /openapi.json says what the route table says."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from hookbridge.web.openapi import document
from hookbridge.web.routes import ROUTES
from tests.support.running import Running

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads(document(ROUTES))
OPERATIONS = {
    operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()
}
PUBLIC = {route.name for route in ROUTES if route.access == "public"}


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of an operation: what it is, and its schema with its examples."""
    for place, said in {"request": operation.get("requestBody", {}), **operation["responses"]}.items():
        for media, content in said.get("content", {}).items():
            yield f"{place} {media}", content


def examples(content: dict[str, Any]) -> list[Any]:
    named = [example["value"] for example in content.get("examples", {}).values()]
    return [*named, *([content["example"]] if "example" in content else [])]


def problems(schema: dict[str, Any], example: object) -> list[str]:
    whole = OAS31Validator({**schema, "components": DOCUMENT["components"]})
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in whole.iter_errors(example)]


async def test_every_route_of_the_api_is_in_the_document(client: Running) -> None:
    document = await (await client.http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES if route.tag is not None}


async def test_every_reference_in_the_document_leads_somewhere(client: Running) -> None:
    answer = await client.http.get("/openapi.json")
    document = await answer.json()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', await answer.text()))
    assert names
    assert names <= set(document["components"]["schemas"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_what_it_does(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"].endswith(".")
    assert "Raises" not in operation["description"]
    unexplained = [one["name"] for one in operation.get("parameters", ()) if not {"description", "example"} <= set(one)]
    assert not unexplained, "hookbridge/web/answers.py has no entry for these parameters"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_has_an_example_of_each_form_and_all_are_what_their_schema_says(name: str) -> None:
    for place, content in contents(OPERATIONS[name]):
        forms = content["schema"].get("anyOf", [content["schema"]])
        shown = examples(content)
        assert shown, f"{place}: hookbridge/web/answers.py has no example"
        for example in shown:
            assert problems(content["schema"], example) == [], place
        for form in forms:
            assert any(not problems(form, example) for example in shown), f"{place}: no example of {form}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_error_has_a_status_a_body_and_an_example(name: str) -> None:
    refusals = {status: said for status, said in OPERATIONS[name]["responses"].items() if status >= "400"}
    assert "500" in refusals
    for status, said in refusals.items():
        assert said["description"], status
        assert examples(said["content"]["application/json"]), status


@pytest.mark.parametrize("name", OPERATIONS.keys() - PUBLIC)
def test_every_operation_that_is_not_public_names_what_it_asks_for(name: str) -> None:
    named = {scheme for requirement in OPERATIONS[name]["security"] for scheme in requirement}
    assert named
    assert named <= set(DOCUMENT["components"]["securitySchemes"])
    assert "401" in OPERATIONS[name]["responses"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_examples_of_parameters_are_what_their_schema_says(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", ()):
        assert problems(parameter["schema"], parameter["example"]) == [], parameter["name"]


async def test_the_page_asks_nobody_else(client: Running) -> None:
    answer = await client.http.get("/docs")
    page = await answer.text()
    assert "default-src" in answer.headers["Content-Security-Policy"]
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    for asset in re.findall(r'(?:src|href)="([^"#]+)"', page):
        async with client.http.get(asset) as found:
            assert found.status == 200


def test_every_endpoint_is_named_in_the_documents() -> None:
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(file.read_text() for file in files)
    pages = ("/docs/assets/", "/dashboard/")  # what the pages load is no endpoint of anybody's
    missing = {route.path for route in ROUTES if not route.path.startswith(pages) and not named_in(route.path, text)}
    assert not missing


def named_in(path: str, text: str) -> bool:
    """Whether a path is written there; a record's or source's own name may stand in place of a parameter."""
    return re.search(re.sub(r"\\\{\w+\\\}", r"[^/\\s`]+", re.escape(path)) + r"(?![\w/])", text) is not None
