"""The copies and the index, for the user's API."""

from __future__ import annotations

from hookbridge import errors
from hookbridge.api import records as said
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
        query=said.RecordQuery,
        answers={200: Answer(description="One page", bodies=(said.RecordPageAnswer,))},
    ),
    Route(
        method="GET",
        path="/api/v1/records/{source}/{table}/{id}",
        place=said.RecordPath,
        handler=records.record,
        access="operators",
        tag="records",
        name="record",
        summary="A record as its source has it",
        query=said.RecordAsked,
        answers={200: Answer(description="The record", bodies=(said.RecordAnswer,))},
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
        place=said.RecordPath,
        handler=records.diff,
        access="operators",
        tag="records",
        name="recordDiff",
        summary="A record's copy beside what its source has now",
        answers={200: Answer(description="Both, and what differs", bodies=(said.DiffAnswer,))},
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
        place=said.RecordPath,
        handler=records.verify_now,
        access="operators",
        tag="records",
        name="verifyRecord",
        summary="Have a record read from its source now",
        answers={202: Answer(description="Its event is on disk", bodies=(said.VerifyAnswer,))},
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
        query=said.SearchQuery,
        answers={200: Answer(description="Hits, best first", bodies=(said.SearchAnswer,))},
    ),
)
