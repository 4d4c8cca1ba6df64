"""What operators ask of the reconciler: how its tables stand, a pass now, a proof now.

A proof takes as long as its listing; it is answered line by line (NDJSON, https://github.com/ndjson/ndjson-spec), so
that whoever waits sees how far it is.  Invariant: the last line says ``result``, or ``error`` when there is none.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime

import msgspec
import structlog
from aiohttp import web

from hookbridge.api.reconcile import Failure, Following, PassResult, ReconcileBody, VerifyBody
from hookbridge.clock import time_of
from hookbridge.errors import FieldProblem, HookbridgeError, InvalidFields
from hookbridge.reconcile.poll import EARLIEST
from hookbridge.sources.times import instant_of
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import json_body, table_of_source
from hookbridge.web.replies import JSON_HEADERS, body_of, internal_body, json_reply

_EARLIEST = datetime.fromisoformat(EARLIEST)

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
    since = _beginning(asked, service.now())
    table = service.sources[asked.source].table(asked.table)
    result: PassResult = await service.reconciler.reconcile(
        asked.source, table, asked.kind, since=since, confirm=asked.confirm
    )
    return json_reply(result)


def _beginning(asked: ReconcileBody, now: float) -> str | None:
    """Give the time at which the poll begins, if it is not the watermark.  Raises InvalidFields."""
    problems = []
    since = instant_of(asked.since)
    if asked.since is not None:
        # Behind what lies ahead, all that is edited until then would be hidden.
        if since is None or not _EARLIEST <= since <= time_of(now):
            expected = f"expected a time as in ISO 8601, from {EARLIEST[:10]} until now"
            problems.append(FieldProblem(("body", "since"), expected, "value_error"))
        if asked.kind != "poll":
            problems.append(FieldProblem(("body", "since"), "a sweep has no beginning in time", "value_error"))
    if asked.confirm and asked.kind != "sweep":
        problems.append(
            FieldProblem(("body", "confirm"), 'deletions are confirmed with {"kind": "sweep"}', "value_error")
        )
    if problems:
        raise InvalidFields(problems)
    return None if since is None else since.isoformat()


async def verify(request: web.Request) -> web.StreamResponse:
    """Compare copy and source completely, and answer line by line."""
    service = request.app[SERVICE]
    raw = await read_body(request, service.settings.config.server.max_body_bytes)
    asked = json_body(raw or b"{}", VerifyBody)
    name = table_of_source(service, asked.source, asked.table)
    steps = service.reconciler.verify(asked.source, name, heal=asked.heal)
    async with aclosing(steps):
        first = await anext(steps)  # what cannot begin is refused like any other request
        response = web.StreamResponse(headers={**JSON_HEADERS, "Content-Type": NDJSON, "Cache-Control": "no-store"})
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
