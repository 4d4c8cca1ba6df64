"""``/openapi.json``: OpenAPI 3.1 from the route table and the structs that handlers really decode and encode.

Invariant: every documented route of the table is in it with every error it may answer, and nothing else is.  Examples
of errors are what ``replies`` makes of real errors, those of answers stand in ``answers``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from hookbridge import errors
from hookbridge.web import answers
from hookbridge.web.replies import (
    INTERNAL,
    MALFORMED,
    RETRY_AFTER_SECONDS,
    ErrorBody,
    InvalidFieldsBody,
    InvalidSourceBody,
    body_of,
    internal_body,
    malformed_body,
    row_of,
)
from hookbridge.web.route import Answer, Request, Route

Json = dict[str, Any]

EXAMPLES: tuple[errors.HookbridgeError, ...] = (
    errors.InvalidJson("The body is not valid JSON: Input data was truncated"),
    errors.InvalidSource("supabase", "notion"),
    errors.InvalidFields([errors.FieldProblem(("body", "record_id"), "field required", "value_error.missing")]),
    errors.InvalidParameter("limit", "Expected `int` <= 500"),
    errors.InvalidSignature(""),
    errors.AdminTokenRequired(
        "This needs the admin token", hint="Send it as: Authorization: Bearer <HOOKBRIDGE_ADMIN_TOKEN>"
    ),
    errors.NotFound("There is no event 42"),
    errors.HandshakeRefused("A verification token is known already"),
    errors.BodyTooSlow("The body did not arrive within 60 seconds"),
    errors.PayloadTooLarge(2 * 1024 * 1024),
    errors.UnsupportedMediaType("text/plain"),
    errors.TryLater("Too many events are open", retry_after_seconds=RETRY_AFTER_SECONDS),
    errors.StoreUnavailable("The disk is full"),
    errors.SourceUnavailable("Supabase did not answer within 10 s"),
    errors.SourceRefused("Supabase refuses the key"),
    errors.RecordUnreadable("Supabase cancelled the read because of its statement timeout"),
    errors.RecordImpossible("There is no table public.user"),
)
"""One of each kind that ``replies`` knows."""

SECURITY_SCHEMES: Json = {
    "adminToken": {"type": "http", "scheme": "bearer", "description": "`HOOKBRIDGE_ADMIN_TOKEN`"},
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Webhook-Signature",
        "description": "HMAC-SHA256 of the raw body in hex, with or without `sha256=`",
    },
    "notionSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Notion-Signature",
        "description": "`sha256=` and the HMAC-SHA256 of the raw body in hex; the key is the verification token",
    },
    "standardWebhooks": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks: `v1,<base64>` over `webhook-id`, `webhook-timestamp` and the raw body",
    },
}
_SECURITY: dict[str, list[Json]] = {
    "public": [],
    # The empty one: signatures need not be verified.
    "signed": [{}, {"webhookSignature": []}, {"notionSignature": []}, {"standardWebhooks": []}],
    "operators": [{"adminToken": []}],
}


def document(routes: Iterable[Route]) -> bytes:
    """Describe the routes that belong to the API."""
    documented = [route for route in routes if route.tag is not None]
    schemas = _Schemas(documented)
    paths: dict[str, Json] = {}
    for route in documented:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "hookbridge",
            "version": version("hookbridge"),
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "Keeps a copy and a search index true to Supabase tables and Notion databases.",
        },
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": SECURITY_SCHEMES},
    }
    return msgspec.json.encode(whole)


class _Schemas:
    """The JSON Schemas of all structs that routes speak of."""

    def __init__(self, routes: list[Route]) -> None:
        types: list[type] = [ErrorBody, InvalidSourceBody, InvalidFieldsBody]
        for route in routes:
            types += route.request.bodies if route.request else ()
            types += [body for answer in route.answers.values() for body in answer.bodies]
        queries = [route.query for route in routes if route.query is not None]
        unique = list(dict.fromkeys([*types, *queries]))
        schemas, components = msgspec.json.schema_components(unique, ref_template="#/components/schemas/{name}")
        self._by_type = dict(zip(unique, schemas, strict=True))
        # A query is spread into parameters; its struct is no schema of the API.
        self._queries = {query: components.pop(query.__name__) for query in dict.fromkeys(queries)}
        self.components: Json = components

    def of(self, types: tuple[type, ...]) -> Json:
        """The schema of a body that is one of these."""
        found = [self._by_type[kind] for kind in types]
        return found[0] if len(found) == 1 else {"anyOf": found}

    def parameters(self, query: type[msgspec.Struct]) -> list[Json]:
        """The query parameters of a struct."""
        schema = self._queries[query]
        required = schema.get("required", ())
        return [
            {"name": name, "in": "query", "required": name in required, "schema": shape}
            for name, shape in schema["properties"].items()
        ]


def _explained(route: Route, parameter: Json) -> Json:
    """Add what a parameter means, and an example; what its own schema says of it comes first."""
    name = parameter["name"]
    known = answers.PARAMETERS_OF.get((route.tag, name), answers.PARAMETERS.get(name))
    if known is None:
        return parameter
    said = parameter["schema"].get("description")
    description = f"{known.description}. {said}" if said and said != known.description else known.description
    return {**parameter, "description": description, "example": known.example}


def _description(route: Route) -> str:
    """Give the handler's docstring, without what it says to its callers in Python."""
    return route.description or re.sub(r"\s*Raises [^.]*\.", "", route.handler.__doc__ or "")


def _operation(route: Route, schemas: _Schemas) -> Json:
    operation: Json = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": route.summary,
        "description": _description(route),
        "security": _SECURITY[route.access],
        "responses": {
            **{str(status): _answer(answer, schemas) for status, answer in sorted(route.answers.items())},
            **_refusals(route, schemas),
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    parameters += schemas.parameters(route.query) if route.query else []
    if parameters:
        operation["parameters"] = [_explained(route, parameter) for parameter in parameters]
    if route.request is not None:
        operation["requestBody"] = _request(route.request, schemas)
    return operation


def _request(request: Request, schemas: _Schemas) -> Json:
    examples = {name: {"value": example} for name, example in request.examples.items()}
    return {
        "required": True,
        "content": {"application/json": {"schema": schemas.of(request.bodies), "examples": examples}},
    }


def _answer(answer: Answer, schemas: _Schemas) -> Json:
    said: Json = {"description": answer.description}
    if answer.headers:
        said["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in answer.headers.items()
        }
    if answer.bodies:
        said["content"] = {answer.media: {"schema": schemas.of(answer.bodies), **_examples(answer)}}
    return said


def _examples(answer: Answer) -> Json:
    """Give the answer's own example, or that of each struct that its body may be."""
    if answer.example is not None:
        return {"example": answer.example}
    return {
        "examples": {
            kind.__name__: {"value": answers.EXAMPLES[kind]} for kind in answer.bodies if kind in answers.EXAMPLES
        }
    }


def _refusals(route: Route, schemas: _Schemas) -> Json:
    by_status: dict[int, dict[str, object]] = {
        INTERNAL.status: {INTERNAL.code: internal_body()},
        MALFORMED.status: {MALFORMED.code: malformed_body("Got more than 8190 bytes when reading the line")},
    }
    for kind in route.all_refusals():
        row = row_of(kind)
        example = next(example for example in EXAMPLES if type(example) is kind)
        by_status.setdefault(row.status, {})[row.code] = body_of(example)
    return {str(status): _refusal(status, examples, schemas) for status, examples in sorted(by_status.items())}


def _refusal(status: int, examples: dict[str, object], schemas: _Schemas) -> Json:
    said: Json = {
        "description": HTTPStatus(status).phrase,
        "content": {
            "application/json": {
                "schema": schemas.of(tuple(dict.fromkeys(type(example) for example in examples.values()))),
                "examples": {code: {"value": example} for code, example in examples.items()},
            }
        },
    }
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        said["headers"] = {"Retry-After": {"description": "Whole seconds", "schema": {"type": "integer"}}}
    return said
