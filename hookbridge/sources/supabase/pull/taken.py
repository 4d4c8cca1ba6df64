"""What ``hookbridge_take`` answers, and what its messages are.  Pure."""

from __future__ import annotations

import re
from typing import Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

from hookbridge.config import SupabaseConfig
from hookbridge.errors import PullRefused
from hookbridge.names import full_name, is_name, is_schema
from hookbridge.sources.supabase.answers import spans

VERSION = 1

RUN_AGAIN = "run what trigger-sql --pull of this hookbridge prints in Supabase's SQL editor"
TAKE_OVER = (
    "stop the other hookbridge; then run what trigger-sql --pull --take-over prints, and this one takes its place"
)


class Message(msgspec.Struct, frozen=True):
    """One change."""

    id: UUID
    """Drawn at random when it was written."""
    message: msgspec.Raw
    """The body that a webhook would have."""

    @property
    def name(self) -> str:
        """What names it: what the same message had in its ``webhook-id`` where the database had sent it before."""
        return f"msg_{self.id.hex}"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One answer."""

    version: int
    state: Literal["taken", "other_store"]
    messages: tuple[Message, ...] = ()
    """Of each record in the order of its changes."""
    more: bool = False
    waiting: int = 0
    oldest_seconds: float | None = None
    overflowed: int = 0
    """Rises with each change that was not kept."""
    overflowing: bool = False
    """Whether some of these may not be committed yet, so that no sweep would find them."""


class _Version(msgspec.Struct, frozen=True):
    version: int


class _Head(msgspec.Struct, frozen=True):
    type: str
    table: str
    schema: str = "public"


_DEPTH_OF_MESSAGE = 3
"""It lies in the answer, the list and its own object."""
_EMPTY = b"{}"
_DEPTH_OF_COLUMN = 2
"""It lies in the message and its row."""
_STRINGS_AND_LONG_NUMBERS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?[0-9.]{300,}', re.DOTALL)
"""Postgres writes all digits of a number."""

_decode = msgspec.json.Decoder(Taken).decode
_decode_version = msgspec.json.Decoder(_Version).decode
_decode_head = msgspec.json.Decoder(_Head).decode


def read(answer: bytes) -> Taken:
    """Read an answer of this version, to this store.  Raises PullRefused."""
    taken = decoded(answer)
    if taken.state == "other_store":
        raise OtherStore("Another hookbridge takes these changes", hint=TAKE_OVER)
    return taken


def decoded(answer: bytes) -> Taken:
    """Read an answer of this version, whoever the outbox belongs to.  Raises PullRefused."""
    try:
        try:
            return _of_this_version(answer)
        except RecursionError:
            return _beside_their_messages(answer)
    except (msgspec.DecodeError, ValueError, RecursionError):
        message = "hookbridge_take in Supabase is none of this version's"
        raise PullRefused(message, hint=RUN_AGAIN) from None


def _of_this_version(answer: bytes) -> Taken:
    version = _decode_version(answer).version
    if version > VERSION:
        message = f"The functions in Supabase are of a newer hookbridge (version {version}; this one knows {VERSION})"
        raise PullRefused(message, hint="update this hookbridge")
    taken = _decode(answer)
    if version < VERSION:
        raise PullRefused(f"The functions in Supabase are of an older hookbridge (version {version})", hint=RUN_AGAIN)
    return taken


def _beside_their_messages(answer: bytes) -> Taken:
    """Read an answer where a message is nested deeper than the decoder goes: it would hold up all others for ever."""
    places = spans(answer, _DEPTH_OF_MESSAGE)
    ends = [0, *(end for _, end in places)]
    starts = [*(start for start, _ in places), len(answer)]
    around = _EMPTY.join(answer[end:start] for end, start in zip(ends, starts, strict=True))
    taken = _of_this_version(around)
    cut_out = iter(places)
    messages = []
    for one in taken.messages:
        if bytes(one.message) == _EMPTY:
            start, end = next(cut_out)
            messages.append(replace(one, message=msgspec.Raw(answer[start:end])))
        else:
            messages.append(one)
    return replace(taken, messages=tuple(messages))


class OtherStore(PullRefused):
    """The outbox belongs to another store: what it has taken this one does not know of."""


def by_its_keys(body: bytes) -> bytes:
    """Give a message with plain values alone, marked as the trigger marks one of a row that is too large.

    For one that cannot be decoded: what is nested deeper than the decoder goes, or is a longer number than it takes, is
    in a column, and not what names the record.  Raises ValueError for what is no object.
    """
    places = spans(body, _DEPTH_OF_COLUMN)
    ends = [0, *(end for _, end in places)]
    starts = [*(start for start, _ in places), len(body)]
    plain = b"null".join(body[end:start] for end, start in zip(ends, starts, strict=True)).lstrip()
    if not plain.startswith(b"{"):
        msg = "no object"
        raise ValueError(msg)
    short = _STRINGS_AND_LONG_NUMBERS.sub(lambda found: found[0] if found[0].startswith(b'"') else b"null", plain)
    return b'{"truncated":true,' + short.removeprefix(b"{")


def emptied_table(body: bytes, config: SupabaseConfig) -> str | None:
    """Name the table that was emptied by a TRUNCATE, which has no record; None for every other message."""
    if b"TRUNCATE" not in body:
        return None
    try:
        head = _decode_head(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if head.type != "TRUNCATE" or not (is_name(head.table) and is_schema(head.schema)):
        return None
    return config.root(full_name(head.table, head.schema))
