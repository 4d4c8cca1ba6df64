"""Lanes and what belongs to one source, for operators."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.api.lanes import LaneState, VerificationToken
from hookbridge.api.records import SourcePath
from hookbridge.web import admin
from hookbridge.web.route import Answer, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/sources/{source}/pause",
        place=SourcePath,
        handler=admin.pause,
        access="operators",
        tag="sources",
        name="pauseSource",
        summary="Hold a source's lane; its webhooks go on being stored",
        answers={200: Answer(description="The lane now", bodies=(LaneState,))},
        refusals=(errors.StoreUnavailable,),
    ),
    Route(
        method="POST",
        path="/api/v1/sources/{source}/resume",
        place=SourcePath,
        handler=admin.resume,
        access="operators",
        tag="sources",
        name="resumeSource",
        summary="Let a paused lane go on",
        answers={200: Answer(description="The lane now", bodies=(LaneState,))},
        refusals=(errors.StoreUnavailable,),
    ),
    Route(
        method="GET",
        path="/api/v1/notion/verification-token",
        handler=admin.verification_token,
        access="operators",
        tag="notion",
        name="verificationToken",
        summary="The token that Notion's handshake brought",
        answers={200: Answer(description="The token", bodies=(VerificationToken,))},
        refusals=(errors.NotFound,),
    ),
    Route(
        method="POST",
        path="/api/v1/notion/verification-token/confirm",
        handler=admin.confirm_verification_token,
        access="operators",
        tag="notion",
        name="confirmVerificationToken",
        summary="Confirm that the token is Notion's",
        answers={200: Answer(description="The token, confirmed", bodies=(VerificationToken,))},
        refusals=(errors.NotFound, errors.StoreUnavailable),
    ),
    Route(
        method="DELETE",
        path="/api/v1/notion/verification-token",
        handler=admin.forget_verification_token,
        access="operators",
        tag="notion",
        name="forgetVerificationToken",
        summary="Forget the token",
        answers={204: Answer(description="The next handshake is accepted")},
        refusals=(errors.StoreUnavailable,),
    ),
)
