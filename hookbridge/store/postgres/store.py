"""The Postgres engine as a ``Store``: the roles, each of which has its file, in one schema of a database."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Self

import structlog

from hookbridge.errors import StartupError, StoreError, named
from hookbridge.model import Fault
from hookbridge.settings.store_url import without_password
from hookbridge.store.nodes import Links
from hookbridge.store.postgres import checks
from hookbridge.store.postgres.claims import Claims
from hookbridge.store.postgres.copies import Copies
from hookbridge.store.postgres.engine import Engine
from hookbridge.store.postgres.feed import Feed
from hookbridge.store.postgres.inbox import Inbox
from hookbridge.store.postgres.listings import Listings
from hookbridge.store.postgres.migrations import migrate
from hookbridge.store.postgres.named import Records
from hookbridge.store.postgres.nodes import Nodes, refuse_unfinished
from hookbridge.store.postgres.notes import Counters, Notes
from hookbridge.store.postgres.recent import Recent
from hookbridge.store.postgres.rejections import Rejections
from hookbridge.store.postgres.samples import Samples
from hookbridge.store.postgres.stale_keys import Stale
from hookbridge.store.postgres.sweeps import Sweeps
from hookbridge.store.postgres.tombstones import Tombstones
from hookbridge.store.postgres.watch import Watch

_log = structlog.get_logger(__name__)

# Assigns a transaction a number, so that its end is written and flushed; it changes no row.
_COMMIT = "SELECT pg_current_xact_id()::text"


def _server_clock() -> float | None:
    return None


class PostgresStore(
    Inbox,
    Claims,
    Stale,
    Listings,
    Copies,
    Tombstones,
    Feed,
    Rejections,
    Records,
    Recent,
    Sweeps,
    Notes,
    Counters,
    Samples,
    Nodes,
):
    """``hookbridge.store.contract.Store`` in the schema ``hookbridge`` of a Postgres database."""

    is_filled = False
    """Whether it is opened to be filled with what a data file holds: until all of that is there, nobody else may."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watch = Watch(self.feed_ends)

    @classmethod
    async def open(cls, url: str, *, node: str = "", moment: Callable[[], float | None] = _server_clock) -> Self:
        """Reach the server and make the schema, or bring it up to date.

        ``node`` is this node's name, one of its own where it is empty; ``moment`` is a test's clock.  Raises
        StartupError when the server cannot be reached or relied on.
        """
        engine = Engine(url, node=node or secrets.token_hex(8), moment=moment)
        try:
            await _prepare(engine, is_filled=cls.is_filled)
        except BaseException:
            await engine.close()
            raise
        return cls(engine)

    def describe(self) -> str:
        """Give the server's address, without the password."""
        return without_password(self._engine.server.url)

    def watch_commits(self, observer: Callable[[int, float], None]) -> None:
        """Tell the observer of each group that was committed."""
        self._engine.appends.observer = self._engine.settles.observer = observer

    async def free_bytes(self) -> int | None:
        """Give nothing: the disk is not this machine's."""
        return None

    async def reusable_bytes(self) -> int:
        """Give nothing: where the disk is the server's, nobody here counts it."""
        return 0

    @property
    def links(self) -> Links | None:
        """How the connections to the server stand."""
        return self._engine.links

    async def check_writable(self) -> None:
        """Commit an empty transaction."""
        await self._engine.write(_COMMIT)

    @property
    def fault(self) -> Fault | None:
        """Nothing: what a server finds damaged it says itself, call by call."""
        return None

    async def look(self) -> Fault | None:
        """Find nothing."""
        return self.fault

    async def close(self) -> None:
        """Finish, then close."""
        await self._watch.close()
        await self._engine.close()


async def _prepare(engine: Engine, *, is_filled: bool) -> None:
    link = engine.first
    try:
        seen = await checks.facts(link)
        if (refused := checks.refusal(seen)) is not None:
            raise refused
        if (said := checks.warning(seen)) is not None:
            _log.warning(said, remedy="python -m hookbridge store-sql prints SQL for the role")
        await migrate(link)
        if not is_filled:
            await refuse_unfinished(link.call)
        ((engine.slots, open_events, now),) = await link.call(
            "SELECT ARRAY(SELECT nextval('hookbridge.slots')::integer FROM generate_series(1, $1)),"
            " coalesce((SELECT sum(value) FROM hookbridge.counters WHERE name = 'open'), 0), hookbridge.now_1(NULL)",
            len(engine.slots),
        )
        engine.clock.told(now)
        engine.open_events = int(open_events)
    except StoreError as error:
        why = "" if error.__cause__ is None else f" ({named(error.__cause__)})"
        raise StartupError(f"The store cannot be opened: {error.message}{why}", hint=error.hint) from error
