"""A reader of the feed over the API: what comes behind its place, as messages to a destination would tell it.

Invariant: its place moves on only behind what whoever asked has dealt with, so nothing is missed, whatever fails in
between.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus

import msgspec

from hookbridge.api.changes import ChangesAnswer, SnapshotEnd
from hookbridge.api.destinations import SnapshotBegin
from hookbridge.cli.api import Api, Refused
from hookbridge.cli.change_line import NAMES, Told
from hookbridge.cli.command import note
from hookbridge.destinations.message import Draft
from hookbridge.feed import Place

PATH = "/api/v1/changes"

WAIT_SECONDS = 5.0
"""So long the service holds an answer when nothing has changed: after that it is looked whether anybody reads on."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of the feed, and in which pieces."""

    source: str | None
    table: str | None
    type: str | None
    include: str
    batch: int
    batch_bytes: int
    snapshot_if_gone: bool

    def has(self, entry: Told) -> bool:
        """Whether this is one of the changes that are wanted."""
        return self.type in {None, NAMES[type(entry)]}


class Piece(msgspec.Struct, frozen=True):
    """What one message tells."""

    place: Place
    """Before it."""
    told: tuple[Told, ...]
    draft: Draft
    next: Place
    """Behind it."""

    def halves(self) -> tuple[Piece, Piece]:
        """Cut it in two, each a message of its own."""
        half = len(self.told) // 2
        first, second = self.draft.cut(half)
        last = self.told[half - 1]
        between = self.place if isinstance(last, SnapshotBegin) else self.place.at(last.seq)
        return Piece(self.place, self.told[:half], first, between), Piece(between, self.told[half:], second, self.next)


class Following:
    """A place in the feed, and what comes behind it."""

    def __init__(self, api: Api, wanted: Wanted) -> None:
        self._api = api
        self._wanted = wanted
        self.place: Place

    def begin(self, since: Place | int | None) -> None:
        """Begin at a place, or behind the change with a number: 0 is everything, None now.

        Raises NotRunning or Refused.
        """
        if isinstance(since, Place):
            self.place = since
            return
        now = self._parsed(self._api.held(PATH, ChangesAnswer, 0.0, since="now", include="").next)
        if since is not None:
            now = now.at(since) if since else now.beginning()
        self.place = now

    def look(self) -> Iterator[Piece]:
        """Give what is new; where that is nothing, it takes a while.  Raises NotRunning or Refused."""
        wanted = self._wanted
        which = {"source": wanted.source, "table": wanted.table, "include": wanted.include, "limit": wanted.batch}
        try:
            answer = self._api.held(PATH, ChangesAnswer, WAIT_SECONDS, since=str(self.place), **which)
        except Refused as error:
            if error.status != HTTPStatus.GONE:
                raise
            if not wanted.snapshot_if_gone:
                hint = "listen --since start, for everything anew; --snapshot-if-gone does that by itself"
                raise Refused(error.status, error.message, hint=hint, code=error.code) from None
            note(f"{error.message}: a snapshot follows")
            self.begin(0)
            return iter(())
        return self._pieces(answer)

    def _pieces(self, answer: ChangesAnswer) -> Iterator[Piece]:
        """Take an answer apart as messages are; the place moves on when the next one is asked for.

        Who has dealt with a part of one may have it moved so far himself.
        """
        draft, told = Draft(self._wanted.batch_bytes), list[Told]()
        if self.place.begins_snapshot:
            told.append(draft.begin_snapshot(self.place))
        for entry in answer.changes:
            if isinstance(entry, SnapshotEnd):
                draft.end_snapshot(entry)
            elif not self._wanted.has(entry):
                continue
            elif not draft.takes(entry):
                piece = Piece(self.place, tuple(told), draft, self.place.at(told[-1].seq))
                yield piece
                self.place = piece.next
                draft, told = Draft(self._wanted.batch_bytes), []
                draft.takes(entry)
            told.append(entry)
        piece = Piece(self.place, tuple(told), draft, self._parsed(answer.next))
        if told:
            yield piece
        self.place = piece.next

    def _parsed(self, next_: str) -> Place:
        try:
            return Place.parse(next_)
        except ValueError:
            raise self._api.of_another_version(HTTPStatus.OK, "a place of a form that is new") from None
