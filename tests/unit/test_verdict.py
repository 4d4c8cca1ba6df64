"""Is it healthy?  The verdict claims no more than was seen, and what is wrong comes with what to do."""

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from hookbridge.api.cluster import ClusterState, NodeLane, NodeState
from hookbridge.api.destinations import DestinationState
from hookbridge.api.health import BudgetState, Readiness
from hookbridge.api.lanes import LaneState, WaitingTable
from hookbridge.api.pull import PullState
from hookbridge.api.reconcile import ContentProgress, TableStatus
from hookbridge.clock import time_of
from hookbridge.model import Books, Fault
from hookbridge.store.values import Totals
from hookbridge.verdict import judge, lasting

NOW = 1_800_000_000.0
LANE = LaneState(
    source="supabase", state="running", reason=None, since=None, next_probe_at=None, queued=0, busy=0,
    has_credentials=True, waiting=(),
)  # fmt: skip
DOWN = replace(LANE, state="down", reason="no answer", since=time_of(NOW - 7200))
BOOKS = Books(received=9, open=0, applied=9, coalesced=0, ignored=0, dead=0)
DATABASE = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
FAULT = Fault(reason="The data file was cut short", remedy="Restore a backup")
ORDERS = WaitingTable(
    table="public.orders", reason="no such table", hint="make it", since=time_of(NOW), next_try_at=time_of(NOW)
)


def ago(seconds: float) -> datetime:
    return time_of(NOW - seconds)


def table(**more: Any) -> TableStatus:  # noqa: ANN401  as the fields are
    fresh = TableStatus(
        source="supabase", table="public.users", state="following", reason=None, listed=1040, total=9000,
        watermark=None, last_poll_at=ago(0), last_sweep_at=ago(0), poll_gap_seconds=30.0, lag_seconds=0.1,
    )  # fmt: skip
    return replace(fresh, **more)


def database(**more: Any) -> TableStatus:  # noqa: ANN401  as the fields are
    return table(source="notion", table=DATABASE, **more)


def seen(**more: Any) -> Readiness:  # noqa: ANN401  as the fields are
    well = Readiness(
        ready=True, inbox_writable=True, store_fault=None, lanes=(LANE,), warnings=(), stuck_handlers=(),
        tables=(table(),), oldest_open_seconds=None,
        notion_budget=BudgetState(requests_per_second=3.0, left=3, waiting=0, halted_seconds=0.0),
    )  # fmt: skip
    return replace(well, **more)


def counted(**books: int) -> Totals:
    all_books = replace(BOOKS, **books)
    all_books = replace(all_books, received=sum(getattr(all_books, name) for name in BOOKS.__struct_fields__[1:]))
    return Totals(books=all_books, by_source={"supabase": all_books.received})


WELL = counted()
VERDICTS = [
    (seen(), WELL, "good", "Converged: every event is settled"),
    (seen(tables=()), counted(applied=0), "idle", "Nothing received yet"),
    (
        seen(lanes=(replace(LANE, has_credentials=False),)),
        WELL,
        "idle",
        "All settled, not verified: no credentials for supabase",
    ),
    (seen(tables=()), WELL, "idle", "All settled, not compared: no table of supabase is followed"),
    (seen(tables=(table(state="backfilling"),)), WELL, "busy", "Backfilling public.users: 1\u202f040 of 9\u202f000"),
    (
        seen(tables=(database(state="backfilling", total=None),)),
        WELL,
        "busy",
        "Backfilling a database of notion: 1\u202f040",
    ),
    (seen(oldest_open_seconds=4.0), counted(open=3), "busy", "Working on 3 events"),
    (seen(tables=(table(last_poll_at=ago(10_800)),)), WELL, "warn", "public.users was last compared 3 h ago"),
    (seen(tables=(table(last_poll_at=None),)), WELL, "warn", "public.users was last compared never"),
    (seen(tables=(table(last_poll_at=ago(89)),)), WELL, "good", "Converged: every event is settled"),
    (
        seen(tables=(table(poll_gap_seconds=None, last_poll_at=None, last_sweep_at=ago(90_000)),)),
        WELL,
        "good",
        "Converged: every event is settled",
    ),
    (
        seen(tables=(database(poll_gap_seconds=None, last_sweep_at=ago(95_000)),)),
        WELL,
        "warn",
        "A database of notion was last compared 26 h ago",
    ),
    (seen(tables=(table(state="failing", reason="no answer"),)), WELL, "warn", "public.users cannot be compared"),
    (
        seen(tables=(database(state="unconfirmed", reason="9 are gone; confirm it"),)),
        WELL,
        "bad",
        "A database of notion: deletions wait for you",
    ),
    (seen(oldest_open_seconds=180.0), counted(open=1), "warn", "The oldest open event waits for 3 min"),
    (seen(), counted(dead=1), "bad", "1 dead letter"),
    (seen(lanes=(DOWN,), oldest_open_seconds=900.0), counted(dead=2, open=1), "bad", "2 dead letters"),
    (seen(lanes=(DOWN,), oldest_open_seconds=900.0), counted(open=1), "warn", "supabase is down for 2 h"),
    (seen(lanes=(replace(LANE, state="refused", reason="401"),)), WELL, "bad", "supabase refuses our key"),
    (seen(lanes=(replace(LANE, state="paused"),)), WELL, "warn", "supabase is paused"),
    (
        seen(lanes=(replace(LANE, waiting=(ORDERS,)),)),
        WELL,
        "warn",
        "public.orders cannot be read: its records wait",
    ),
    (
        seen(ready=False, inbox_writable=False, store_fault=FAULT),
        WELL,
        "bad",
        "The data file cannot be relied on: webhooks are refused",
    ),
    (
        seen(ready=False, inbox_writable=False),
        counted(dead=1),
        "bad",
        "The inbox cannot be written: webhooks are refused",
    ),
    (
        seen(ready=False),
        WELL,
        "bad",
        "Webhooks are refused: the disk is nearly full, or the service is stopping",
    ),
    (seen(), Totals(books=replace(BOOKS, received=10)), "bad", "The books do not balance"),
]


@pytest.mark.parametrize(("parts", "totals", "level", "text"), VERDICTS, ids=[text for *_, text in VERDICTS])
def test_the_verdict_claims_no_more_than_was_seen(parts: Readiness, totals: Totals, level: str, text: str) -> None:
    verdict = judge(parts, totals, NOW)
    assert (verdict.level, verdict.text) == (level, text)
    assert all(one.todo and not one.todo.startswith("None") for one in verdict.problems)


def test_all_problems_are_listed_the_worst_first_each_with_what_to_do() -> None:
    failing = table(state="failing", reason="no answer")
    parts = seen(lanes=(replace(DOWN, waiting=(ORDERS,)),), tables=(failing,), oldest_open_seconds=900.0)
    problems = judge(parts, counted(dead=2, open=1), NOW).problems
    assert [(one.level, one.text, one.todo, one.events) for one in problems] == [
        (
            "bad",
            "2 dead letters",
            "Look at the reason, repair what it names, then replay or dismiss them.",
            {"outcome": "dead"},
        ),
        (
            "warn",
            "supabase is down for 2 h",
            "no answer. It is asked again and again; its events wait and lose no attempt.",
            None,
        ),
        (
            "warn",
            "public.orders cannot be read: its records wait",
            "no such table. Try: make it. It is asked for again and again.",
            None,
        ),
        ("warn", "public.users cannot be compared", "no answer. It is tried again and again.", None),
    ]


def test_an_inbox_that_cannot_be_written_says_why_in_the_words_of_its_store() -> None:
    why = Fault(reason="Postgres cannot be reached", remedy="look whether the server runs")
    (problem,) = judge(seen(ready=False, inbox_writable=False, inbox_problem=why), WELL, NOW).problems
    assert "Postgres cannot be reached. Try: look whether the server runs." in problem.todo
    assert "data folder" not in problem.todo


@pytest.mark.parametrize("stop", ["", "."])
def test_a_reason_ends_with_one_full_stop_whoever_wrote_it(stop: str) -> None:
    why = Fault(reason=f"The data file was cut short{stop}", remedy="Restore a backup")
    (problem,) = judge(seen(ready=False, inbox_writable=False, store_fault=why), WELL, NOW).problems
    assert problem.todo == "The data file was cut short. Restore a backup."


def test_a_data_file_that_is_gone_is_told_with_its_reason_and_remedy() -> None:
    (problem,) = judge(seen(ready=False, inbox_writable=False, store_fault=FAULT), WELL, NOW).problems
    assert problem.todo == "The data file was cut short. Restore a backup."


def test_the_kind_of_a_verdict_changes_with_the_state_and_not_with_a_figure() -> None:
    lanes = [(replace(DOWN, since=ago(seconds)),) for seconds in (100, 7200)]
    kinds = [judge(seen(lanes=one), WELL, NOW).kind for one in lanes]
    assert kinds[0] == kinds[1]
    assert judge(seen(lanes=(replace(LANE, state="paused"),)), WELL, NOW).kind != kinds[0]
    assert judge(seen(), counted(dead=1), NOW).kind == judge(seen(), counted(dead=2), NOW).kind


def test_what_the_verdict_rests_on_stands_below_it() -> None:
    tables = (table(last_poll_at=ago(12), last_sweep_at=ago(900)), database(last_sweep_at=None, last_poll_at=ago(0)))
    assert judge(seen(tables=tables), WELL, NOW).notes == (
        "public.users: compared 12 s ago, completely 15 min ago.",
        f"{DATABASE}: compared just now, completely never.",
    )
    blind = judge(seen(lanes=(replace(LANE, has_credentials=False),), tables=()), WELL, NOW)
    assert blind.notes == ("Set SUPABASE_URL and SUPABASE_KEY: then every event of supabase is verified against it.",)
    alone = judge(seen(lanes=(replace(LANE, source="notion"),), tables=()), replace(WELL, by_source={"notion": 1}), NOW)
    (note,) = alone.notes
    assert "[[notion.databases]]" in note


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "< 1 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "2 h"), (172_800, "2 d")],
)
def test_how_long_something_lasts_is_said_as_people_do(seconds: float, said: str) -> None:
    assert lasting(seconds) == said


BODIES = ContentProgress(stored=1200, total=10_000, left_seconds=2930.0, refused=None)


@pytest.mark.parametrize(
    ("content", "level", "text"),
    [
        (BODIES, "busy", "Reading the bodies of a database of notion: 1\u202f200 of 10\u202f000, about 49 min left"),
        (
            replace(BODIES, left_seconds=None),
            "busy",
            "Reading the bodies of a database of notion: 1\u202f200 of 10\u202f000",
        ),
        (replace(BODIES, stored=10_000, left_seconds=0.0), "good", "Converged: every event is settled"),
    ],
)
def test_bodies_that_are_still_to_be_read_are_said_with_how_long_that_takes(
    content: ContentProgress, level: str, text: str
) -> None:
    verdict = judge(seen(tables=(table(), database(content=content))), counted(), NOW)
    assert (verdict.level, verdict.text, verdict.problems) == (level, text, ())


def test_bodies_that_are_not_given_are_a_warning_with_the_remedy() -> None:
    content = replace(BODIES, left_seconds=None, refused="Notion refuses: give the capability to read content")
    verdict = judge(seen(tables=(database(content=content),)), counted(), NOW)
    assert (verdict.level, len(verdict.problems)) == ("warn", 1)
    assert "give the capability to read content. Its pages are copied without" in verdict.problems[0].todo


def node(name: str, *lanes: NodeLane, away: bool = False) -> NodeState:
    return NodeState(
        name=name, version="1", roles=("receive", "process", "reconcile"), leads=(), seen_seconds=0.0, started_at=None,
        away=away, same_admin_token=True, lanes=lanes, clock_seconds=0.0, links_lost=0,
    )  # fmt: skip


def cluster(*nodes: NodeState) -> ClusterState:
    return ClusterState(store="postgresql://…", node="a", nodes=(node("a"), *nodes), leases=())


SEARCH = DestinationState(
    name="search", url="http://search", state="running", reason=None, since=None, failures=0, next_try_at=None,
    snapshot=False, seq=1, changes_behind=0, behind_seconds=0.0, delivered=1, delivered_at=None, rejected=0,
    replaying=False,
)  # fmt: skip
PULL = PullState(
    tables=("public.users",), way="data_api", state="down", reason="Ada", hint="look", since=None, next_try_at=None,
    waiting=None, oldest_seconds=None, answered_at=None, taken_at=None, taken=0, overflowed=0, refused=0,
)  # fmt: skip
REFUSED = NodeLane(source="supabase", state="refused", reason="401 of Ada")


def test_what_another_node_alone_cannot_do_is_said_once_for_all_of_them() -> None:
    others = cluster(node("b", REFUSED), node("c", REFUSED), node("d", REFUSED, away=True))
    standing_by = replace(LANE, state="standby")
    (problem, away) = judge(seen(lanes=(standing_by,), cluster=others), WELL, NOW).problems
    assert (problem.kind, problem.text) == ("supabase refused", "supabase refuses the key of b, c")
    assert problem.todo.startswith("401 of Ada. Set SUPABASE_URL")
    assert away.kind == "node d away"
    down = NodeLane(source="supabase", state="down", reason="no answer")
    (problem,) = judge(seen(lanes=(LANE,), cluster=cluster(node("b", down))), WELL, NOW).problems
    assert (problem.level, problem.text) == ("warn", "supabase is down, as b knows it")
    (problem,) = judge(seen(lanes=(DOWN,), cluster=cluster(node("b", down))), WELL, NOW).problems
    assert problem.text == "supabase is down for 2 h"


QUOTES = [
    seen(lanes=(replace(DOWN, reason="Ada"),)),
    seen(lanes=(replace(LANE, state="refused", reason="Ada"),)),
    seen(lanes=(replace(LANE, waiting=(replace(ORDERS, reason="Ada"),)),)),
    seen(tables=(table(state="failing", reason="Ada"),)),
    seen(tables=(table(state="unconfirmed", reason="Ada"),)),
    seen(tables=(table(content=ContentProgress(stored=1, total=1, left_seconds=None, refused="Ada")),)),
    *(
        seen(destinations=(replace(SEARCH, state=state, reason="Ada"),))
        for state in ("down", "refused", "stopped", "behind")
    ),
    *(seen(pull=replace(PULL, state=state)) for state in ("down", "refused", "held")),
    seen(cluster=cluster(node("b", replace(REFUSED, reason="Ada")))),
]


@pytest.mark.parametrize("parts", QUOTES)
def test_what_a_source_or_a_receiver_has_said_is_in_what_to_do_and_not_in_the_remedy(parts: Readiness) -> None:
    (problem,) = judge(parts, WELL, NOW).problems
    assert "Ada" in problem.todo
    assert problem.remedy
    assert "Ada" not in problem.remedy + problem.text
