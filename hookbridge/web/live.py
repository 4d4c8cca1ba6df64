"""What the process remembers of the last hours: how much came in, and what was refused.

Every handler here stands behind the admin token: rejections name peers.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from hookbridge.clock import time_of
from hookbridge.observe.history import DAY_STEP_SECONDS, STEP_SECONDS, Hours
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import query
from hookbridge.web.replies import json_reply

PRIVATE = {"Cache-Control": "no-store"}


class HistoryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how long."""

    hours: Annotated[Hours, Meta(description="1 in steps of 10 s, or 24 in steps of 5 min")] = 1


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One step."""

    at: datetime
    """When it ended."""
    received: int
    applied: int
    """Applied, or coalesced into a later event that was."""
    open: int
    """How many events were open at its end."""


class PerSecond(msgspec.Struct, frozen=True, kw_only=True):
    """Events a second, over the last minute."""

    received: float
    applied: float


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What happened lately, since the process began."""

    hours: Hours
    """Of how many hours."""
    step_seconds: float
    """How long a step is."""
    per_second: PerSecond | None
    """Null in the first seconds of the process."""
    samples: tuple[Sample, ...]
    """The oldest first."""


class RejectedQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which refused webhooks to list."""

    endpoint: str | None = None
    reason: str | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None


class RejectedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that was refused."""

    id: int
    """Counted since the start of the process."""
    at: datetime
    """When it was refused."""
    endpoint: str
    """The path that it was sent to."""
    status: int
    """The HTTP status of the answer."""
    reason: str
    """The code of the answer."""
    message: str
    """What the sender was told; for a signature, what was wrong with it."""
    peer: str | None
    """The address that it came from; behind a proxy of `[server] trusted_proxies`, the one that the proxy heard."""
    bytes: int | None
    """The length of its body, where it was announced."""


class RejectedPage(msgspec.Struct, frozen=True, kw_only=True):
    """The latest 500 at most, the newest first."""

    rejected: tuple[RejectedRequest, ...]
    """The newest first."""
    next_cursor: int | None


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
