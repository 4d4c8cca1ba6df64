"""``/openapi.json``: OpenAPI 3.1 from the route table and the structs that handlers really decode and encode.

Invariant: every documented route of the table is in it with every error it may answer, and nothing else is.  Examples
of errors are what ``replies`` makes of real errors, and when they are met the errors' docstrings say; examples of
answers are made of those of their fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import NamedTuple

import msgspec

from hookbridge import errors
from hookbridge.web import security
from hookbridge.web.replies import (
    INTERNAL,
    MALFORMED,
    RETRY_AFTER_SECONDS,
    Body,
    Row,
    body_of,
    internal_body,
    malformed_body,
    row_of,
)
from hookbridge.web.route import Answer, Request, Route
from hookbridge.web.schemas import Json, Schemas, readable

TAGS = {
    "webhooks": "What senders call: the guide's four endpoints.",
    "records": "The copies and the index, for your own API.",
    "changes": "The feed of verified changes, for whoever keeps something true to the records.",
    "events": "The inbox: what came, what became of it, and processing it again.",
    "sources": "The lanes of the sources.",
    "notion": "The verification token of Notion's webhooks.",
    "destinations": "Who is told of each change.",
    "reconciler": "Following whole tables: polls, sweeps and proofs.",
    "health": "Whether it lives and can take webhooks, and its figures.",
}
"""The chapters, in their order."""

EXAMPLES: tuple[errors.HookbridgeError, ...] = (
    errors.InvalidJson("The body is not valid JSON: Input data was truncated"),
    errors.InvalidSource("supabase", "notion"),
    errors.InvalidFields([errors.FieldProblem(("body", "record_id"), "field required", "value_error.missing")]),
    errors.InvalidParameter("limit", "Expected `int` <= 500"),
    errors.InvalidSignature(""),
    errors.AdminTokenRequired(
        "This needs the admin token", hint="Send it as: Authorization: Bearer <HOOKBRIDGE_ADMIN_TOKEN>"
    ),
    errors.HostRefused("This service does not answer under that name", hint="add the name to [server] allowed_hosts"),
    errors.NotFound("There is no event 42"),
    errors.PlaceGone(
        "The feed does not go as far as this place",
        hint="begin a snapshot, with since=0: when it has ended, what it did not tell is gone",
    ),
    errors.HandshakeRefused("A verification token is known already"),
    errors.BodyTooSlow("The body did not arrive within 60 seconds"),
    errors.PayloadTooLarge(2 * 1024 * 1024),
    errors.UnsupportedMediaType("text/plain"),
    errors.TryLater("Too many events are open", retry_after_seconds=RETRY_AFTER_SECONDS),
    errors.NotReceiving(
        "This node takes no webhooks",
        retry_after_seconds=5,
        hint="send them to a node whose [node] roles have receive",
    ),
    errors.TooSoon(
        "A record is read afresh once in 60 s", retry_after_seconds=42, hint="without fresh=1 the copy answers"
    ),
    errors.StoreUnavailable("The disk is full"),
    errors.SourceUnavailable("Supabase did not answer within 10 s"),
    errors.SourceRefused("Supabase refuses the key"),
    errors.RecordUnreadable("Supabase cancelled the read because of its statement timeout"),
    errors.RecordImpossible("There is no table public.user"),
)
"""One of each kind that ``replies`` knows."""


def document(routes: Iterable[Route]) -> bytes:
    """Describe the routes that belong to the API."""
    documented = [route for route in routes if route.tag is not None]
    schemas = Schemas(documented)
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
        # Relative to where this document is (OpenAPI 3.1, "Relative References in URLs"), also below a proxy's prefix.
        "servers": [{"url": ".", "description": "The service that answers this"}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": security.SCHEMES},
    }
    return msgspec.json.encode(whole)


def _operation(route: Route, schemas: Schemas) -> Json:
    description = _description(route)
    operation: Json = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": _first_sentence(description).removesuffix("."),
        "description": description,
        "security": security.requirements(route),
        "responses": {
            **{str(status): _answer(answer, schemas) for status, answer in sorted(route.answers.items())},
            **_refusals(route, schemas),
        },
    }
    if route.parameters:
        operation["parameters"] = [one for kind, place in route.parameters for one in schemas.parameters(kind, place)]
    if route.request is not None:
        operation["requestBody"] = _request(route.request, schemas)
    return operation


def _description(route: Route) -> str:
    """Give the handler's docstring, without what it says to its callers in Python."""
    return route.description or re.sub(r"\s*Raises [^.]*\.", "", readable(route.handler.__doc__ or ""))


def _request(request: Request, schemas: Schemas) -> Json:
    examples = {name: {"value": example} for name, example in request.examples.items()}
    return {
        "required": True,
        "content": {"application/json": {"schema": schemas.of(request.bodies), "examples": examples}},
    }


def _answer(answer: Answer, schemas: Schemas) -> Json:
    said: Json = {"description": answer.description}
    if answer.headers:
        said["headers"] = {name: _header(meaning) for name, meaning in answer.headers.items()}
    if answer.bodies:
        said["content"] = {answer.media: {"schema": schemas.of(answer.bodies), **_examples(answer, schemas)}}
    return said


def _header(meaning: str, kind: str = "string") -> Json:
    return {"description": meaning, "schema": {"type": kind}}


def _examples(answer: Answer, schemas: Schemas) -> Json:
    """Give the answer's own example, or that of each struct that its body may be."""
    if answer.example is not None:
        return {"example": answer.example}
    return {"examples": {kind.__name__: {"value": schemas.example(kind)} for kind in answer.bodies}}


class _Refusal(NamedTuple):
    row: Row
    when: str
    body: Body


_ALWAYS = (
    _Refusal(
        MALFORMED,
        "What was sent is no HTTP, or a part of it is too long.",
        malformed_body("Got more than 8190 bytes when reading the line"),
    ),
    _Refusal(INTERNAL, "Something happened that was not foreseen; the log says what.", internal_body()),
)


def _refusals(route: Route, schemas: Schemas) -> Json:
    examples = {type(example): body_of(example) for example in EXAMPLES}
    foreseen = (
        _Refusal(row_of(kind), _first_sentence(readable(kind.__doc__ or "")), examples[kind])
        for kind in route.all_refusals()
    )
    by_status: dict[int, list[_Refusal]] = {}
    for one in (*foreseen, *_ALWAYS):
        by_status.setdefault(one.row.status, []).append(one)
    return {str(status): _refusal(status, by_status[status], schemas) for status in sorted(by_status)}


def _first_sentence(text: str) -> str:
    return text.partition("\n")[0].partition(". ")[0].removesuffix(".") + "."


def _refusal(status: int, refusals: list[_Refusal], schemas: Schemas) -> Json:
    examples = {one.row.code: one.body for one in refusals}
    said: Json = {
        "description": " ".join(dict.fromkeys(one.when for one in refusals)),
        "content": {
            "application/json": {
                "schema": schemas.of(tuple(dict.fromkeys(map(type, examples.values())))),
                "examples": {code: {"value": example} for code, example in examples.items()},
            }
        },
    }
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        said["headers"] = {"Retry-After": _header("Whole seconds", "integer")}
    if status == HTTPStatus.UNAUTHORIZED:
        said["headers"] = {"WWW-Authenticate": _header("How to say who is calling")}
    return said
