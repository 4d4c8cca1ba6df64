"""The verification token that Notion's handshake brings: kept durably, shown to the operator, forgotten on request.

Invariant: the first token stays until an operator forgets it; a later handshake is refused.  Which body is a handshake
is decided in ``sources/notion/handshake.py``, whose signature is right in ``sources/notion/signature.py``.
"""

from __future__ import annotations

from typing import Protocol

import structlog

from hookbridge.errors import HandshakeRefused
from hookbridge.observe.logs import hide_learnt
from hookbridge.store.contract import Notes

NOTE = "notion-verification-token"

_log = structlog.get_logger(__name__)


class Learner(Protocol):
    """Who checks signatures with the token."""

    def learn(self, token: str) -> None:
        """Use it from now on."""
        ...

    def forget(self) -> None:
        """Use it no longer."""
        ...


async def learnt(notes: Notes) -> str | None:
    """Give the token that an earlier start kept."""
    return await notes.note(NOTE)


class Handshake:
    """The token of one service."""

    def __init__(self, notes: Notes, notion: Learner, token: str | None) -> None:
        self._notes = notes
        self._notion = notion
        self.token = token
        """The one that a handshake brought; None before the first."""
        hide_learnt(token or "")

    async def accept(self, token: str) -> None:
        """Keep the first one durably.  Raises HandshakeRefused when one is known, StoreUnavailable."""
        if self.token is not None or not await self._notes.put_note(NOTE, token, only_if_absent=True):
            message = "A verification token is known already"
            raise HandshakeRefused(message, hint="DELETE /api/v1/notion/verification-token forgets it")
        self.token = token
        hide_learnt(token)
        self._notion.learn(token)
        _log.warning(
            "Notion sent a verification token: show it with GET /api/v1/notion/verification-token"
            " and paste it into the integration's webhook form"
        )

    async def forget(self) -> None:
        """Forget it, so that a new subscription can present its own.  Raises StoreUnavailable."""
        await self._notes.put_note(NOTE, None)
        self.token = None
        self._notion.forget()
