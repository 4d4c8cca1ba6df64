"""The index made anew in the background, when what makes it has changed: another way to read words, another setting.

What is searched meanwhile is what is indexed by then; changes are indexed as ever.  Invariants: it goes on where it was
after a restart; it never overwrites the words of a later copy; it asks no source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b

import msgspec
import structlog

from hookbridge.config import Config
from hookbridge.errors import StoreUnavailable
from hookbridge.model import SourceName
from hookbridge.sources.kept import anew
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.values import CopyPage
from hookbridge.text import tokens

WORDS = 2
"""Raised with every change of ``hookbridge/text`` or of a source's fields that makes other words of the same record."""

PAGE = 200
PAGE_BYTES_MAX = 2 * 1024 * 1024
PAUSE_SECONDS = 0.02
"""Between two pages, so that appends and settles come first."""

RETRY_SECONDS = 5.0

_log = structlog.get_logger(__name__)


class _State(msgspec.Struct, frozen=True):
    made_by: str
    cursor: str | None = None
    done: float = 0.0

    @property
    def is_whole(self) -> bool:
        return self.done >= 1


_decode = msgspec.json.Decoder(_State).decode


class Indexing:
    """The loop, and how far it is."""

    def __init__(
        self,
        store: Store,
        sources: Mapping[SourceName, Source],
        config: Config,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._sources = sources
        self._made_by = made_by(config)
        self._sleep = sleep
        self._state = _State(self._made_by)

    @property
    def progress(self) -> float | None:
        """How much has been made anew, from 0 to 1; None when all has."""
        return None if self._state.is_whole else self._state.done

    async def open(self) -> None:
        """Find out where it stands.  Raises StoreUnavailable."""
        await asyncio.to_thread(tokens, "я")  # what is a letter takes 0.05 s to find out, and the loop is not to wait
        note = await self._store.note(note_names.INDEX)
        state = None if note is None else _decode(note)
        if state is not None and state.made_by == self._made_by:
            self._state = state
        if self._state.cursor is None and not self._state.is_whole:
            await self._write(await self._page())  # a new store has nothing to do

    def hear(self, note: str | None) -> None:
        """Take note of how far another node is that makes it anew; what makes other words there says nothing here."""
        if note is not None and (state := _decode(note)).made_by == self._made_by:
            self._state = state

    async def run(self) -> None:
        """Work until all is done, or until cancelled."""
        await self._look()
        began = self._state
        while not self._state.is_whole:
            if began is self._state:
                _log.info("The index is made anew", done=began.done)
            try:
                await self._write(await self._page())
            except StoreUnavailable as error:
                await self._wait(error)
            await self._sleep(PAUSE_SECONDS)
        if began is not self._state:
            _log.info("The index is whole")

    async def _look(self) -> None:
        """Find out where it stands, as long as that takes: another node may have gone on with it."""
        while True:
            try:
                return await self.open()
            except StoreUnavailable as error:
                await self._wait(error)

    async def _wait(self, error: StoreUnavailable) -> None:
        _log.warning("The index waits for the store", error=error.message)
        await self._sleep(RETRY_SECONDS)

    async def _page(self) -> CopyPage:
        return await self._store.copied(cursor=self._state.cursor, limit=PAGE, bytes_max=PAGE_BYTES_MAX)

    async def _write(self, page: CopyPage) -> None:
        read = [await aside(copy.size, anew, self._sources[copy.record.source], copy) for copy in page.copies]
        state = _State(self._made_by, page.next_cursor, page.done if page.next_cursor is not None else 1.0)
        await self._store.index(read, note=(note_names.INDEX, msgspec.json.encode(state).decode()))
        self._state = state


def elsewhere(note: str | None) -> str | None:
    """Give what another engine can make of the note: a cursor is understood by its own engine alone."""
    return note if note is not None and _decode(note).is_whole else None


def made_by(config: Config) -> str:
    """Name what makes title and words of a record: the code, and the settings that choose its columns and its body."""
    chosen = [one for one in config.supabase.tables if one.title is not None or one.index is not None]
    tables = [(one.schema, one.name, one.title, one.index) for one in chosen]
    asked = [one for one in config.notion.databases if one.index is not None or one.content]
    databases = [(one.id, one.index, one.content) for one in asked]
    settings = msgspec.json.encode((sorted(tables), sorted(databases)))
    return f"{WORDS}:{blake2b(settings, digest_size=8).hexdigest()}"
