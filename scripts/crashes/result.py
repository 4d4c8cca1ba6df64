"""What a crash test is asked for, and what it found.  It does nothing."""

from __future__ import annotations

import msgspec

KILL = "kill"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to do, and how much of it."""

    seed: int
    nodes: int = 1
    """More than one share a Postgres."""
    kills: int = 60
    rounds: int | None = None
    """End after so many blows."""
    blows: tuple[str, ...] = ()
    """Only these kinds of them; all without any."""
    seconds: float = 180.0
    load_seconds: float = 1.0
    """The longest load before a blow."""
    power_loss: bool = False
    """Whether each death takes with it what was written and not synced."""
    never_sync: bool = False
    """Whether the service does not sync, so that the test can be seen to find out."""


class Result(msgspec.Struct, kw_only=True):
    """What was done, and what became of it."""

    seed: int
    blows: dict[str, int] = {}
    kills: int = 0
    acknowledged: int = 0
    duplicates: int = 0
    refused: dict[str, int] = {}
    """Answers other than 202 by status; each was sent again."""
    taken: int = 0
    """Changes that the service took from an outbox and said to have stored."""
    lost: int = 0
    """Of both, what is not there."""
    only_counted: int = 0
    """Acknowledged events that retention may have removed before the look: for them stands the counter alone."""
    removed: int = 0
    """Rows that retention removed."""
    broken: list[str] = []
    """What was half-stored, did not balance or did not converge."""
    forgotten_writes: int = 0
    """Writes without a sync that the losses of power took away."""
    fenced: int = 0
    """Settlements that came after their lease had been taken over."""
    events_with_effect: int = 0
    applied_twice: int = 0
    """Calls of a handler for an event that it was called for before: at least once is what is promised."""
    told: int = 0
    """Changes that the consumers of the feed and the destination were told."""
    messages: int = 0
    """Messages that came to the destination."""
    messages_not_taken: int = 0
    """Those of them that it refused, let wait or took without saying so."""
    slowest_catch_up_seconds: float = 0.0
    """From when every event was applied until whoever follows the feed had what the copies have."""
    audits: int = 0
    """Snapshots of a cluster's Postgres that were looked through while everything went on."""
    backends_ended: int = 0
    deadlocks: int = 0
    errors: dict[str, int] = {}
    """What the log of Postgres says went wrong."""
    slowest_takeover_seconds: float = 0.0
    """From the death of an elected node until all that it led was led by others."""
    slowest_start_seconds: float = 0.0
    slowest_drain_seconds: float = 0.0
    slowest_recovery_seconds: float = 0.0
    """From exec until every event was applied and copy and sources were equal, after a kill."""
    seconds: float = 0.0
    failure: str = ""

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not (self.lost or self.broken or self.failure)

    def insist(self, kinds: tuple[str, ...]) -> None:
        """Refuse to call a run a success that tested nothing: without a kill, or without anything to lose."""
        if self.failure:
            return
        if not self.kills and any(kind.startswith(KILL) for kind in kinds):
            self.failure = "nobody was killed: nothing was tested (give it more --kills or --seconds)"
        elif not self.acknowledged:
            self.failure = "nothing was acknowledged: there was nothing to lose"
