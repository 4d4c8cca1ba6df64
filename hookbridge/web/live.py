"""What is known of the last hours: how much came in, and what was refused.

Every handler here stands behind the admin token: rejections name peers.
"""

from __future__ import annotations

from itertools import islice

import msgspec
from aiohttp import web

from hookbridge.api.stats import HistoryAnswer, HistoryQuery, RejectedPage, RejectedQuery
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import query
from hookbridge.web.replies import PRIVATE, json_reply
from hookbridge.web.route import Answer, Route


async def history(request: web.Request) -> web.StreamResponse:
    """Show how much came in and was applied lately, step by step."""
    kept = request.app[SERVICE].history
    hours = query(request, HistoryQuery).hours
    samples = await kept.steps(hours, request.app[SERVICE].now())
    told = HistoryAnswer(hours=hours, per_second=kept.rates(), samples=samples)
    return json_reply(told, headers=PRIVATE)


async def rejected(request: web.Request) -> web.StreamResponse:
    """List the webhooks that were refused lately."""
    service = request.app[SERVICE]
    asked = query(request, RejectedQuery)
    matching = (
        one
        for one in service.rejections.latest(before=asked.cursor)
        if asked.endpoint in {None, one.endpoint} and asked.reason in {None, one.reason}
    )
    found = tuple(islice(matching, asked.limit + 1))
    page = found[: asked.limit]
    more = page[-1].id if len(found) > asked.limit else None
    node = msgspec.UNSET if service.store.links is None else service.store.node
    return json_reply(RejectedPage(rejected=page, next_cursor=more, node=node), headers=PRIVATE)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/history",
        handler=history,
        tag="events",
        name="history",
        query=HistoryQuery,
        answers={200: Answer(description="Steps, the oldest first", bodies=(HistoryAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/rejected",
        handler=rejected,
        tag="events",
        name="listRejected",
        query=RejectedQuery,
        answers={200: Answer(description="One page", bodies=(RejectedPage,))},
    ),
)
