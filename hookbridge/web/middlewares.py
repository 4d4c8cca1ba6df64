"""What stands around every handler: one place where errors become answers.

Invariant: whatever a handler raises, the answer is JSON, and what was not foreseen is logged with its traceback and
answered without details; an answer that has begun is broken off and never followed by another one.  It decides no
status: ``replies`` does.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from hookbridge.api.errors import ErrorBody
from hookbridge.errors import HookbridgeError, InvalidSignature, StoreUnavailable, TryLater
from hookbridge.web.access import is_operator
from hookbridge.web.access_log import TOLD
from hookbridge.web.clients import client
from hookbridge.web.keys import SERVICE
from hookbridge.web.protocol import protocol_of
from hookbridge.web.reception import WEBHOOKS
from hookbridge.web.replies import (
    INTERNAL,
    MALFORMED,
    RETRY_AFTER_SECONDS,
    code_of,
    http_reply,
    internal_body,
    json_reply,
    reply,
    row_of,
)
from hookbridge.web.route import endpoint_of

STORE_UNAVAILABLE = "The store cannot be used now"
"""All that a stranger is told: what a database says of itself names roles, schemas and files."""

log = structlog.get_logger("hookbridge.web")


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into its answer, and count it by the code of that."""
    hint = None
    protocol_of(request).begin(request)
    try:
        return await handler(request)
    except HookbridgeError as error:
        hint = (error.reason if isinstance(error, TryLater) else "") or error.hint or None
        code, answer, message = row_of(type(error)).code, _foreseen(request, error), _said(error)
    except web.HTTPException as error:
        code, answer, message = code_of(error), http_reply(error), error.reason
    except (ConnectionError, web.RequestPayloadError):
        # The body broke off or its chunks are malformed; who hung up does not read this, and nothing was stored.
        code, message = MALFORMED.code, "The body did not arrive completely"
        answer = json_reply(ErrorBody(error=code, message=message), MALFORMED.status)
    except Exception as error:  # noqa: BLE001  the last line before the sender
        code, answer, message = INTERNAL.code, _unforeseen(request, error), internal_body().message
    if request.writer.output_size > 0:
        message = "the answer was sent in part"
        raise ConnectionError(message)  # and aiohttp closes the connection
    _count(request, answer, code, message, hint)
    return answer


def _said(error: HookbridgeError) -> str:
    return error.reason if isinstance(error, InvalidSignature) else error.message


def _count(request: web.Request, answer: web.Response, code: str, message: str, hint: str | None) -> None:
    service = request.app[SERVICE]
    endpoint = endpoint_of(request)
    source = WEBHOOKS.get(endpoint)
    service.meters.refused(source or "other", code)
    if source is not None:
        peer, length = client(request), request.content_length
        service.rejections.note(endpoint, answer.status, code, message, peer=peer, length=length, hint=hint)
        answer[TOLD] = True


def _foreseen(request: web.Request, error: HookbridgeError) -> web.Response:
    if row_of(type(error)) is INTERNAL:
        return _unforeseen(request, error)
    if isinstance(error, StoreUnavailable) and not is_operator(request):
        return reply(TryLater(STORE_UNAVAILABLE, retry_after_seconds=RETRY_AFTER_SECONDS))
    return reply(error)


def _unforeseen(request: web.Request, error: Exception) -> web.Response:
    log.error("Request failed", method=request.method, path=request.path, exc_info=error)
    return json_reply(internal_body(), INTERNAL.status)
