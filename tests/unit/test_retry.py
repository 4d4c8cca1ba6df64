"""Does this event die?  Every class of failure, and every number of the decision."""

import asyncio
import inspect
from collections.abc import Callable

import pytest

from hookbridge import errors
from hookbridge.errors import CacheUnavailable, SourceRefused, SourceUnavailable, TableUnreadable
from hookbridge.pipeline.retry import Case, Fate, Kind, fate_of, retry_seconds, rule_of

TRIES_LEFT = Case(tries_left=True)

# What comes after the last attempt, and whether there is more than one; what is not here is tried again, then dead.
TABLE = {
    "SourceUnavailable": (Kind.SOURCE, True, Fate.LANE_STOPS),
    "CacheUnavailable": (Kind.CACHE, True, Fate.LANE_STOPS),
    "StoreUnavailable": (Kind.STORE, True, Fate.LANE_STOPS),
    "LeadLost": (Kind.STORE, True, Fate.LANE_STOPS),
    "SourceRefused": (Kind.KEY, False, Fate.LANE_STOPS),
    "PullRefused": (Kind.KEY, False, Fate.LANE_STOPS),
    "TableUnreadable": (Kind.TABLE, False, Fate.TABLE_WAITS),
    "RecordImpossible": (Kind.RECORD, False, Fate.DEAD),
    "ContentRefused": (Kind.RECORD, False, Fate.DEAD),
    "HandlerGaveUp": (Kind.RECORD, False, Fate.DEAD),
    "StoreError": (Kind.RECORD, False, Fate.DEAD),
    "NameTooLong": (Kind.RECORD, False, Fate.DEAD),
    "CancelledError": (Kind.RECORD, False, Fate.DEAD),
}
OTHERS = (Kind.RECORD, True, Fate.DEAD)

MADE: dict[str, Callable[[], BaseException]] = {
    "ConfigError": lambda: errors.ConfigError(["x"]),
    "InvalidSource": lambda: errors.InvalidSource("supabase", "x"),
    "InvalidFields": lambda: errors.InvalidFields([]),
    "InvalidParameter": lambda: errors.InvalidParameter("x", "y"),
    "InvalidSignature": lambda: errors.InvalidSignature("x"),
    "PayloadTooLarge": lambda: errors.PayloadTooLarge(1),
    "UnsupportedMediaType": lambda: errors.UnsupportedMediaType("x"),
    "TryLater": lambda: errors.TryLater("x", retry_after_seconds=1),
    "NotReceiving": lambda: errors.NotReceiving("x", retry_after_seconds=1),
    "TooSoon": lambda: errors.TooSoon("x", retry_after_seconds=1),
}

FAMILY = [
    (name, class_)
    for name, class_ in inspect.getmembers(errors, inspect.isclass)
    if issubclass(class_, errors.HookbridgeError)
]
STRANGERS = [(class_.__name__, class_) for class_ in (ValueError, TimeoutError, asyncio.CancelledError)]


def unavailable(retry_after: float | None = None) -> SourceUnavailable:
    return SourceUnavailable("down", retry_after_seconds=retry_after)


@pytest.mark.parametrize(("name", "class_"), [*FAMILY, *STRANGERS])
def test_every_error_leads_where_the_table_says(name: str, class_: type[BaseException]) -> None:
    failure = MADE.get(name, lambda: class_("x"))()
    kind, again, afterwards = TABLE.get(name, OTHERS)
    assert rule_of(failure).kind is kind
    assert (fate_of(failure, TRIES_LEFT) is Fate.AGAIN) is again
    assert fate_of(failure, Case(listed=True)) is afterwards


def test_no_class_of_the_table_is_missing_from_the_family() -> None:
    assert TABLE.keys() <= {name for name, _ in [*FAMILY, *STRANGERS]}


@pytest.mark.parametrize(("asked", "fate"), [(None, Fate.AGAIN), (10.0, Fate.AGAIN), (10.1, Fate.LANE_STOPS)])
def test_a_retry_after_of_more_than_ten_seconds_is_the_lanes_to_wait_for(asked: float | None, fate: Fate) -> None:
    assert fate_of(unavailable(asked), TRIES_LEFT) is fate


@pytest.mark.parametrize("failure", [unavailable(), CacheUnavailable("gone"), SourceRefused("key")])
@pytest.mark.parametrize(("strikes", "fate"), [(0, Fate.LANE_STOPS), (2, Fate.LANE_STOPS), (3, Fate.DEAD)])
def test_after_three_strikes_the_fourth_failure_is_the_records_own(
    failure: Exception, strikes: int, fate: Fate
) -> None:
    assert fate_of(failure, Case(strikes=strikes)) is fate


@pytest.mark.parametrize(
    ("case", "fate"),
    [
        (Case(listed=True, table_waits=True, waited_seconds=1e9), Fate.TABLE_WAITS),
        (Case(table_waits=True, waited_seconds=0.0), Fate.TABLE_WAITS),
        (Case(table_waits=True, waited_seconds=899.9), Fate.TABLE_WAITS),
        (Case(table_waits=True, waited_seconds=900.0), Fate.DEAD),
        (Case(table_waits=False), Fate.DEAD),
        (Case(table_waits=True, strikes=99), Fate.TABLE_WAITS),
    ],
    ids=["listed", "new", "just before", "a quarter of an hour", "no room", "strikes are the lane's"],
)
def test_a_listed_table_is_waited_for_without_an_end_and_another_for_a_quarter_of_an_hour(
    case: Case, fate: Fate
) -> None:
    assert fate_of(TableUnreadable("no such table"), case) is fate


@pytest.mark.parametrize(
    ("failed", "asked", "seconds"),
    [(1, None, 2.0), (2, None, 4.0), (3, None, 8.0), (1, 7.5, 7.5), (2, 1.0, 4.0), (1, 0.0, 2.0)],
)
def test_the_waits_are_the_guides_or_what_the_source_asks_for(failed: int, asked: float | None, seconds: float) -> None:
    assert retry_seconds(failed, unavailable(asked), delay=2.0, multiplier=2.0) == seconds
