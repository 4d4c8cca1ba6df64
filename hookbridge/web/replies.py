"""Which error is answered with which status, code and headers: the only table of it.

The bodies are the guide's ("Error Responses"): ``{error, message}`` with the error's own data beside it, and
``{detail: […]}`` for fields.  It tells a sender nothing that the error does not say in ``message`` and ``hint``: the
reason of a refused signature stays in the log.
"""

from __future__ import annotations

import math
from http import HTTPStatus

import msgspec
from aiohttp import web

from hookbridge import errors
from hookbridge.api.errors import ErrorBody, InvalidFieldsBody, InvalidSourceBody

JSON_HEADERS = {"Server": "hookbridge", "X-Content-Type-Options": "nosniff"}
BROWSER_HEADERS = {**JSON_HEADERS, "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"}
"""Of a page, which has a Content-Security-Policy besides."""
PRIVATE = {"Cache-Control": "no-store"}
"""Of an answer that is one moment's, and an operator's."""
RETRY_AFTER_SECONDS = 5
"""Where neither we nor the source know better."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Row(msgspec.Struct, frozen=True):
    """One line of the table."""

    status: int
    code: str


TABLE: dict[type[errors.HookbridgeError], Row] = {
    errors.InvalidJson: Row(400, "invalid_json"),
    errors.InvalidSource: Row(400, "invalid_source"),
    errors.InvalidFields: Row(422, "invalid_fields"),
    errors.InvalidSignature: Row(401, "invalid_signature"),
    errors.AdminTokenRequired: Row(401, "unauthorized"),
    errors.NotFound: Row(404, "not_found"),
    errors.PlaceGone: Row(410, "place_gone"),
    errors.HandshakeRefused: Row(409, "handshake_refused"),
    errors.BodyTooSlow: Row(408, "request_timeout"),
    errors.HostRefused: Row(421, "misdirected_request"),
    errors.PayloadTooLarge: Row(413, "payload_too_large"),
    errors.UnsupportedMediaType: Row(415, "unsupported_media_type"),
    errors.TryLater: Row(503, "unavailable"),
    errors.NotReceiving: Row(503, "not_receiving"),
    errors.TooSoon: Row(429, "too_soon"),
    errors.StoreUnavailable: Row(503, "unavailable"),
    errors.SourceUnavailable: Row(503, "source_unavailable"),
    errors.RecordUnreadable: Row(503, "record_unreadable"),
    errors.SourceRefused: Row(502, "source_refused"),
    errors.RecordImpossible: Row(404, "record_impossible"),
}
INTERNAL = Row(500, "internal_error")
MALFORMED = Row(400, "bad_request")
"""What is no HTTP, or too long for it, is met before its path is known: every endpoint can answer it."""


Body = ErrorBody | InvalidSourceBody | InvalidFieldsBody


def row_of(kind: type[errors.HookbridgeError]) -> Row:
    """Find the line of an error's class or of its nearest ancestor; what has none is ours to repair: 500."""
    return next((TABLE[ancestor] for ancestor in kind.__mro__ if ancestor in TABLE), INTERNAL)


def body_of(error: errors.HookbridgeError) -> Body:
    """Give the body that says this error."""
    row = row_of(type(error))
    match error:
        case errors.InvalidFields():
            return InvalidFieldsBody(detail=tuple(error.problems))
        case errors.InvalidSource():
            return InvalidSourceBody(
                error=row.code, message=error.message, expected=error.expected, received=error.received
            )
        case _ if row is INTERNAL:
            return internal_body()
        case _:
            return ErrorBody(error=row.code, message=error.message, hint=error.hint)


def internal_body() -> ErrorBody:
    """The 500 of anything unforeseen: what happened is in the log and nowhere else."""
    return ErrorBody(error=INTERNAL.code, message="The request could not be completed because of an internal error")


def reply(error: errors.HookbridgeError) -> web.Response:
    """Answer with an error."""
    response = json_reply(body_of(error), status=row_of(type(error)).status, headers=_headers_of(error))
    if isinstance(error, errors.PayloadTooLarge | errors.BodyTooSlow):
        # The rest of that body is on its way: the connection cannot be used for another request.
        response.force_close()
    return response


def http_reply(error: web.HTTPException) -> web.Response:
    """Answer with an error that aiohttp raised: same status, same ``Allow``, our form of the body."""
    headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return json_reply(
        ErrorBody(error=code_of(error), message=_MESSAGES.get(error.status, error.reason)), error.status, headers
    )


def code_of(error: web.HTTPException) -> str:
    """Give our code of an error that aiohttp raised."""
    return HTTPStatus(error.status).phrase.lower().replace(" ", "_").replace("-", "_")


def json_reply(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer with a struct as JSON."""
    return web.Response(
        body=_encode(body), status=status, content_type="application/json", headers=JSON_HEADERS | (headers or {})
    )


_MESSAGES = {404: "There is no such path", 405: "This path does not take that method"}


def _headers_of(error: errors.HookbridgeError) -> dict[str, str]:
    match error:
        case errors.AdminTokenRequired():
            return {"WWW-Authenticate": 'Bearer realm="hookbridge"'}
        case errors.InvalidSignature():
            return {"WWW-Authenticate": 'Signature realm="hookbridge"'}
        case errors.TryLater() | errors.SourceUnavailable():
            return {"Retry-After": str(math.ceil(error.retry_after_seconds or RETRY_AFTER_SECONDS))}
        case errors.StoreUnavailable() | errors.RecordUnreadable():
            return {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case _:
            return {}


def malformed_body(reason: str) -> ErrorBody:
    """Give the body for a request that could not be parsed as HTTP."""
    return ErrorBody(error=MALFORMED.code, message=f"Malformed request: {reason}")
