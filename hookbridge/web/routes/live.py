"""What the process remembers of the last hours."""

from __future__ import annotations

from hookbridge.api import stats
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
        query=stats.HistoryQuery,
        answers={200: Answer(description="Steps, the oldest first", bodies=(stats.HistoryAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/rejected",
        handler=live.rejected,
        access="operators",
        tag="events",
        name="listRejected",
        summary="Webhooks that were refused lately",
        query=stats.RejectedQuery,
        answers={200: Answer(description="One page", bodies=(stats.RejectedPage,))},
    ),
)
