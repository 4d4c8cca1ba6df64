"""/docs works offline, and /openapi.json says what the route table says."""

import base64
import json
import re
import tomllib
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest
from aiohttp import ClientSession
from openapi_schema_validator import OAS31Validator

from hookbridge.api import formats
from hookbridge.sources import guide
from hookbridge.web.openapi import document
from hookbridge.web.routes import ROUTES
from tests.support.running import Running, make_settings, running
from tests.support.strangers import proxy

pytestmark = pytest.mark.on("sqlite")  # the same on every engine: documents

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


@pytest.mark.parametrize("prefix", ["", "/bridge", "/a/b"])
async def test_what_the_document_describes_is_found_from_where_the_document_is(client: Running, prefix: str) -> None:
    async with proxy(client.url, prefix) as gate, ClientSession() as http:
        place = f"{gate.url}{prefix}/openapi.json"
        async with http.get(place) as answer:
            document = await answer.json()
        (server,) = document["servers"]
        # As tools do: the server's URL is resolved, and a path is put behind it (OpenAPI 3.1, "Server Object").
        base = urljoin(place, server["url"]).rstrip("/")
        for path in ("/healthz", "/readyz", "/api/v1/webhooks/stats"):
            assert path in document["paths"]
            async with http.get(base + path) as answer:
                assert answer.status == 200


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
    assert not unexplained, "a field says what it means, and has an example"


def test_what_stands_in_a_path_is_a_parameter_and_nothing_else() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            named = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
            assert named == re.findall(r"\{(\w+)\}", path), path


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_has_an_example_of_each_form_and_all_are_what_their_schema_says(name: str) -> None:
    for place, content in contents(OPERATIONS[name]):
        forms = content["schema"].get("anyOf", [content["schema"]])
        shown = examples(content)
        assert shown, f"{place}: no example"
        for example in shown:
            assert problems(content["schema"], example) == [], place
        for form in forms:
            assert any(not problems(form, example) for example in shown), f"{place}: no example of {form}"


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_error_has_a_status_a_body_and_an_example(name: str) -> None:
    refusals = {status: said for status, said in OPERATIONS[name]["responses"].items() if status >= "400"}
    assert "500" in refusals
    for status, said in refusals.items():
        assert said["description"].endswith("."), status
        assert said["description"] != HTTPStatus(int(status)).phrase
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


API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
CALLS = re.findall(r"^\| `([A-Z]+) (/\S*)` \| ([^|]+) \| [^|]+ \|([^|]*)\|$", API, re.MULTILINE)
CALLERS = {"public": "anybody", "signed": "a sender", "readers": "a reader", "operators": "an operator"}


def test_every_method_of_every_path_has_its_row() -> None:
    pages = ("/docs/assets/", "/dashboard/")  # what the pages load is no endpoint of anybody's
    expected = {(one.method, one.path, CALLERS[one.access]) for one in ROUTES if not one.path.startswith(pages)}
    assert {(method, path, who) for method, path, who, _ in CALLS} == expected
    assert len(CALLS) == len(expected)


def test_a_rows_commands_are_those_that_make_the_call() -> None:
    chapters = re.split(r"^## ", (ROOT / "docs" / "commands.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    by_command = {chapter.partition("\n")[0]: chapter for chapter in chapters[1:]}
    for method, path, _, commands in CALLS:
        for command in re.findall(r"`([^`]+)`", commands):
            assert f"`{method} {path}`" in by_command[command], command


def test_every_header_of_a_sender_is_explained() -> None:
    explained = set(re.findall(r"`([\w-]+)(?:: Bearer)?`", API.partition("### Senders")[2].partition("## ")[0]))
    headers = {scheme.get("name", "Authorization") for scheme in DOCUMENT["components"]["securitySchemes"].values()}
    named = {one["name"] for one in OPERATIONS["receiveNotion"]["parameters"] if one["in"] == "header"}
    assert headers | named <= explained


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_field_says_what_it_means(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert schema["description"]
    silent = [field for field, shape in schema.get("properties", {}).items() if not shape.get("description")]
    assert not silent, "a field says in its Meta what it means"
    assert "``" not in json.dumps(schema)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_may_be_left_out_of_a_request_line_is_never_null(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", ()):
        assert "null" not in json.dumps(parameter), parameter["name"]


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("/api/v1/events/{id}", "id", {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}),
        ("/api/v1/sources/{source}/pause", "source", {"enum": ["notion", "supabase"]}),
        ("/api/v1/records/{source}/{table}/{id}", "source", {"enum": ["notion", "supabase"]}),
    ],
)
def test_what_stands_in_a_path_has_its_type(path: str, name: str, expected: dict[str, Any]) -> None:
    (operation,) = DOCUMENT["paths"][path].values()
    assert next(one["schema"] for one in operation["parameters"] if one["name"] == name) == expected


def test_there_are_a_server_and_a_description_of_every_chapter() -> None:
    assert [server["url"] for server in DOCUMENT["servers"]] == ["."]
    described = {tag["name"] for tag in DOCUMENT["tags"] if tag["description"]}
    assert described == {route.tag for route in ROUTES if route.tag is not None}


SIGNED: list[dict[str, Any]] = [{}, {"webhookSignature": []}, {"standardWebhooks": []}, {"staticToken": []}]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("receiveSupabase", SIGNED),
        ("receiveNotion", [*SIGNED, {"notionSignature": []}]),
        ("testWebhook", [*SIGNED, {"notionSignature": []}, {"adminToken": []}]),
        ("readyz", [{}, {"adminToken": []}]),
        ("healthz", []),
        ("listEvents", [{"adminToken": []}]),
        ("changes", [{"readToken": []}, {"adminToken": []}]),
    ],
)
def test_an_operation_says_how_its_callers_say_who_they_are(name: str, expected: list[dict[str, Any]]) -> None:
    assert OPERATIONS[name]["security"] == expected


@pytest.mark.parametrize("name", ["receiveSupabase", "receiveNotion"])
def test_a_webhooks_headers_are_parameters(name: str) -> None:
    headers = [one["name"] for one in OPERATIONS[name]["parameters"] if one["in"] == "header"]
    standard = ["webhook-id", "webhook-timestamp", "webhook-signature"]
    assert headers == ["Idempotency-Key", *standard, "traceparent"]


async def test_who_is_not_known_is_told_how_to_say_who_it_is(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, secrets={"webhook_secrets": ("secret",)}, signatures={"verify": True})
    async with running(settings) as client:
        refused = await client.post("/api/v1/webhooks/supabase", {})
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Signature realm="hookbridge"')
    for operation in OPERATIONS.values():
        if "401" in operation["responses"]:
            assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]


# The bodies of webhooks

FIXTURES = ROOT / "tests" / "fixtures"
PAYLOADS = [
    *sorted((FIXTURES / "supabase").glob("native_*.json")),
    *sorted((FIXTURES / "supabase").glob("signed_*.json")),
    *sorted((FIXTURES / "notion").glob("*.json")),
    *sorted((ROOT / "examples" / "webhook_examples" / "payloads").glob("*.json")),
]


def payload(path: Path) -> Any:  # noqa: ANN401  any JSON
    written = json.loads(path.read_text(encoding="utf-8"))
    return json.loads(base64.b64decode(written["body_base64"])) if "body_base64" in written else written


@pytest.mark.parametrize("path", PAYLOADS, ids=lambda path: path.stem)
def test_what_senders_really_send_is_a_body_as_documented(path: Path) -> None:
    source = "receiveNotion" if "notion" in str(path.relative_to(ROOT)) else "receiveSupabase"
    for name in (source, "testWebhook"):
        schema = OPERATIONS[name]["requestBody"]["content"]["application/json"]["schema"]
        assert problems(schema, payload(path)) == []


@pytest.mark.parametrize("kind", formats.NOTION + formats.SUPABASE, ids=lambda kind: kind.__name__)
async def test_a_format_without_a_required_field_is_refused(client: Running, kind: type) -> None:
    examples = OPERATIONS["testWebhook"]["requestBody"]["content"]["application/json"]["examples"].values()
    schema = DOCUMENT["components"]["schemas"][kind.__name__]
    whole = next(one["value"] for one in examples if not problems(schema, one["value"]))
    source = "supabase" if kind in formats.SUPABASE else "notion"
    if kind is formats.GuideEvent:
        whole = {**whole, "source": source}
    path = f"/api/v1/webhooks/test?source={source}"
    assert (await client.post(path, whole)).status == 200
    for field in schema["required"]:
        without = {name: value for name, value in whole.items() if name != field}
        assert (await client.post(path, without)).status in {400, 422}, field


def test_the_guides_format_has_the_fields_that_are_decoded() -> None:
    for documented, decoded in ((formats.GuideEvent, guide.Envelope), (formats.GuideMetadata, guide.Metadata)):
        names = [{field.name: field.required for field in msgspec.structs.fields(one)} for one in (documented, decoded)]
        assert names[0] == names[1]


def test_every_place_of_a_decision_is_there() -> None:
    table = (ROOT / "docs/architecture.md").read_text().partition("| decision | where |")[2].partition("\n\n")[0]
    places = [re.findall(r"`([\w/*]+\.py)`", row.split("|")[2]) for row in table.splitlines()[2:]]
    assert all(places)
    assert [one for row in places for one in row if not any((ROOT / "hookbridge").glob(one))] == []


def test_every_layer_is_drawn_where_the_architecture_is_told() -> None:
    (contract, *_) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    told = (ROOT / "docs/architecture.md").read_text().partition("import-linter holds it:")[2].partition("\n\n")[0]
    drawn = [re.findall(r"\w+", layer) for layer in told.split("\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}")]
    assert drawn == [re.findall(r"\w+", layer) for layer in contract["layers"]]
