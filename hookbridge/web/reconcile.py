"""What operators ask of the reconciler: how its tables stand, a pass now, a proof now.

A proof takes as long as its listing; it is answered line by line (NDJSON, https://github.com/ndjson/ndjson-spec), so
that whoever waits sees how far it is.  Invariant: the last line says ``result``, or ``error`` when there is none.
"""

from __future__ import annotations

from contextlib import aclosing

import msgspec
import structlog
from aiohttp import web

from hookbridge.api.reconcile import Failure, Following, PassResult, ReconcileBody, VerifyBody
from hookbridge.errors import HookbridgeError
from hookbridge.reconcile.poll import beginning
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import json_body, table_of_source
from hookbridge.web.replies import JSON_HEADERS, PRIVATE, body_of, internal_body, json_reply

NDJSON = "application/x-ndjson"

log = structlog.get_logger("hookbridge.web")

_encode = msgspec.json.Encoder().encode


async def following(request: web.Request) -> web.StreamResponse:
    """Say how the followed tables stand."""
    return json_reply(Following(tables=request.app[SERVICE].reconciler.status()))


async def reconcile(request: web.Request) -> web.StreamResponse:
    """Run one pass over one table, and answer when it is complete."""
    service = request.app[SERVICE]
    asked = json_body(await read_body(request, service.settings.config.server.max_body_bytes), ReconcileBody)
    since = beginning(asked, service.now())
    table = service.sources[asked.source].table(asked.table)
    result: PassResult = await service.reconciler.reconcile(
        asked.source, table, asked.kind, since=since, confirm=asked.confirm
    )
    return json_reply(result)


async def verify(request: web.Request) -> web.StreamResponse:
    """Compare copy and source completely, and answer line by line."""
    service = request.app[SERVICE]
    raw = await read_body(request, service.settings.config.server.max_body_bytes)
    asked = json_body(raw or b"{}", VerifyBody)
    name = table_of_source(service, asked.source, asked.table)
    steps = service.reconciler.verify(asked.source, name, heal=asked.heal)
    async with aclosing(steps):
        first = await anext(steps)  # what cannot begin is refused like any other request
        response = web.StreamResponse(headers={**JSON_HEADERS, **PRIVATE, "Content-Type": NDJSON})
        await response.prepare(request)
        await response.write(_line(first))
        try:
            async for step in steps:
                await response.write(_line(step))
        except ConnectionError:
            raise
        except HookbridgeError as error:
            said = body_of(error)
            code = getattr(said, "error", "error")
            await response.write(_line(Failure(error=code, message=error.message, hint=error.hint)))
        except Exception:
            log.exception("Request failed", method=request.method, path=request.path)
            said = internal_body()
            await response.write(_line(Failure(error=said.error, message=said.message, hint=said.hint)))
        await response.write_eof()
    return response


def _line(value: msgspec.Struct) -> bytes:
    return _encode(value) + b"\n"
