"""What the process remembers of the last hours."""

from __future__ import annotations

from hookbridge.web import live
from hookbridge.web.route import Answer, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/history",
        handler=live.history,
        access="operators",
        tag="events",
        name="history",
        summary="How much came in and was applied lately",
        query=live.HistoryQuery,
        answers={200: Answer(description="Steps, the oldest first", bodies=(live.HistoryAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/rejected",
        handler=live.rejected,
        access="operators",
        tag="events",
        name="listRejected",
        summary="Webhooks that were refused lately",
        query=live.RejectedQuery,
        answers={200: Answer(description="One page", bodies=(live.RejectedPage,))},
    ),
)
