"""What operators see of destinations."""

from __future__ import annotations

from aiohttp import web

from hookbridge.api.destinations import DestinationList
from hookbridge.errors import StoreUnavailable
from hookbridge.web.keys import SERVICE
from hookbridge.web.replies import PRIVATE, json_reply
from hookbridge.web.route import Answer, Route


async def listing(request: web.Request) -> web.StreamResponse:
    """Say how each destination stands, whichever node delivers to it."""
    states = await request.app[SERVICE].destinations.states()
    return json_reply(DestinationList(destinations=states), headers=PRIVATE)


ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/destinations",
        handler=listing,
        tag="destinations",
        name="destinations",
        answers={200: Answer(description="How they stand", bodies=(DestinationList,))},
        refusals=(StoreUnavailable,),
    ),
)
