"""One example of each struct that is answered, for ``/openapi.json``.

Invariant: an example is an instance of its struct, so the type checker holds it against the fields.  A route that
answers with a new struct needs one entry here, and a test names the struct that has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from hookbridge.books import Freshness, Statistics, WebhookLoss
from hookbridge.model import Books, Outcome, Verification
from hookbridge.pipeline.status import LaneState
from hookbridge.pipeline.waits import WaitingTable
from hookbridge.readiness import Readiness
from hookbridge.reconcile.poll import PassResult
from hookbridge.reconcile.status import TableStatus
from hookbridge.reconcile.verdict import Progress, TableProof, Unproven, Verdict
from hookbridge.records import Difference
from hookbridge.sources.notion.budget import BudgetState
from hookbridge.steps.calls import StuckHandler
from hookbridge.web import admin, events, health, live, reconcile, records
from hookbridge.web.webhooks import HandshakeStored

_TIME = datetime(2026, 1, 1, 15, tzinfo=UTC)
_CHANGED = "2026-01-01T15:00:00+00:00"
_USERS = "public.users"
_ROW = msgspec.Raw(b'{"id": 42, "name": "Ada Lovelace", "updated_at": "2026-01-01T15:00:00+00:00"}')
_OLD_ROW = msgspec.Raw(b'{"id": 42, "name": "Ada Byron", "updated_at": "2026-01-01T14:00:00+00:00"}')

_LANE = LaneState(
    source="supabase",
    state="running",
    reason=None,
    since=None,
    next_probe_at=None,
    queued=0,
    busy=1,
    has_credentials=True,
    waiting=(
        WaitingTable(
            table="public.orders",
            reason="Supabase answered 404 PGRST205: Could not find the table 'public.orders' in the schema cache",
            hint="check the table's name and schema; is it exposed by the Data API?",
            since=_TIME,
            next_try_at=_TIME + timedelta(seconds=8),
        ),
    ),
)
_TABLE = TableStatus(
    source="supabase",
    table=_USERS,
    state="following",
    reason=None,
    listed=1200,
    total=1200,
    watermark=_CHANGED,
    last_poll_at=_TIME,
    last_sweep_at=_TIME,
    poll_gap_seconds=30.0,
    lag_seconds=0.4,
)
_EVENT = events.EventDetail(
    id=1234,
    source="supabase",
    table=_USERS,
    record_id="42",
    type="update",
    origin="webhook",
    format="database_webhook",
    state="settled",
    outcome=Outcome.APPLIED,
    reason=None,
    verification=Verification.VERIFIED,
    attempts=1,
    occurred_at=None,
    received_at=_TIME,
    settled_at=_TIME,
    stored_at=_TIME,
    claimed_at=_TIME,
    verified_at=_TIME,
    failures=(
        events.FailedAttempt(
            attempt=1,
            began_at=_TIME,
            ended_at=_TIME,
            error="greet (my_handlers.py:7): KeyError: 'nope'",
            traceback="Traceback (most recent call last):\n"
            '  File "/srv/app/my_handlers.py", line 7, in greet\n'
            "    print(change.columns['nope'])\n"
            "          ~~~~~~~~~~~~~~^^^^^^^^\n"
            "KeyError: 'nope'",
        ),
    ),
    headers={"content-type": "application/json", "x-webhook-signature": "(masked)"},
    body=msgspec.Raw(b'{"type": "UPDATE", "schema": "public", "table": "users", "record": {"id": 42}}'),
)
_SUMMARY = events.EventSummary(**{name: getattr(_EVENT, name) for name in events.EventSummary.__struct_fields__})

_EXAMPLES: tuple[msgspec.Struct, ...] = (
    Statistics(
        total_processed=1190,
        total_failed=2,
        total_retries=7,
        success_rate=0.998322,
        average_processing_time_seconds=0.021,
        events_by_type={"insert": 400, "update": 700, "delete": 100},
        events_by_source={"supabase": 900, "notion": 300},
        books=Books(received=1200, open=3, applied=1100, coalesced=90, ignored=5, dead=2),
        books_balanced=True,
        duplicates=12,
        verification={"verified": 1000, "superseded": 60, "absent": 40, "contradicted": 0, "skipped": 0},
        queue_depth={"supabase": 0, "notion": 2},
        oldest_open_event_age_seconds=0.8,
        webhook_loss={f"supabase:{_USERS}": WebhookLoss(announced=990, missed=10, share=0.01)},
        freshness={f"supabase:{_USERS}": Freshness(poll_age_seconds=12.5, sweep_age_seconds=900.0, lag_seconds=0.4)},
    ),
    HandshakeStored(),
    records.RecordAnswer(
        source="supabase", table=_USERS, id="42", data=_ROW, changed_at=_CHANGED, read_at=_TIME, verified=True
    ),
    records.DiffAnswer(
        source="supabase",
        table=_USERS,
        id="42",
        agrees=False,
        differences=(
            Difference(path="name", copy="Ada Byron", truth="Ada Lovelace"),
            Difference(path="updated_at", copy="2026-01-01T14:00:00+00:00", truth=_CHANGED),
        ),
        copy=_OLD_ROW,
        copy_read_at=_TIME,
        truth=_ROW,
    ),
    records.RecordPageAnswer(
        records=(
            records.RecordSummary(
                source="supabase",
                table=_USERS,
                id="42",
                present=True,
                changed_at=_CHANGED,
                read_at=_TIME,
                verified=True,
                waiting_since=None,
            ),
        ),
        next_cursor=f"supabase:{_USERS}:42",
    ),
    records.SearchAnswer(
        query="lovel",
        hits=(
            records.HitAnswer(source="supabase", table=_USERS, id="42", snippet="Ada [Lovelace]", score=1.7, data=_ROW),
        ),
    ),
    events.EventPageAnswer(events=(_SUMMARY,), next_cursor=None),
    _EVENT,
    events.Replayed(matching=None, replayed=1, limit_reached=False, next_cursor=None),
    admin.VerificationToken(
        verification_token="secret_from_notion",  # noqa: S106  an example
        learnt_at=_TIME,
        learnt_from="203.0.113.7",
        confirmed=False,
    ),
    _LANE,
    reconcile.Following(tables=(_TABLE,)),
    PassResult(listed=1200, found=3),
    Progress(source="supabase", table=_USERS, compared=600, total=1200),
    TableProof(
        source="supabase",
        table=_USERS,
        as_of=_TIME,
        equal=1199,
        differing=1,
        missing=0,
        extra=0,
        cut=0,
        keys={"differing": ("42",)},
    ),
    Unproven(source="supabase", table=_USERS, message="Supabase did not answer within 10 s", hint=""),
    Verdict(agrees=False, as_of=_TIME, cut=0, tables=1, unproven=1),
    reconcile.Failure(error="unavailable", message="The data file could not be used: disk I/O error", hint=""),
    health.Health(),
    health.ReadinessSummary(
        ready=True,
        inbox_writable=True,
        store_fault=None,
        lanes=(health.LaneSummary(source="supabase", state="running"),),
        warnings=(),
    ),
    Readiness(
        ready=True,
        inbox_writable=True,
        store_fault=None,
        lanes=(_LANE,),
        stuck_handlers=(StuckHandler(handler="greet (my_handlers.py:7)", workers=1, waiting_seconds=41.5),),
        tables=(_TABLE,),
        notion_budget=BudgetState(requests_per_second=3.0, left=3, waiting=0, halted_seconds=0.0),
        warnings=(),
        oldest_open_seconds=0.8,
    ),
    live.HistoryAnswer(
        hours=1,
        step_seconds=10.0,
        per_second=live.PerSecond(received=4.2, applied=4.1),
        samples=(live.Sample(at=_TIME, received=42, applied=41, open=1),),
    ),
    live.RejectedPage(
        rejected=(
            live.RejectedRequest(
                id=7,
                at=_TIME,
                endpoint="/api/v1/webhooks/supabase",
                status=401,
                reason="invalid_signature",
                message="no signature header",
                peer="203.0.113.7",
                bytes=412,
            ),
        ),
        next_cursor=None,
    ),
    records.VerifyAnswer(event_id=1234),
)

EXAMPLES: Mapping[type, msgspec.Struct] = {type(one): one for one in _EXAMPLES}
"""Of each struct its example."""
