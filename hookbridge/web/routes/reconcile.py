"""The reconciler, for operators."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.reconcile.poll import PassResult
from hookbridge.reconcile.verdict import Progress, TableProof, Unproven, Verdict
from hookbridge.web import examples, reconcile
from hookbridge.web.route import Answer, Request, Route

FAILURES: tuple[type[errors.HookbridgeError], ...] = (
    errors.NotFound,
    errors.StoreUnavailable,
    errors.SourceUnavailable,
    errors.SourceRefused,
    errors.RecordUnreadable,
    errors.RecordImpossible,
)

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/reconcile",
        handler=reconcile.following,
        access="operators",
        tag="reconciler",
        name="following",
        summary="How the followed tables stand",
        answers={200: Answer(description="Every followed table", bodies=(reconcile.Following,))},
    ),
    Route(
        method="POST",
        path="/api/v1/reconcile",
        handler=reconcile.reconcile,
        access="operators",
        tag="reconciler",
        name="reconcile",
        summary="Poll or sweep a table now",
        request=Request(bodies=(reconcile.ReconcileBody,), examples=examples.RECONCILE),
        answers={200: Answer(description="The pass is complete", bodies=(PassResult,))},
        refusals=FAILURES,
    ),
    Route(
        method="POST",
        path="/api/v1/verify",
        handler=reconcile.verify,
        access="operators",
        tag="reconciler",
        name="verify",
        summary="Prove that copy and source agree, or list what differs",
        request=Request(bodies=(reconcile.VerifyBody,), examples=examples.VERIFY),
        answers={
            200: Answer(
                description="One JSON object a line, while the comparison goes on; the last one is the result",
                bodies=(Progress, TableProof, Unproven, Verdict, reconcile.Failure),
                media=reconcile.NDJSON,
            )
        },
        refusals=(errors.NotFound, errors.StoreUnavailable),  # a source's failure is a line of the answer
    ),
)
