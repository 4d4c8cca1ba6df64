"""What the process remembers of the last hours: how much came in, and what was refused.

Every handler here stands behind the admin token: rejections name peers.
"""

from __future__ import annotations

from itertools import islice

import msgspec
from aiohttp import web

from hookbridge.api.stats import (
    HistoryAnswer,
    HistoryQuery,
    PerSecond,
    RejectedPage,
    RejectedQuery,
    RejectedRequest,
    Sample,
)
from hookbridge.clock import time_of
from hookbridge.observe.history import DAY_STEP_SECONDS, STEP_SECONDS
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import query
from hookbridge.web.replies import json_reply

PRIVATE = {"Cache-Control": "no-store"}


async def history(request: web.Request) -> web.StreamResponse:
    """Show what came in and was applied, step by step."""
    kept = request.app[SERVICE].history
    hours = query(request, HistoryQuery).hours
    rates = kept.rates()
    return json_reply(
        HistoryAnswer(
            hours=hours,
            step_seconds=STEP_SECONDS if hours == 1 else DAY_STEP_SECONDS,
            per_second=rates and PerSecond(received=round(rates.received, 3), applied=round(rates.applied, 3)),
            samples=tuple(
                Sample(at=time_of(one.at), received=one.received, applied=one.applied, open=one.open)
                for one in kept.steps(hours)
            ),
        ),
        headers=PRIVATE,
    )


async def rejected(request: web.Request) -> web.StreamResponse:
    """List the webhooks that were refused lately."""
    asked = query(request, RejectedQuery)
    matching = (
        one
        for one in request.app[SERVICE].rejections.latest(before=asked.cursor)
        if asked.endpoint in {None, one.endpoint} and asked.reason in {None, one.reason}
    )
    found = list(islice(matching, asked.limit + 1))
    page = tuple(
        RejectedRequest(**(msgspec.structs.asdict(one) | {"at": time_of(one.at)})) for one in found[: asked.limit]
    )
    return json_reply(
        RejectedPage(rejected=page, next_cursor=page[-1].id if len(found) > asked.limit else None), headers=PRIVATE
    )
