"""The verification token that Notion's handshake brings: kept durably, confirmed by the operator or forgotten.

Invariants: the first token stays until an operator forgets it, and a later handshake with another one is refused; until
the operator confirms it, by a word or in the environment, nobody knows that it was Notion who sent it, so when and from
where it came is kept with it.  What is said of it at the same time counts in the order in which it was said.  Other
nodes write the note in the store as well, and it is what counts: whoever acts on it, or refuses because of it, looks.
Which body is a handshake, and whose signature is right, is decided in ``sources/notion/signature.py``.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from hookbridge.clock import Clock, time_of
from hookbridge.errors import HandshakeRefused, NotFound
from hookbridge.observe.redaction import hide_learnt
from hookbridge.store import note_names
from hookbridge.store.contract import Notes

LOOK_SECONDS = 1.0
"""A stranger's signature is no reason to ask the store more often than this."""

_log = structlog.get_logger(__name__)


class Learnt(msgspec.Struct, frozen=True, kw_only=True):
    """A token with where it is from."""

    token: str
    at: float | None = None
    """When it came, in epoch seconds; None for one that an earlier version kept."""
    peer: str | None = None
    """The address that it came from."""
    confirmed: bool = False


class Learner(Protocol):
    """Who checks signatures with the token."""

    def learn(self, token: str) -> None:
        """Use it from now on."""
        ...

    def forget(self) -> None:
        """Use it no longer."""
        ...


async def learnt(notes: Notes) -> Learnt | None:
    """Give the token that an earlier start kept."""
    return _read(await notes.note(note_names.NOTION_TOKEN))


def _read(kept: str | None) -> Learnt | None:
    if kept is None:
        return None
    if not kept.startswith("{"):
        # As versions before the confirmation wrote it: it has been in use since.
        return Learnt(token=kept, confirmed=True)
    return msgspec.json.decode(kept, type=Learnt)


class Handshake:
    """The token of one service."""

    def __init__(
        self,
        notes: Notes,
        notion: Learner,
        learnt: Learnt | None,
        configured: tuple[str, ...],
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``configured`` are the tokens of the environment."""
        self._notes = notes
        self._notion = notion
        self._configured = configured
        self._clock = clock
        self._monotonic = monotonic
        self._one_at_a_time = asyncio.Lock()
        self._looked_at = -math.inf  # for a stranger
        self.learnt = learnt
        """What a handshake brought; None before the first."""
        self.noted = None if learnt is None else _written(learnt)
        """How that stands in the store, as far as this node knows."""
        if learnt is not None:
            hide_learnt(learnt.token)

    @property
    def unconfirmed(self) -> Learnt | None:
        """What was learnt and nobody has confirmed yet; what the environment names needs no other word."""
        known = self.learnt
        return None if known is None or known.confirmed or known.token in self._configured else known

    async def accept(self, token: str, peer: str | None) -> None:
        """Keep the first one durably; the same one again, or one of the environment, changes nothing.

        Raises HandshakeRefused when another one is known, StoreUnavailable.
        """
        if token in self._configured:
            return
        async with self._one_at_a_time:
            new = Learnt(token=token, at=self._clock(), peer=peer)
            if not await self._notes.put_note(note_names.NOTION_TOKEN, _written(new), only_if_absent=True):
                await self._look()
                if self.learnt is not None and self.learnt.token == token:
                    return
                message = "A verification token is known already"
                raise HandshakeRefused(message, hint="DELETE /api/v1/notion/verification-token forgets it")
            self._take(new, _written(new))
        _log.warning(
            "Notion sent a verification token: show it with python -m hookbridge notion-token, paste it into the"
            " integration's webhook form, and confirm it with --confirm",
            remote=peer,
        )

    async def confirm(self) -> None:
        """Note that it is the one that Notion's form took.  Raises NotFound without one, StoreUnavailable."""
        async with self._one_at_a_time:
            while True:
                await self._look()
                if self.learnt is None or self.noted is None:
                    raise NotFound(
                        "No verification token was received yet", hint="make a webhook subscription in Notion"
                    )
                confirmed = msgspec.structs.replace(self.learnt, confirmed=True)
                written = _written(confirmed)
                # Another node may have forgotten it meanwhile, and taken another one: that is not confirmed by this.
                if await self._notes.replace_note(note_names.NOTION_TOKEN, written, instead_of=self.noted):
                    return self._take(confirmed, written)

    async def forget(self) -> None:
        """Forget it, so that a new subscription can present its own.  Raises StoreUnavailable."""
        async with self._one_at_a_time:
            await self._notes.put_note(note_names.NOTION_TOKEN, None)
            self._take(None, None)

    async def look(self) -> None:
        """Take up what is noted now.  Raises StoreUnavailable."""
        async with self._one_at_a_time:
            await self._look()

    async def look_again(self) -> bool:
        """Before something is refused because of the token: say whether another one counts now.

        It asks once a second at most.  Raises StoreUnavailable.
        """
        before = self.learnt
        async with self._one_at_a_time:
            if self._monotonic() - self._looked_at >= LOOK_SECONDS:
                self._looked_at = self._monotonic()
                await self._look()
        return self.learnt != before

    async def _look(self) -> None:
        noted = await self._notes.note(note_names.NOTION_TOKEN)
        self._take(_read(noted), noted)

    def _take(self, known: Learnt | None, noted: str | None) -> None:
        before, self.learnt, self.noted = self.learnt, known, noted
        if known is None:
            self._notion.forget()
        elif before is None or before.token != known.token:
            hide_learnt(known.token)
            self._notion.learn(known.token)


def _written(value: Learnt) -> str:
    return msgspec.json.encode(value).decode()


def warnings_about(unconfirmed: Learnt | None) -> tuple[str, ...]:
    """Say to operators when and from where a token came that nobody has confirmed."""
    if unconfirmed is None:
        return ()
    came = time_of(unconfirmed.at or 0.0).isoformat(timespec="seconds")
    said = f"Notion's verification token was learnt at {came} from {unconfirmed.peer}, and nobody has confirmed it."
    todo = "Compare it with Notion's form (notion-token), then confirm it (--confirm) or forget it (--forget)."
    return (f"{said} {todo}",)
