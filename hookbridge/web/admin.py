"""What operators do to a source: hold its lane, let it go on, look at Notion's verification token.

Every handler here stands behind the admin token (the route table says so, and a test enumerates it).
"""

from __future__ import annotations

from aiohttp import web

from hookbridge.api.lanes import LaneState, VerificationToken
from hookbridge.api.records import SourcePath
from hookbridge.clock import epoch_time
from hookbridge.errors import NotFound, StoreUnavailable
from hookbridge.handshake import Handshake
from hookbridge.web.keys import SERVICE
from hookbridge.web.parameters import path_source
from hookbridge.web.replies import PRIVATE, json_reply
from hookbridge.web.route import Answer, Route


async def verification_token(request: web.Request) -> web.StreamResponse:
    """Show the token that Notion's handshake brought.  Raises NotFound before the first."""
    service = request.app[SERVICE]
    await service.holds.look_at_token()
    return _shown(service.handshake)


async def confirm_verification_token(request: web.Request) -> web.StreamResponse:
    """Confirm the token: what it signs is Notion's.  Raises NotFound before the first."""
    service = request.app[SERVICE]
    await service.holds.confirm_token()
    return _shown(service.handshake)


async def forget_verification_token(request: web.Request) -> web.StreamResponse:
    """Forget the token, so that the next handshake is accepted."""
    await request.app[SERVICE].holds.forget_token()
    return web.Response(status=204)


def _shown(handshake: Handshake) -> web.Response:
    known = handshake.learnt
    if known is None:
        raise NotFound(
            "No verification token was received yet",
            hint="Create a webhook subscription in Notion that points at /api/v1/webhooks/notion",
        )
    said = VerificationToken(
        verification_token=known.token,
        learnt_at=epoch_time(known.at),
        learnt_from=known.peer,
        confirmed=handshake.unconfirmed is None,
    )
    return json_reply(said, headers=PRIVATE)


async def pause(request: web.Request) -> web.StreamResponse:
    """Hold a source's lane until it is resumed, restarts included.  Events go on being stored."""
    service, source = request.app[SERVICE], path_source(request)
    await service.holds.pause(source)
    return json_reply(service.lanes[source].state())


async def resume(request: web.Request) -> web.StreamResponse:
    """Let a paused lane go on."""
    service, source = request.app[SERVICE], path_source(request)
    await service.holds.resume(source)
    return json_reply(service.lanes[source].state())


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/sources/{source}/pause",
        place=SourcePath,
        handler=pause,
        tag="sources",
        name="pauseSource",
        answers={200: Answer(description="The lane now", bodies=(LaneState,))},
        refusals=(StoreUnavailable,),
    ),
    Route(
        method="POST",
        path="/api/v1/sources/{source}/resume",
        place=SourcePath,
        handler=resume,
        tag="sources",
        name="resumeSource",
        answers={200: Answer(description="The lane now", bodies=(LaneState,))},
        refusals=(StoreUnavailable,),
    ),
    Route(
        method="GET",
        path="/api/v1/notion/verification-token",
        handler=verification_token,
        tag="notion",
        name="verificationToken",
        answers={200: Answer(description="The token", bodies=(VerificationToken,))},
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="POST",
        path="/api/v1/notion/verification-token/confirm",
        handler=confirm_verification_token,
        tag="notion",
        name="confirmVerificationToken",
        answers={200: Answer(description="The token, confirmed", bodies=(VerificationToken,))},
        refusals=(NotFound, StoreUnavailable),
    ),
    Route(
        method="DELETE",
        path="/api/v1/notion/verification-token",
        handler=forget_verification_token,
        tag="notion",
        name="forgetVerificationToken",
        answers={204: Answer(description="The next handshake is accepted")},
        refusals=(StoreUnavailable,),
    ),
)
