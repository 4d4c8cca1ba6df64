"""What operators ask of the reconciler: how its tables stand, a pass now, a proof now.

A proof takes as long as its listing; it is answered line by line (NDJSON, https://github.com/ndjson/ndjson-spec), so
that whoever waits sees how far it is.  Invariant: the last line says ``result``, or ``error`` when there is none.
"""

from __future__ import annotations

from contextlib import aclosing

import msgspec
import structlog
from aiohttp import web

from hookbridge.api import examples
from hookbridge.api import reconcile as said
from hookbridge.errands import Errand
from hookbridge.errors import (
    HookbridgeError,
    NotFound,
    RecordImpossible,
    RecordUnreadable,
    SourceRefused,
    SourceUnavailable,
    StoreUnavailable,
    TryLater,
)
from hookbridge.reconcile.poll import beginning
from hookbridge.web.bodies import read_body
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import json_body, table_of_source
from hookbridge.web.replies import JSON_HEADERS, PRIVATE, internal_body, json_reply, row_of
from hookbridge.web.route import Answer, Request, Route

NDJSON = "application/x-ndjson"

log = structlog.get_logger("hookbridge.web")

_encode = msgspec.json.Encoder().encode


async def following(request: web.Request) -> web.StreamResponse:
    """Say how the followed tables stand."""
    service = request.app[SERVICE]
    return json_reply(said.Following(tables=await service.naming.labelled(service.neighbours.tables())))


async def reconcile(request: web.Request) -> web.StreamResponse:
    """Poll or sweep one table now, and answer when that is complete."""
    service = request.app[SERVICE]
    asked = json_body(await read_body(request), said.ReconcileBody)
    since = beginning(asked, service.now())
    table = service.sources[asked.source].table(asked.table, where="body")
    service.reconciler.table(asked.source, table)
    errand = Errand(source=asked.source, table=table, kind=asked.kind, since=since, confirm=asked.confirm)
    return json_reply(await service.errands.reconcile(errand))


async def verify(request: web.Request) -> web.StreamResponse:
    """Prove that copy and source agree, or list what differs, line by line."""
    service = request.app[SERVICE]
    asked = json_body(await read_body(request) or b"{}", said.VerifyBody)
    name = table_of_source(service, asked.source, asked.table, where="body")
    steps = service.reconciler.verify(asked.source, name, heal=asked.heal, content=asked.content)
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
            code = row_of(type(error)).code
            await response.write(_line(said.Failure(error=code, message=error.message, hint=error.hint)))
        except Exception:
            log.exception("Request failed", method=request.method, path=request.path)
            body = internal_body()
            await response.write(_line(said.Failure(error=body.error, message=body.message, hint=body.hint)))
        await response.write_eof()
    return response


def _line(value: msgspec.Struct) -> bytes:
    return _encode(value) + b"\n"


FAILURES: tuple[type[HookbridgeError], ...] = (
    NotFound,
    StoreUnavailable,
    SourceUnavailable,
    SourceRefused,
    RecordUnreadable,
    RecordImpossible,
    TryLater,
)

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/reconcile",
        handler=following,
        tag="reconciler",
        name="following",
        answers={200: Answer(description="Every followed table", bodies=(said.Following,))},
    ),
    Route(
        method="POST",
        path="/api/v1/reconcile",
        handler=reconcile,
        tag="reconciler",
        name="reconcile",
        request=Request(bodies=(said.ReconcileBody,), examples=examples.RECONCILE),
        answers={200: Answer(description="The pass is complete", bodies=(said.PassResult,))},
        refusals=FAILURES,
    ),
    Route(
        method="POST",
        path="/api/v1/verify",
        handler=verify,
        tag="reconciler",
        name="verify",
        request=Request(bodies=(said.VerifyBody,), examples=examples.VERIFY),
        answers={
            200: Answer(
                description="One JSON object a line, while the comparison goes on; the last one is the result",
                bodies=(said.Progress, said.TableProof, said.Unproven, said.Verdict, said.Failure),
                media=NDJSON,
            )
        },
        refusals=(NotFound, StoreUnavailable),  # a source's failure is a line of the answer
    ),
)
