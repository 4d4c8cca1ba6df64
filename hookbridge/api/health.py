"""Whether the service lives and can take webhooks, and what an operator should know."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from hookbridge.api.alerts import AlertsState
from hookbridge.api.cluster import ClusterState
from hookbridge.api.destinations import DestinationState
from hookbridge.api.fields import means
from hookbridge.api.lanes import LaneState, LaneSummary
from hookbridge.api.pull import PullState
from hookbridge.api.reconcile import TableStatus
from hookbridge.api.stats import OldestOpen
from hookbridge.model import Fault


class Health(msgspec.Struct, frozen=True):
    """The event loop runs."""

    status: Annotated[Literal["ok"], means("Always `ok`.")]


class StuckHandler(msgspec.Struct, frozen=True, kw_only=True):
    """Workers that wait for a handler which was cancelled and goes on."""

    handler: Annotated[
        str,
        means(
            "Its name and the place at which it was when its time was up: `greet (my_handlers.py:7)`.",
            "greet (my_handlers.py:7)",
        ),
    ]
    workers: Annotated[int, means("How many wait for it there.", 1)]
    waiting_seconds: Annotated[
        float, means("How long the first of them has waited, since the handler's time was up.", 41.5)
    ]


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator sees of the budget."""

    requests_per_second: Annotated[float, means("How many requests a second the budget allows on average.", 3.0)]
    left: Annotated[int, means("Requests that may go at once.", 3)]
    waiting: Annotated[int, means("Requests that wait for a permit.", 0)]
    halted_seconds: Annotated[float, means("For how long nothing goes, because Notion asked for that.", 0.0)]


Level = Literal["good", "idle", "busy", "warn", "bad"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What needs somebody."""

    level: Annotated[Literal["warn", "bad"], means("`bad` is worse than `warn`.", "bad")]
    kind: Annotated[str, means("Changes when the state does, and not with a figure.", "dead letters")]
    text: Annotated[str, means("What is wrong.", "2 dead letters")]
    todo: Annotated[str, means("What to do.", "Look at the reason, repair what it names, then replay or dismiss them.")]
    remedy: Annotated[
        str,
        means(
            "What to do, without a word of what a source or a receiver has said: as it is told to people elsewhere.",
            "Look at the reason, repair what it names, then replay or dismiss them.",
        ),
    ]
    events: Annotated[
        dict[str, str] | None,
        means(
            "The filters of `GET /api/v1/events` that list the events concerned; null where none are.",
            {"outcome": "dead"},
        ),
    ]
    destination: Annotated[str | None, means("The destination concerned; null where none is.", None)] = None


class HealthVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Is it healthy: the worst problem, or what is going on; it claims no more than was seen."""

    level: Annotated[
        Level,
        means(
            "`good`: copies and sources are equal as of the last comparison; `idle`: nothing is to do, and not all is"
            " known; `busy`; `warn` and `bad`: there are problems.",
            "bad",
        ),
    ]
    kind: Annotated[str, means("Changes when the state does, and not with a figure.", "dead letters")]
    text: Annotated[str, means("One sentence.", "2 dead letters")]
    problems: Annotated[tuple[Problem, ...], means("All that is wrong, the worst first.")]
    notes: Annotated[
        tuple[str, ...],
        means(
            "What would be better otherwise, and what the verdict rests on.",
            ["public.users: compared 12 s ago, completely 15 min ago."],
        ),
    ]


class ReadinessSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger may know of the service."""

    ready: Annotated[bool, means("Whether webhooks can be taken.", True)]
    inbox_writable: Annotated[bool, means("Whether the inbox can be written.", True)]
    store_fault: Annotated[
        Fault | None,
        means(
            "Why the store cannot be relied on until an operator acts: its file is gone from its place, or damaged.",
            None,
        ),
    ]
    lanes: Annotated[tuple[LaneSummary, ...], means("One for each source.")]
    warnings: Annotated[tuple[str, ...], means("What an operator should look at.", [])]


class Readiness(ReadinessSummary, frozen=True, kw_only=True):
    """Whether webhooks can be taken now, and what an operator should know."""

    lanes: Annotated[tuple[LaneState, ...], means("One for each source.")]
    inbox_problem: Annotated[
        Fault | None,
        means("Why the inbox cannot be written, and what to do; null: it can, or see `store_fault`.", None),
    ] = None
    stuck_handlers: Annotated[
        tuple[StuckHandler, ...],
        means("Handlers that do not end, although their time is up and they were cancelled."),
    ]
    tables: Annotated[tuple[TableStatus, ...], means("What the reconciler follows.")]
    destinations: Annotated[tuple[DestinationState, ...], means("Who is told of each change.", [])] = ()
    pull: Annotated[
        PullState | None,
        means("Taking changes from the outbox at Supabase; null where no table has `pull = true`.", None),
    ] = None
    notion_budget: Annotated[BudgetState, means("Of all requests to Notion.")]
    oldest_open_seconds: OldestOpen
    indexing: Annotated[
        float | None,
        means("How much of the index of searches is made anew, from 0 to 1; null: all.", None),
    ] = None
    cluster: Annotated[
        ClusterState | msgspec.UnsetType, means("The nodes that share the store; left out where there is one file.")
    ] = msgspec.UNSET
    alerts: Annotated[
        AlertsState | msgspec.UnsetType, means("How telling people goes; left out where nobody is to be told.")
    ] = msgspec.UNSET
    verdict: Annotated[HealthVerdict | msgspec.UnsetType, means("Is it healthy, what is wrong, and what to do.")] = (
        msgspec.UNSET
    )
