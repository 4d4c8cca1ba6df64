"""The copies and the index, for the user's API."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.web import records
from hookbridge.web.route import Answer, Route

ROUTES: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/v1/records",
        handler=records.listing,
        access="operators",
        tag="records",
        name="listRecords",
        summary="Records by source, table and id",
        query=records.RecordQuery,
        answers={200: Answer(description="One page", bodies=(records.RecordPageAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/records/{source}/{table}/{id}",
        handler=records.record,
        access="operators",
        tag="records",
        name="record",
        summary="A record as its source has it",
        query=records.RecordAsked,
        answers={200: Answer(description="The record", bodies=(records.RecordAnswer,))},
        refusals=(
            errors.NotFound,
            errors.TooSoon,
            errors.SourceUnavailable,
            errors.RecordUnreadable,
            errors.SourceRefused,
            errors.RecordImpossible,
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/records/{source}/{table}/{id}/diff",
        handler=records.diff,
        access="operators",
        tag="records",
        name="recordDiff",
        summary="A record's copy beside what its source has now",
        answers={200: Answer(description="Both, and what differs", bodies=(records.DiffAnswer,))},
        refusals=(
            errors.SourceUnavailable,
            errors.RecordUnreadable,
            errors.SourceRefused,
            errors.RecordImpossible,
        ),
    ),
    Route(
        method="POST",
        path="/api/v1/records/{source}/{table}/{id}/verify",
        handler=records.verify_now,
        access="operators",
        tag="records",
        name="verifyRecord",
        summary="Have a record read from its source now",
        answers={202: Answer(description="Its event is on disk", bodies=(records.VerifyAnswer,))},
        refusals=(errors.SourceRefused, errors.TryLater),
    ),
    Route(
        method="GET",
        path="/api/v1/search",
        handler=records.search,
        access="operators",
        tag="records",
        name="search",
        summary="Find records by words",
        query=records.SearchQuery,
        answers={200: Answer(description="Hits, best first", bodies=(records.SearchAnswer,))},
    ),
)
