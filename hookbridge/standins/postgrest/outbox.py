"""The outbox of tables whose changes are taken: what `hookbridge_take` and `hookbridge_done` do, in memory.

A message is written with its row's change.  It is leased in the order of its record's changes, to the store that asked
first, and is gone when it is done, whoever has its lease.  Not here: a bound, what is not kept, taking over.

Source: the functions themselves (hookbridge/sources/supabase/trigger/take.sql); tests ask both the same.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID, uuid4

import msgspec

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.keys import ANON, SERVICE_ROLE
from hookbridge.standins.postgrest.tables import Change, Table
from hookbridge.standins.postgrest.webhooks import native_body

TAKE, DONE = "hookbridge_take", "hookbridge_done"
_PARAMETERS = {TAKE: {"most", "lease_seconds", "store"}, DONE: {"ids"}}
BYTES_MAX = 4 * 1024 * 1024
"""Of one answer; one message is in it in any case."""

_Record = tuple[object, ...]


class _Take(msgspec.Struct, frozen=True):
    most: int
    lease_seconds: float
    store: str


class _Done(msgspec.Struct, frozen=True):
    ids: list[UUID]


class _Waiting(msgspec.Struct):
    """A message, and until when it is leased."""

    body: bytes
    records: frozenset[_Record]
    since: datetime
    leased_until: datetime | None = None


class Outbox:
    """The messages that wait, in their order."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.kept = 0
        """How many messages were ever written."""
        self.lease_seconds_max = math.inf
        """Of what is asked for: whoever kills takers often does not wait for so long."""
        self._clock = clock
        self._messages: dict[UUID, _Waiting] = {}
        self._store = ""
        self._on_done: list[Callable[[UUID, datetime], None]] = []

    def __len__(self) -> int:
        return len(self._messages)

    def listen(self, callback: Callable[[UUID, datetime], None]) -> None:
        """Have each message's id, and when it was written, told when it is done."""
        self._on_done.append(callback)

    def keep(self, change: Change) -> None:
        """Write the message of one row's change, unless nothing has changed."""
        images = [row for row in (change.record, change.old_record) if row is not None]
        if len(images) > 1 and images[0].values == images[1].values:
            return
        table = change.table
        self._put(
            native_body(change),
            frozenset((table.schema, table.name, *(row.values[column] for column in table.key)) for row in images),
        )

    def keep_truncate(self, table: Table) -> None:
        """Write that all rows of a table are gone."""
        told = {"type": "TRUNCATE", "table": table.name, "schema": table.schema}
        self._put(json.dumps(told).encode(), frozenset())

    def _put(self, body: bytes, records: frozenset[_Record]) -> None:
        self.kept += 1
        self._messages[uuid4()] = _Waiting(body, records, self._clock())

    def call(self, role: str, schema: str, name: str, body: bytes) -> bytes:
        """Answer a call of one of the functions; raises what PostgREST answers to what cannot be."""
        try:
            given = cast("Mapping[str, object]", msgspec.json.decode(body or b"{}", type=dict[str, object]))
        except msgspec.DecodeError:
            raise errors.error(400, "PGRST102", "Empty or invalid json") from None
        if _PARAMETERS.get(name) != set(given):
            raise errors.unknown_function(schema, name, sorted(given))
        if role != SERVICE_ROLE:
            raise errors.function_denied(name, anonymous=role == ANON)
        try:
            if name == DONE:
                return msgspec.json.encode(self._done(msgspec.convert(given, _Done).ids))
            asked = msgspec.convert(given, _Take)
        except msgspec.ValidationError as error:
            raise errors.error(400, "22P02", str(error)) from None
        if asked.most < 0 or asked.lease_seconds < 0 or not asked.store:
            message = "hookbridge_take needs most and lease_seconds of 0 or more, and the id of a store"
            raise errors.error(400, "22023", message)
        return msgspec.json.encode(self._take(asked))

    def _done(self, ids: list[UUID]) -> int:
        removed = 0
        for id_ in ids:
            if (message := self._messages.pop(id_, None)) is not None:
                removed += 1
                for callback in self._on_done:
                    callback(id_, message.since)
        return removed

    def _take(self, asked: _Take) -> dict[str, object]:
        now = self._clock()
        is_its_own = self._store in ("", asked.store)
        given: list[UUID] = []
        more = False
        if asked.most and is_its_own:
            self._store = asked.store
            given, more = self._next(asked.most, now)
        lease = timedelta(seconds=min(asked.lease_seconds, self.lease_seconds_max))
        for id_ in given:
            self._messages[id_].leased_until = now + lease
        oldest = next(iter(self._messages.values()), None)
        return {
            "version": 1,
            "state": "taken" if is_its_own else "other_store",
            "messages": [{"id": id_, "message": msgspec.Raw(self._messages[id_].body)} for id_ in given],
            "more": more,
            "waiting": len(self._messages),
            "oldest_seconds": None if oldest is None else (now - oldest.since).total_seconds(),
            "overflowed": 0,
            "overflowing": False,
        }

    def _next(self, most: int, now: datetime) -> tuple[list[UUID], bool]:
        """The oldest messages that may be given, and whether there are more."""
        leased = {id_ for id_, one in self._messages.items() if one.leased_until is not None and one.leased_until > now}
        held = {record for id_ in leased for record in self._messages[id_].records}
        given: list[UUID] = []
        size = 0
        for id_, one in self._messages.items():
            if id_ in leased:
                continue
            if one.records & held:
                held |= one.records
                continue
            size += len(one.body)
            if len(given) >= most or (given and size > BYTES_MAX):
                return given, True
            given.append(id_)
        return given, False
