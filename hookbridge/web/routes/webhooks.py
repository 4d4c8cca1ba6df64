"""What senders call: the guide's four endpoints."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.api import examples, formats
from hookbridge.api import webhooks as said
from hookbridge.api.stats import Statistics
from hookbridge.web import trial, webhooks
from hookbridge.web.route import SIGNED, Answer, Request, Route

RECEIVES = (
    "Stores the event durably before it answers 202; the record is then read from its source. The signature is"
    " asked for where signatures are verified."
)

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/webhooks/supabase",
        handler=webhooks.webhook("supabase"),
        access="signed",
        schemes=SIGNED,
        headers=said.WebhookHeaders,
        tag="webhooks",
        name="receiveSupabase",
        summary="Receive a Supabase webhook",
        description=RECEIVES + " Takes the guide's format, Supabase's Database Webhooks, and what our trigger sends.",
        request=Request(bodies=formats.SUPABASE, examples=examples.SUPABASE),
        answers={
            202: Answer(
                description="The event is on disk and will be processed",
                bodies=(said.Accepted,),
                example=examples.SUPABASE_ACCEPTED,
                headers=said.ACK_HEADERS,
            )
        },
        refusals=(errors.InvalidSource, errors.TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/webhooks/notion",
        handler=webhooks.webhook("notion"),
        access="signed",
        schemes=(*SIGNED, "notionSignature"),
        headers=said.WebhookHeaders,
        tag="webhooks",
        name="receiveNotion",
        summary="Receive a Notion webhook, or its verification handshake",
        description=RECEIVES + " Takes the guide's format, integration webhooks, and what a database automation sends.",
        request=Request(bodies=formats.NOTION, examples=examples.NOTION),
        answers={
            200: Answer(description="The verification token is stored", bodies=(said.HandshakeStored,)),
            202: Answer(
                description="The event is on disk and will be processed",
                bodies=(said.Accepted,),
                example=examples.NOTION_ACCEPTED,
                headers=said.ACK_HEADERS,
            ),
        },
        refusals=(errors.InvalidSource, errors.HandshakeRefused, errors.TryLater),
    ),
    Route(
        method="POST",
        path="/api/v1/webhooks/test",
        handler=trial.trial,
        access="signed",
        schemes=(*SIGNED, "notionSignature", "adminToken"),
        headers=said.SignedHeaders,
        tag="webhooks",
        name="testWebhook",
        summary="Check a payload without storing it",
        description="Receives a payload as its endpoint would, and says what would happen. Nothing is stored. The"
        " signature is asked for where signatures are verified; the admin token stands for it.",
        query=said.TrialQuery,
        request=Request(bodies=(*formats.EVENTS, formats.NotionHandshake), examples=examples.TRIAL),
        answers={200: Answer(description="The payload is valid", bodies=(said.Trial,), example=examples.TRIAL_VALID)},
        refusals=(errors.InvalidSource, errors.HandshakeRefused),
    ),
    Route(
        method="GET",
        path="/api/v1/webhooks/stats",
        handler=webhooks.statistics,
        access="public",
        tag="webhooks",
        name="statistics",
        summary="Processing metrics",
        answers={200: Answer(description="Totals since the first start", bodies=(Statistics,))},
    ),
)
