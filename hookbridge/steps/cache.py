"""``cache_invalidation``: the new copy, and the keys of the user's own cache that the change made stale.

The built-in copy is written at the settle; external keys are deleted here, before it, at least once, and again when it
is written (``pipeline/stale.py``): until then whoever misses a key may fill it from the copy as it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Protocol

import msgspec

from hookbridge.model import Change, Columns, Copy, Effects, RecordKey, SourceName, Verification
from hookbridge.sources import carrying, kept
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.large import aside
from hookbridge.sources.source import Source, Tickets
from hookbridge.steps.step import bytes_of

_encode = msgspec.json.Encoder(decimal_format="number").encode


class ExternalCache(Protocol):
    """The user's own cache."""

    def listens(self, source: SourceName, table: str) -> bool:
        """Whether keys belong to the table's records."""
        ...

    def keys(self, change: Change, versions: Sequence[Columns]) -> list[str]:
        """Make the keys of the change from the configured templates, for each version of the record."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete keys.  Raises CacheUnavailable."""
        ...


class Cache:
    """The step for one source."""

    name = "cache_invalidation"

    def __init__(
        self,
        source: Source,
        tickets: Tickets,
        external: ExternalCache | None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._tickets = tickets
        self._external = external
        self._clock = clock

    async def __call__(self, change: Change, so_far: Effects) -> Effects:
        """Add the copy.  Raises CacheUnavailable."""
        if self._external is not None and (names := self._names(self._external, change, so_far)):
            keys = await aside(bytes_of(change), self._stale_keys, self._external, names, change, so_far)
            if keys:
                await self._external.delete(keys)
            so_far = msgspec.structs.replace(so_far, stale_keys=keys)
        if so_far.truth is None and so_far.verification is Verification.SUPERSEDED:
            return so_far  # nothing was read, and the copy is of a later event
        data = None
        if so_far.truth is None and so_far.columns is not None:
            data = await aside(bytes_of(change), _encode, so_far.columns)
        copy = await self._copy(change, so_far, data)
        return msgspec.structs.replace(so_far, copy=copy, exclusive=self._source.ids_are_global)

    def _names(self, external: ExternalCache, change: Change, so_far: Effects) -> list[RecordKey]:
        """Give the record's names in the tables to which keys belong: where it was, and where it lies."""
        names = [change.record, *(seen.record for seen in (change.copy, so_far.truth) if seen is not None)]
        return [name for name in dict.fromkeys(names) if external.listens(name.source, name.table)]

    def _stale_keys(
        self, external: ExternalCache, names: Sequence[RecordKey], change: Change, so_far: Effects
    ) -> tuple[str, ...]:
        """Give the keys of every version of the record that anybody may have seen, under each of its names."""
        versions = self._versions(change, so_far)
        changes = (msgspec.structs.replace(change, record=name) for name in names)
        keys = chain.from_iterable(external.keys(named, versions) for named in changes)
        return tuple(dict.fromkeys(keys))

    def _versions(self, change: Change, so_far: Effects) -> list[Columns]:
        """Give what copy, events and truth show, in this order.  Only a webhook knows what it was between the two."""
        previous = change.copy
        versions = [decode_columns(previous.data)] if previous and previous.data else []
        for stored in change.events:
            carried = carrying.carried(stored.event)
            if carried is None:
                versions += self._source.versions_of(stored.event)
            elif (columns := self._source.truth_columns(carried)) is not None:
                versions.append(columns)
        return versions if so_far.columns is None else [*versions, so_far.columns]

    async def _copy(self, change: Change, so_far: Effects, claimed: bytes | None) -> Copy:
        truth = so_far.truth
        if truth is not None:
            return kept.copy_of(self._source, truth, so_far.columns, self._clock(), under=truth.also_gone)
        columns = so_far.columns
        # Without the source, an event that is no deletion and carries no data leaves us knowing nothing: such a copy
        # is not "gone" but "unverified and empty", and the next read asks the source.
        return Copy(
            record=change.record,
            data=claimed,
            changed_at=None if columns is None else self._source.changed_at(change.record, columns),
            ticket=await self._tickets(),
            read_at=self._clock(),
            occurred_at=so_far.occurred_at,
            verified=so_far.verification is not Verification.SKIPPED,
            title=kept.title_of(self._source, change.record, columns),
        )
