"""Messages to an app on this machine, signed and sent as a destination's are, until it takes each.

Invariant: nothing is sent before what comes before it was taken, and a message that is sent again has the same id.
Nothing is left out, whatever the app says of it.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator

from hookbridge.api.changes import DeleteEntry, UpsertEntry
from hookbridge.cli.change_line import NAMES, Forwarded
from hookbridge.cli.command import note
from hookbridge.cli.following import Piece
from hookbridge.cli.watching import wait
from hookbridge.config import Destination
from hookbridge.destinations.sender import Sender, Undelivered
from hookbridge.outgoing.calls import wait_seconds

GAP_SECONDS_MAX = 10.0
"""Between two attempts, unless the app asks for more: somebody works on it, and waits."""


class Unwanted(Exception):
    """The app answered 410: it wants nothing any more."""


class Forwarding:
    """The way to the app."""

    def __init__(self, to: Destination) -> None:
        self._to = to
        self._series = uuid.uuid4().hex
        """What is listened to twice is sent anew."""
        self.messages = 0
        """So many were taken."""

    def forward(self, piece: Piece) -> Iterator[tuple[Piece, Forwarded]]:
        """Have a message taken, however often it takes; gives it, or its parts as each was.  Raises Unwanted.

        Where what is in it is refused it is cut in halves, as a destination's is, down to the change: that one is
        tried until it is taken, because whoever listens is there to mend what refuses it.
        """
        waiting = [piece]
        while waiting:
            part = waiting.pop()
            taken = self._taken(part)
            if taken is None:
                waiting += reversed(part.halves())
            else:
                yield part, taken

    def _taken(self, piece: Piece) -> Forwarded | None:
        """Have it taken; None where it is to be cut.  Raises Unwanted."""
        body, message_id = piece.draft.body(str(piece.next)), piece.draft.id(self._series)
        failures = 0
        while True:
            began = time.monotonic()
            try:
                status = asyncio.run(self._post(body, message_id))
            except Undelivered as error:
                if error.about == "message" and len(piece.told) > 1:
                    note(f"{self._to.url}: {error.message}; {_waiting(piece)}, in halves", style="yellow")
                    return None
                failures += 1
                self._failed(error, failures, piece)
                continue
            if failures:
                note(f"{self._to.url} takes what is sent again", style="green")
            self.messages += 1
            return Forwarded(status=status, seconds=round(time.monotonic() - began, 4), message_id=message_id)

    async def _post(self, body: bytes, message_id: str) -> int:
        # A loop and a connection of its own: between two messages nobody would see that the app has closed one.
        async with Sender(self._to) as sender:
            return await sender.post(body, message_id)

    def _failed(self, error: Undelivered, failures: int, piece: Piece) -> None:
        """Say why it was not taken, and wait until it is tried again.  Raises Unwanted."""
        if error.state == "stopped":
            note(f"{self._to.url}: {error.message}; a destination stops then", style="red")
            raise Unwanted
        gap = max(min(wait_seconds(failures), GAP_SECONDS_MAX), error.retry_after_seconds)
        why = f"{error.message}{_hint(error, piece)}"
        note(f"{self._to.url}: {why}; {_waiting(piece)}, again {f'in {gap:g} s' if gap else 'at once'}", style="yellow")
        wait(gap)


def _hint(error: Undelivered, piece: Piece) -> str:
    """Say what a developer can do about it, where there is something."""
    if error.state == "refused":
        return " (has it the same secret?)"
    if error.about == "server" and len(piece.told) > 1:
        return " (for which of them? --batch 1 says it)"
    if error.about == "message" and piece.draft.number:
        return f" (to leave it out: --since {piece.next})"
    return ""


def _waiting(piece: Piece) -> str:
    """Say what was not taken."""
    changes = [one for one in piece.told if isinstance(one, UpsertEntry | DeleteEntry)]
    if not changes:
        return f"{' and '.join(NAMES[type(one)] for one in piece.told)} wait{'s' * (len(piece.told) == 1)}"
    first = changes[0]
    name = f"{NAMES[type(first)]} {first.source}:{first.table}:{first.id}"
    return f"{name} waits" if len(changes) == 1 else f"{len(changes)} changes wait, first {name}"
