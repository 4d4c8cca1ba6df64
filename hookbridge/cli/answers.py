"""What commands read of the service's answers; what is not named here is passed on as it came.

The structs that the service answers with are in ``web``, whose import a command need not wait for: a test holds these
against its examples.  Invariant: an answer without one of these fields is not the service's.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

import msgspec


class Event(TypedDict):
    """An event of a list."""

    id: int
    source: str
    table: str
    record_id: str
    type: str
    origin: str
    state: str
    outcome: str | None
    reason: str | None
    verification: str | None
    attempts: int
    received_at: str
    settled_at: str | None


class EventPage(TypedDict):
    """Events, newest first."""

    events: list[Event]
    next_cursor: int | None


class Attempt(TypedDict):
    """An attempt that failed."""

    attempt: int
    began_at: str
    error: str
    traceback: NotRequired[str | None]  # an older service has none


class EventDetail(Event):
    """An event with its body and its way."""

    failures: list[Attempt]
    headers: dict[str, str] | None
    body: Any


class Replayed(TypedDict):
    """How many events are processed again."""

    matching: int | None
    replayed: int
    limit_reached: bool
    next_cursor: int | None


class Rejected(TypedDict):
    """A webhook that was refused."""

    at: str
    endpoint: str
    status: int
    reason: str
    message: str
    peer: str | None


class RejectedPage(TypedDict):
    """The newest first."""

    rejected: list[Rejected]


class Record(TypedDict):
    """A record's copy."""

    table: str
    id: str
    data: Any
    read_at: str
    verified: bool
    links_expired_at: NotRequired[str]
    cut_properties: NotRequired[list[str]]


class Difference(TypedDict):
    """What is not the same."""

    path: str
    copy: NotRequired[Any]
    truth: NotRequired[Any]


class Diff(TypedDict):
    """A copy beside the truth."""

    source: str
    table: str
    id: str
    agrees: bool
    differences: list[Difference]
    copy: Any
    copy_read_at: str | None
    truth: Any
    cut_properties: NotRequired[list[str]]


class Asked(TypedDict):
    """The event that has a record read."""

    event_id: int


class WaitingTable(TypedDict):
    """A table that cannot be read now."""

    table: str
    reason: str


class Lane(TypedDict):
    """A lane, to an operator; a stranger sees the first two."""

    source: str
    state: str
    reason: NotRequired[str | None]
    queued: NotRequired[int]
    busy: NotRequired[int]
    waiting: NotRequired[list[WaitingTable]]


class Table(TypedDict):
    """How a followed table stands."""

    source: str
    table: str
    state: str
    reason: str | None
    listed: int
    last_poll_at: str | None
    last_sweep_at: str | None
    lag_seconds: float | None


class Readiness(TypedDict):
    """Whether webhooks can be taken; an operator sees the tables too."""

    ready: bool
    lanes: list[Lane]
    tables: NotRequired[list[Table]]


class Freshness(TypedDict):
    """How old what is known of a table is."""

    poll_age_seconds: float | None
    sweep_age_seconds: float | None
    lag_seconds: float | None


class Loss(TypedDict):
    """Webhooks that came, and changes that none announced."""

    announced: int
    missed: int


class Books(TypedDict):
    """Where every event is."""

    received: int
    open: int
    applied: int
    coalesced: int
    ignored: int
    dead: int


class Statistics(TypedDict):
    """The books, and what is counted beside them."""

    books: Books
    books_balanced: bool
    duplicates: int
    total_retries: int
    average_processing_time_seconds: float
    verification: dict[str, int]
    oldest_open_event_age_seconds: float | None
    freshness: dict[str, Freshness]
    webhook_loss: dict[str, Loss]


class Following(TypedDict):
    """What the reconciler follows."""

    tables: list[Table]


class Pass(TypedDict):
    """What one pass found."""

    listed: int
    found: int


class VerificationToken(TypedDict):
    """What Notion signs with."""

    verification_token: str
    learnt_at: str | None
    learnt_from: str | None
    confirmed: bool


class Health(TypedDict):
    """That it is ours, and lives."""

    status: Literal["ok"]


class Taken(TypedDict):
    """A webhook that was taken: stored, only checked, or Notion's handshake."""

    status: Literal["accepted", "valid", "verification_token_stored"]


class Progress(TypedDict):
    """How far a proof is."""

    source: str
    table: str
    compared: int
    total: int | None


class Proof(TypedDict):
    """What the proof of one table found."""

    source: str
    table: str
    equal: int
    differing: int
    missing: int
    extra: int
    cut: int
    healed: int
    keys: dict[str, list[str]]


class Unproven(TypedDict):
    """A table that could not be compared."""

    source: str
    table: str
    message: str
    hint: str


class Verdict(TypedDict):
    """The last line of a proof."""

    agrees: bool
    as_of: str | None
    cut: int
    tables: int
    unproven: int


class Failure(TypedDict):
    """The last line of a proof that could not be finished."""

    message: str
    hint: str


PROOF_LINES: dict[str, type] = {
    "progress": Progress,
    "table": Proof,
    "unproven": Unproven,
    "result": Verdict,
    "error": Failure,
}
"""By ``type``."""


class Refusal(msgspec.Struct, frozen=True):
    """The body of an error."""

    error: str
    message: str
    hint: str = ""


class WrongField(msgspec.Struct, frozen=True):
    """One field that is wrong."""

    loc: tuple[str | int, ...]
    msg: str


class WrongFields(msgspec.Struct, frozen=True):
    """The body of a 422."""

    detail: tuple[WrongField, ...]
