"""Every error that hookbridge raises on purpose, as one family.

::

    HookbridgeError                     message + hint: what happened, what to do next
    ├── ConfigError                     the configuration is wrong: every problem at once (exit code 2)
    ├── StartupError                    port in use, data folder not writable, file in use (exit code 2)
    ├── Refusal                         a request that is not accepted; web/replies.py gives each its status
    │   ├── InvalidJson                 the body is not JSON
    │   ├── InvalidSource               the payload belongs to the other endpoint
    │   ├── InvalidFields               one or more fields are wrong: all of them are listed
    │   ├── InvalidParameter            a query or path parameter is wrong
    │   ├── InvalidSignature            the sender could not be authenticated
    │   ├── HandshakeRefused            a second Notion handshake while a token is known
    │   ├── AdminTokenRequired          the token is missing or wrong, or may not do this
    │   ├── BodyTooSlow                 the body did not arrive in time
    │   ├── PayloadTooLarge             the body is over the limit
    │   ├── UnsupportedMediaType        the body is not application/json
    │   ├── HostRefused                 the name in Host is none of ours
    │   ├── NotFound                    no such path, event or record
    │   ├── PlaceGone                   what lies behind this place of the feed is not known whole any more
    │   └── TryLater                    at a limit or not able to store: 503 with Retry-After
    │       └── NotReceiving            a webhook came to a node that takes none
    ├── SourceError                     a source could not be read; pipeline/retry.py decides what follows
    │   ├── SourceUnavailable           nobody can read it now (down, overloaded, rate limit): the lane may stop
    │   ├── SourceRefused               it refuses our key: the lane stops until it is taken again
    │   │   └── PullRefused             its outbox gives us nothing, until somebody acts: changes wait there
    │   ├── RecordUnreadable            this read failed for its own reason: tried again, then a dead letter
    │   └── RecordImpossible            this record can never be read (malformed id): dead at once
    │       ├── ContentRefused          its source shows the record, and not the text behind it: copies go on without
    │       └── TableUnreadable         nothing of its table can be read (unknown, not granted): its records wait
    ├── CacheUnavailable                the user's own cache cannot be reached: the lane may stop
    ├── PermanentFailure                raised by a user's handler: do not try this change again
    ├── HandlerFailed                   what a user's handler raised, or that it took too long, with its place
    │   └── HandlerGaveUp               it raised PermanentFailure: dead at once
    └── StoreError                      what was to be stored has no form on disk: nothing of it was stored
        ├── NameTooLong                 a record's name is longer than the store's indexes take
        └── StoreUnavailable            disk full, i/o error: nothing of the transaction was stored
            └── LeadLost                another node may do by now what this was a part of

It does not know HTTP statuses, log levels or retry times: each of those tables stands in one other place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta


class HookbridgeError(Exception):
    """What happened, for a person, and what that person can do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(HookbridgeError):
    """The configuration is wrong.  ``problems`` lists everything that is, one line each."""

    def __init__(self, problems: list[str], *, hint: str = "") -> None:
        super().__init__("; ".join(problems), hint=hint)
        self.problems = problems


class StartupError(HookbridgeError):
    """The service cannot start on this machine as configured."""


class Refusal(HookbridgeError):
    """A request that is not accepted; nothing of it was stored."""


class InvalidJson(Refusal):
    """The body is not one JSON document in UTF-8."""


class InvalidSource(Refusal):
    """The payload names a source that this endpoint does not take."""

    def __init__(self, expected: str, received: str) -> None:
        super().__init__(f"Invalid source type for {expected.capitalize()} webhook")
        self.expected = expected
        self.received = received


class FieldProblem(msgspec.Struct, frozen=True):
    """One field that is wrong, as the answer says it."""

    loc: Annotated[
        tuple[str | int, ...],
        Meta(
            description="Where it is: `body`, `query`, `path` or `header`, then the names on the way to it.",
            examples=[["body", "id"]],
        ),
    ]
    msg: Annotated[str, Meta(description="What was expected.", examples=["field required"])]
    type: Annotated[str, Meta(description="The kind of mistake, for programs.", examples=["value_error.missing"])]


class InvalidFields(Refusal):
    """One or more fields of the body are wrong.  ``problems`` has every one of them."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, p.loc))}: {p.msg}" for p in problems))
        self.problems = problems


class InvalidParameter(InvalidFields):
    """A path or query parameter is wrong."""

    def __init__(self, name: str, expected: str, *, where: str = "query") -> None:
        super().__init__([FieldProblem((where, name), expected, "value_error")])


class InvalidSignature(Refusal):
    """The sender could not be authenticated.

    ``reason`` is for the operator's log; the sender is told only that it failed.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("Webhook signature verification failed")
        self.reason = reason


class HandshakeRefused(Refusal):
    """A Notion verification handshake arrived although a token is known already."""


class AdminTokenRequired(Refusal):
    """The token is missing or wrong, or may not do this."""


class PayloadTooLarge(Refusal):
    """The body is over the limit.  ``limit_bytes`` is that limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than the limit of {limit_bytes} bytes")
        self.limit_bytes = limit_bytes


class BodyTooSlow(Refusal):
    """The body was announced and did not arrive in time."""


class UnsupportedMediaType(Refusal):
    """The body is not plain ``application/json``."""

    def __init__(self, received: str, *, message: str = "Content-Type must be application/json") -> None:
        super().__init__(message)
        self.received = received


class HostRefused(Refusal):
    """The request was sent to a name under which the service does not answer."""


class NotFound(Refusal):
    """There is no such path, event or record."""


class PlaceGone(Refusal):
    """What lies behind this place of the feed is not known whole any more: its reader begins anew with a snapshot."""


class TryLater(Refusal):
    """At a limit, shutting down, or not able to store: the sender may try again.

    ``retry_after_seconds`` is whole seconds, for the ``Retry-After`` header; ``reason`` is for the operator's log, and
    no sender is told of it.
    """

    def __init__(self, message: str, *, retry_after_seconds: int, hint: str = "", reason: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds
        self.reason = reason


class NotReceiving(TryLater):
    """A webhook came to a node that takes none; another one of the cluster does."""


class TooSoon(TryLater):
    """The same was asked a moment ago, and may be asked again later."""


class SourceError(HookbridgeError):
    """A source could not be read."""


class SourceUnavailable(SourceError):
    """Nobody can read the source now: refused connections, timeouts, 5xx, a rate limit.

    ``retry_after_seconds`` is the source's own word on when to come back, where it gave one.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class SourceRefused(SourceError):
    """The source refuses our key.  It concerns every record, so no attempt of any record is used up."""


class PullRefused(SourceRefused):
    """The outbox at the source gives us nothing: no function, not for us, of another version, or another store's."""


class RecordUnreadable(SourceError):
    """Reading this record failed for a reason of its own that may pass (a conflict, a statement timeout)."""


class RecordImpossible(SourceError):
    """The record can never be read as things are: its id is malformed."""


class ContentRefused(RecordImpossible):
    """The source lets us read its records, and not the texts behind them."""


class TableUnreadable(RecordImpossible):
    """Its table is not there, or not ours to read, until somebody makes or grants it; others are not concerned."""


class CacheUnavailable(HookbridgeError):
    """The user's own cache cannot be reached, so no change can be finished now."""


class PermanentFailure(HookbridgeError):
    """Raise it in a handler to say that trying this change again cannot help."""


class HandlerFailed(HookbridgeError):
    """A user's handler raised something, or did not end in time.

    The message names the handler and the line of the user's code: ``greet (my_handlers.py:7): KeyError: 'nope'``.
    """

    def __init__(self, message: str, *, hint: str = "", traceback: str = "") -> None:
        super().__init__(message, hint=hint)
        self.traceback = traceback
        """What is kept of it."""


class HandlerGaveUp(HandlerFailed):
    """A user's handler said that trying again cannot help."""


class StoreError(HookbridgeError):
    """What was to be stored has no form on disk, so trying again cannot help.  Nothing of it was stored."""


class NameTooLong(StoreError):
    """A record's name is longer than the store's indexes take: who gave it has to give another one."""


class StoreUnavailable(StoreError):
    """Disk full or i/o error.  Nothing of the transaction was stored."""


class LeadLost(StoreUnavailable):
    """What was to be written belongs to a duty that another node may do by now.  Nothing of it was stored."""

    def __init__(self, duty: str) -> None:
        super().__init__(f"Another node may do {duty} by now", hint="it goes on there; nothing is to be done")
        self.duty = duty


def asked_seconds(error: BaseException | None) -> float:
    """Give how long a source asked to be left alone, in seconds; 0 where it did not say."""
    return (error.retry_after_seconds or 0.0) if isinstance(error, SourceUnavailable) else 0.0


def to_install(extra: str) -> str:
    """Give the hint for an extra's package that is not there: hookbridge is in no registry, its folder is installed."""
    return f".venv/bin/python -m pip install -e '.[{extra}]'"


REASON_CHARACTERS_MAX = 500


def describe(error: BaseException | None, clean: Callable[[str], str] = str) -> str:
    """Say in one line what went wrong and what to do, for logs, reasons and replies: a text that can be stored.

    ``clean`` takes out of an error's text what must not be shown.
    """
    said = error.message if isinstance(error, HandlerFailed) else named(error, clean)  # that one names what was raised
    remedy = f"; try: {hint}" if (hint := hint_of(error)) else ""
    return _storable(said + remedy)


def hint_of(error: BaseException | None) -> str:
    """Give what to do about an error; empty where that is not known."""
    return error.hint if isinstance(error, HookbridgeError) else ""


def named(error: BaseException | None, clean: Callable[[str], str] = str) -> str:
    """Give an error's kind and the beginning of its own text, if it has one: ``KeyError: 'nope'``."""
    text = _first_line(error, clean)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _first_line(error: BaseException | None, clean: Callable[[str], str]) -> str:
    """Give the beginning of an error's own text, whatever a stranger's class makes of the question."""
    try:
        text = clean(str(error))  # whole: half of a secret is not known as one, and half of it is too much
    except BaseException:  # noqa: BLE001  a foreign __str__
        return "(its text cannot be shown)"
    lines = _storable(text).strip().splitlines()
    return lines[0][:REASON_CHARACTERS_MAX] if lines else ""


def _storable(text: str) -> str:
    """Write out what UTF-8 does not have."""
    return text.encode(errors="backslashreplace").decode()
