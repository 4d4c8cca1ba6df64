"""A lane's health: whether it works, whom it waits for and until when, and whose fault it is.

A pure state machine.  Whatever happens, with the time at which it does, gives the next state; that says what to do:
work or not (``works``), probe in so many seconds (``probe_gap``); and ``failed`` says what becomes of an event.
Invariants: no record is suspected while none comes through; only an operator ends an operator's pause; a lane that
drains never begins to work again.  In memory, and bounded.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from hookbridge.api.lanes import State
from hookbridge.errors import asked_seconds, hint_of
from hookbridge.model import Claim, RecordKey
from hookbridge.pipeline.retry import Case, Fate, Kind, fate_of, rule_of
from hookbridge.pipeline.waits import Waits

FIRST_PROBE_SECONDS = 1.0

STRUCK_RECORDS_MAX = 1_000
"""So many records are under suspicion at once; then all are forgiven."""

FRUITLESS_MAX = 1
"""After so many stops without a change in between, what others are answered ends a lane's wait no longer."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """That of one lane; times are in seconds since 1970."""

    probe_max_seconds: float
    """The longest gap between two probes."""
    state: State = "running"
    drains: bool = False
    stands_by: bool = False
    """Whether another node works on the source's records, because only one may."""
    reason: str | None = None
    """Why it does not run."""
    hint: str = ""
    """What to do about it."""
    since: float | None = None
    """Since when it does not run."""
    kind: Kind | None = None
    """Whom it waits for; None while it runs, and while an operator has it."""
    probe_gap: float | None = None
    """How long after the stop, or after the last probe, the next one is due; None where nobody is asked."""
    next_probe_at: float | None = None
    fruitless: int = 0
    """How often it stopped without a change that came through before."""
    came_through: bool = False
    """Whether a change was settled since it last began to run."""
    strikes: Mapping[str, int] = {}
    """How often a record has stopped it while others came through."""
    waits: Waits = Waits()
    """The tables that cannot be read, while others can."""

    @property
    def works(self) -> bool:
        """Whether records are claimed and worked on."""
        return self.state == "running" and not self.drains and not self.stands_by

    # What a change meets

    def settled(self, record: RecordKey) -> Health:
        """A change of this record came through."""
        is_struck = bool(self.strikes) and str(record) in self.strikes
        if self.came_through and not self.fruitless and not is_struck:
            return self  # nearly every change goes this way: nothing is made
        strikes = {name: count for name, count in self.strikes.items() if name != str(record)}
        return replace(self, came_through=True, fruitless=0, strikes=strikes)

    def failed(self, claim: Claim, error: Exception, now: float, *, listed: bool) -> tuple[Health, Fate]:
        """The last attempt at a change failed; gives also what becomes of it.

        ``listed`` says whether a configuration lists its table.
        """
        table, name = claim.record.table, str(claim.record)
        waits = self.waits
        if rule_of(error).kind is Kind.TABLE:
            waits = waits.failed(table, error, now, listed=listed)
        case = Case(
            strikes=self.strikes.get(name, 0),
            listed=listed,
            table_waits=table in waits.tables,
            waited_seconds=waits.waited_seconds(table, claim.since, now),
        )
        after = self if waits is self.waits else replace(self, waits=waits)
        fate = fate_of(error, case)
        if fate is Fate.LANE_STOPS:
            after = after._struck(name).stopped(error, now)  # noqa: SLF001  its own
        return after, fate

    def _struck(self, name: str) -> Health:
        strikes = {} if len(self.strikes) >= STRUCK_RECORDS_MAX else self.strikes
        if self.came_through:
            # Only then: a source may answer its probe and nothing else (an exhausted pool does), and whoever is tried
            # first would be at fault for it.
            strikes = {**strikes, name: strikes.get(name, 0) + 1}
        return replace(self, strikes=strikes)

    def read(self, table: str) -> Health:
        """A record of this table was read: nothing waits for it any more."""
        return replace(self, waits=self.waits.read(table)) if table in self.waits.tables else self

    # Stop, probe, go on

    def stopped(self, error: Exception, now: float) -> Health:
        """Something was met that concerns every record; one that does not run has stopped before."""
        if self.state != "running":
            return self
        kind = rule_of(error).kind
        # While nothing comes through in between, each stop waits longer before its first probe, up to the cap.
        own = min(FIRST_PROBE_SECONDS * 2 ** min(self.fruitless, 30), self.probe_max_seconds)
        gap = max(asked_seconds(error), own)
        return replace(
            self,
            state="refused" if kind is Kind.KEY else "down",
            reason=str(error),
            hint=hint_of(error),
            since=now,
            kind=kind,
            probe_gap=gap,
            next_probe_at=now + gap,
            fruitless=self.fruitless + 1,
        )

    def unanswered(self, error: Exception, now: float) -> Health:
        """A probe was in vain: the next gap is twice as long, up to the cap."""
        if self.probe_gap is None:
            return self
        gap = min(max(self.probe_gap, FIRST_PROBE_SECONDS) * 2, self.probe_max_seconds)
        # A source that is down again and again is no fault of the records that met it: nobody is suspected.
        return replace(self, reason=str(error), probe_gap=gap, next_probe_at=now + gap, strikes={})

    def answered(self) -> Health:
        """A probe was answered."""
        return self if self.probe_gap is None else self._begun()

    def answered_another(self, asked_at: float) -> Health:
        """The source answered what somebody else (a pass, a read-through) asked at that time.

        Where going on because of that has been in vain before, it answers other questions than the lane's.
        """
        stopped_before = self.since is not None and self.since <= asked_at
        hears = self.kind in (Kind.SOURCE, Kind.KEY) and self.fruitless <= FRUITLESS_MAX
        return self._begun() if hears and stopped_before else self

    def paused(self, reason: str, now: float) -> Health:
        """An operator has a word, whatever the lane waits for."""
        return replace(self, state="paused", reason=reason, since=now, kind=None, probe_gap=None, next_probe_at=None)

    def resumed(self) -> Health:
        """An operator lets it go on; what it waits for by itself is not his."""
        return self._begun() if self.state == "paused" else self

    def standing_by(self) -> Health:
        """Another node has the duty, or may have it."""
        return replace(self, stands_by=True)

    def on_duty(self) -> Health:
        """The duty is this node's."""
        return replace(self, stands_by=False)

    def draining(self) -> Health:
        """The process ends: nothing is begun any more."""
        return replace(self, drains=True)

    def _begun(self) -> Health:
        if self.drains:
            return self
        return replace(
            self,
            state="running",
            reason=None,
            since=None,
            kind=None,
            probe_gap=None,
            next_probe_at=None,
            came_through=False,
        )
