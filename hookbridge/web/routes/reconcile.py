"""The reconciler, for operators."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.api import examples
from hookbridge.api import reconcile as said
from hookbridge.web import reconcile
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
        answers={200: Answer(description="Every followed table", bodies=(said.Following,))},
    ),
    Route(
        method="POST",
        path="/api/v1/reconcile",
        handler=reconcile.reconcile,
        access="operators",
        tag="reconciler",
        name="reconcile",
        summary="Poll or sweep a table now",
        request=Request(bodies=(said.ReconcileBody,), examples=examples.RECONCILE),
        answers={200: Answer(description="The pass is complete", bodies=(said.PassResult,))},
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
        request=Request(bodies=(said.VerifyBody,), examples=examples.VERIFY),
        answers={
            200: Answer(
                description="One JSON object a line, while the comparison goes on; the last one is the result",
                bodies=(said.Progress, said.TableProof, said.Unproven, said.Verdict, said.Failure),
                media=reconcile.NDJSON,
            )
        },
        refusals=(errors.NotFound, errors.StoreUnavailable),  # a source's failure is a line of the answer
    ),
)
