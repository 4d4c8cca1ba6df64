"""Why a lane is held: an operator's word, or a token of Notion's that nobody has confirmed.

Invariants: a lane is held while one of the two is there, and ends being held with the last; an operator's word outlives
restarts, holds the lane on every node, and is the one that is told.  What is noted in the store counts.  Why a lane
stops by itself is decided in ``pipeline/health.py``, which token is kept in ``handshake.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hookbridge.errors import StoreUnavailable
from hookbridge.handshake import Handshake
from hookbridge.model import SourceName
from hookbridge.pipeline.lanes import Lane
from hookbridge.store import note_names
from hookbridge.store.contract import Notes

RETRY_SECONDS = 1.0

BY_AN_OPERATOR = "paused by an operator"
UNCONFIRMED = "Notion's verification token is not confirmed: python -m hookbridge notion-token --confirm"
"""Why the lane is held that would believe whoever sent the token."""


class Holds:
    """What holds the lanes of one service.  Whatever changes a reason goes through here."""

    def __init__(
        self, notes: Notes, lanes: Mapping[SourceName, Lane], handshake: Handshake, *, signed_is_believed: bool
    ) -> None:
        """``signed_is_believed`` where Notion's signature is all there is: it is verified, and no page can be read."""
        self._notes = notes
        self._lanes = lanes
        self._handshake = handshake
        self._signed_is_believed = signed_is_believed
        self._by_operator: dict[SourceName, str] = {}
        """The lanes that an operator holds, with the reason."""
        self._one_at_a_time = asyncio.Lock()
        self._stale = asyncio.Event()

    @property
    def notes(self) -> tuple[str, ...]:
        """The names of the notes that other nodes may write."""
        return (note_names.NOTION_TOKEN, *map(note_names.paused, self._lanes))

    def hear(self, notes: Mapping[str, str]) -> None:
        """Take note of what is noted, as of a moment ago: where that is not what this node knows, it is looked up.

        Not where it is not what was heard the last time: between the two more than one word may have been said.
        """
        known = {note_names.paused(source): reason for source, reason in self._by_operator.items()}
        if self._handshake.noted is not None:
            known[note_names.NOTION_TOKEN] = self._handshake.noted
        if {name: notes[name] for name in self.notes if name in notes} != known:
            self._stale.set()

    async def run(self) -> None:
        """Take up what was heard, until cancelled."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            try:
                await self.look()
            except StoreUnavailable:  # which is told elsewhere; what was heard is not done before it is looked up
                self._stale.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def open(self) -> None:
        """Hold what was held before a restart.  Raises StoreUnavailable."""
        for source in self._lanes:
            await self._take_up(source, unless=None)

    async def look(self) -> None:
        """Take up what was said to any node since.  Raises StoreUnavailable."""
        before = {source: self._reason(source) for source in self._lanes}
        await self._handshake.look()
        for source in self._lanes:
            await self._take_up(source, unless=before[source])

    async def _take_up(self, source: SourceName, *, unless: str | None) -> None:
        """Do as the note says, where that is something else than what is done."""
        # Between the look and what is done for it, nobody may say another word here.
        async with self._one_at_a_time:
            if reason := await self._notes.note(note_names.paused(source)):
                self._by_operator[source] = reason
            else:
                self._by_operator.pop(source, None)
            if self._reason(source) != unless:
                await self._hold_or_go(source)

    async def pause(self, source: SourceName) -> None:
        """Hold a lane on every node until ``resume``, restarts included.  Raises StoreUnavailable."""
        async with self._one_at_a_time:
            await self._notes.put_note(note_names.paused(source), BY_AN_OPERATOR)
            self._by_operator[source] = BY_AN_OPERATOR
            await self._hold_or_go(source)

    async def resume(self, source: SourceName) -> None:
        """Let a paused lane go on, unless something else holds it.  Raises StoreUnavailable."""
        async with self._one_at_a_time:
            await self._notes.put_note(note_names.paused(source), None)
            self._by_operator.pop(source, None)
            await self._hold_or_go(source)

    async def take_token(self, token: str, peer: str | None) -> None:
        """Keep the token that a handshake brought from this address.  Raises HandshakeRefused, StoreUnavailable."""
        await self._handshake.accept(token, peer)
        await self._hold_or_go("notion")

    async def look_for_token(self) -> bool:
        """Say, before anything of Notion's is refused, whether another token counts now.  Raises StoreUnavailable."""
        is_another = await self._handshake.look_again()
        if is_another:
            await self._hold_or_go("notion")
        return is_another

    async def look_at_token(self) -> None:
        """Take up which token any node has learnt by now.  Raises StoreUnavailable."""
        await self._handshake.look()
        await self._hold_or_go("notion")

    async def confirm_token(self) -> None:
        """Believe the token that was learnt.  Raises NotFound, StoreUnavailable."""
        await self._handshake.confirm()
        await self._hold_or_go("notion")

    async def forget_token(self) -> None:
        """Forget the token that was learnt.  Raises StoreUnavailable."""
        await self._handshake.forget()
        await self._hold_or_go("notion")

    async def _hold_or_go(self, source: SourceName) -> None:
        lane, reason = self._lanes[source], self._reason(source)
        if reason is None:
            lane.resume()
        elif (state := lane.state()).state != "paused" or state.reason != reason:
            await lane.pause(reason)

    def _reason(self, source: SourceName) -> str | None:
        if reason := self._by_operator.get(source):
            return reason
        # What an unconfirmed token signs does no harm where pages can be read: then it is a hint like any other.
        waits = source == "notion" and self._signed_is_believed and self._handshake.unconfirmed is not None
        return UNCONFIRMED if waits else None
