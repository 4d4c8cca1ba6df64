"""What stands around every handler: one place where errors become answers.

Invariant: whatever a handler raises, the answer is JSON, and what was not foreseen is logged with its traceback and
answered without details.  It decides no status: ``replies`` does.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from hookbridge.errors import HookbridgeError, InvalidSignature
from hookbridge.web.keys import SERVICE
from hookbridge.web.replies import (
    INTERNAL,
    MALFORMED,
    ErrorBody,
    code_of,
    http_reply,
    internal_body,
    json_reply,
    reply,
    row_of,
)
from hookbridge.web.webhooks import WEBHOOKS

log = structlog.get_logger("hookbridge.web")


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into its answer, and count it by the code of that."""
    try:
        return await handler(request)
    except HookbridgeError as error:
        code, answer = row_of(type(error)).code, _foreseen(request, error)
    except web.HTTPException as error:
        code, answer = code_of(error), http_reply(error)
    except (ConnectionError, web.RequestPayloadError):
        # The body broke off or its chunks are malformed; who hung up does not read this, and nothing was stored.
        code = MALFORMED.code
        answer = json_reply(ErrorBody(error=code, message="The body did not arrive completely"), MALFORMED.status)
    except Exception as error:  # noqa: BLE001  the last line before the sender
        code, answer = INTERNAL.code, _unforeseen(request, error)
    request.app[SERVICE].meters.refused(WEBHOOKS.get(request.path, "other"), code)
    return answer


def _foreseen(request: web.Request, error: HookbridgeError) -> web.Response:
    if isinstance(error, InvalidSignature):
        log.warning("Webhook signature verification failed", path=request.path, reason=error.reason)
    elif row_of(type(error)) is INTERNAL:
        return _unforeseen(request, error)
    return reply(error)


def _unforeseen(request: web.Request, error: Exception) -> web.Response:
    log.error("Request failed", method=request.method, path=request.path, exc_info=error)
    return json_reply(internal_body(), INTERNAL.status)
