"""A Supabase project whose tables write each change into an outbox, in memory: the wire format of its two functions.

The real functions are tried in tests/trigger; this is for what they never answer, and for what goes wrong on the way.
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.errors import JSON_TYPE, WireError
from hookbridge.standins.postgrest.standin import PREFIX, PostgrestStandin
from hookbridge.standins.postgrest.tables import Change
from hookbridge.standins.postgrest.webhooks import native_body
from hookbridge.standins.wire import Reply

TAKE, DONE = "hookbridge_take", "hookbridge_done"

Answer = dict[str, Any]


def taking(path: str) -> bool:
    """Whether a request asks for messages; for the stand-in's faults."""
    return path.endswith(TAKE)


def confirming(path: str) -> bool:
    """Whether a request says that messages are stored."""
    return path.endswith(DONE)


class OutboxStandin(PostgrestStandin):
    """Its tables' changes wait in ``messages`` until they are done."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  as the stand-in's
        super().__init__(**options)
        self.messages: dict[str, bytes] = {}
        """In their order, by their ids."""
        self.leased: set[str] = set()
        self.stores: list[str] = []
        """Who asked."""
        self.taken = 0
        """How often messages were given."""
        self.overflowed = 0
        self.overflowing = False
        self.most = 500
        """At once, whatever is asked for."""
        self.changes_answer: Callable[[Answer], Answer] = lambda answer: answer
        self.installed = True

    def tell(self, change: Change) -> None:
        """Write a change into the outbox."""
        super().tell(change)
        self.put(native_body(change))

    def put(self, message: bytes) -> str:
        """Write any message into it; gives its id."""
        id_ = str(uuid.uuid4())
        self.messages[id_] = message
        return id_

    def empty(self, table: str) -> None:
        """TRUNCATE."""
        for row in list(self.table(table).rows.values()):
            self.table(table).delete(row)
        self.put(json.dumps({"type": "TRUNCATE", "schema": "public", "table": table}).encode())

    def release(self) -> None:
        """Let all leases end."""
        self.leased.clear()

    async def answer(self, request: web.BaseRequest, body: bytes) -> Reply:
        """Answer a call of one of the two functions, and everything else as ever."""
        name = request.path.removeprefix(f"{PREFIX}rpc/")
        if name not in (TAKE, DONE):
            return await super().answer(request, body)
        try:
            return self._called(name, request, json.loads(body))
        except WireError as refused:
            return refused.reply

    def _called(self, name: str, request: web.BaseRequest, asked: dict[str, Any]) -> Reply:
        role = self.keys.role(request.headers)
        if request.headers.get("Content-Profile") != self.schemas[0] or not self.installed:
            raise errors.unknown_function(self.schemas[0], name)
        if role != "service_role":
            raise errors.error(401, "42501", f"permission denied for function {name}")
        if name == DONE:
            gone = [id_ for id_ in asked["ids"] if self.messages.pop(id_, None) is not None]
            self.leased -= set(gone)
            return _json(len(gone))
        return _json(self.changes_answer(self._take(asked)))

    def _take(self, asked: dict[str, Any]) -> Answer:
        assert asked.keys() == {"most", "lease_seconds", "store"}
        self.stores.append(asked["store"])
        free = [id_ for id_ in self.messages if id_ not in self.leased]
        given = free[: min(asked["most"], self.most)]
        self.leased |= set(given)
        self.taken += bool(given)
        return {
            "version": 1,
            "state": "taken",
            "messages": [{"id": id_, "message": msgspec.Raw(self.messages[id_])} for id_ in given],
            "more": len(free) > len(given),
            "waiting": len(self.messages),
            "oldest_seconds": 0.5 if self.messages else None,
            "overflowed": self.overflowed,
            "overflowing": self.overflowing,
        }


def empty_answer() -> Reply:
    """What is answered where nothing waits: for a fault of a project without an outbox."""
    answer = {"version": 1, "state": "taken", "messages": [], "more": False, "waiting": 0}
    return _json({**answer, "oldest_seconds": None, "overflowed": 0})


def _json(answer: object) -> Reply:
    return Reply(status=200, body=msgspec.json.encode(answer), headers={"Content-Type": JSON_TYPE})
