"""The task that tells people, and what becomes of an alert that is not taken.

Invariants: what people are to be told is kept before it is sent, with the lead of the node that tells, and kept as sent
once it was taken: a restart or another node goes on with it, under the same id, and only what was sent and not kept as
such is sent twice.  At most one alert waits: a later one takes its place.  While the store cannot be reached, which
ends every duty, the node that told last goes on by what it remembers, or nobody would be told of that.  A failure to
tell is shown, and no part of the verdict.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from msgspec.structs import replace

from hookbridge.alerts import deciding, words
from hookbridge.alerts.beats import Beats, beat
from hookbridge.alerts.deciding import Told, Watch, decide, decided, is_healthy
from hookbridge.api.alerts import AlertMessage, AlertsState, AlertType
from hookbridge.api.health import Readiness
from hookbridge.clock import Clock, epoch_time
from hookbridge.config import Settings
from hookbridge.errors import HookbridgeError, LeadLost, StoreUnavailable
from hookbridge.outgoing import Caller, Unanswered, origin, wait_seconds
from hookbridge.settings.alerts import form_of, sent_to
from hookbridge.sources import signing
from hookbridge.store import note_names
from hookbridge.store.contract import Store
from hookbridge.store.nodes import Lead

LOOK_SECONDS = 5.0
"""The gap between two looks at the verdict, of which there are several while it has to hold."""
LOOKS = 3
FAULT_SECONDS = 300.0
"""After a mistake of ours it is looked again so much later: each one is logged."""
TIMEOUT_SECONDS = 10.0

_log = structlog.get_logger(__name__)


class Untold(HookbridgeError):
    """An alert was not taken."""

    def __init__(self, reason: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


async def _post(caller: Caller, settings: Settings, said: AlertMessage, id_: str) -> None:
    """Have an alert taken.  Raises Untold."""
    url, secret = settings.alerts_url, settings.secrets.alerts_secret
    form = form_of(url, settings.config.alerts.form)
    body = words.body(said, form)
    headers = signing.headers(secret, body, now=time.time(), message_id=id_) if secret else {"webhook-id": id_}
    try:
        answer = await caller.post(sent_to(url, form), body, headers)
    except Unanswered as error:
        raise Untold(error.message) from None
    if not answer.is_success:
        raise Untold(answer.reason, retry_after_seconds=answer.retry_after_seconds)


def _caller() -> Caller:
    return Caller(timeout_seconds=TIMEOUT_SECONDS, allow_private=True)


async def send_test(settings: Settings) -> tuple[str | None, str | None]:
    """Try both URLs now; gives of the alert and of the beat why it was not taken, None where it was or has no URL."""
    untold = missed = None
    async with _caller() as caller:
        if settings.alerts_url:
            try:
                await _post(caller, settings, words.trial(settings.node_name, time.time()), _new_id())
            except Untold as error:
                untold = error.message
    async with _caller() as caller:
        if settings.beat_url:
            missed = await beat(caller, settings.beat_url)
    return untold, missed


def _new_id() -> str:
    return f"msg_{uuid.uuid4().hex}"


class Alerts:
    """Telling people, on one node."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        seen: Callable[[], Awaitable[Readiness]],
        leads: Callable[[str], bool],
        stands_in: Callable[[], bool],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``leads``: whether this node has a duty, as far as it knows at this moment.

        ``stands_in`` says whether the store is away and this node is the one that told last.
        """
        self._settings = settings
        self._rules = settings.config.alerts
        self._store = store
        self._seen = seen
        self._leads = leads
        self._stands_in = stands_in
        self._clock = clock
        self._sleep = sleep
        self._lead: Lead | None = None
        self._watch = Watch(self._rules.hold_seconds)
        self._told: Told | None = None
        """None before it is known."""
        self._is_kept = True
        """Whether that is in the store, too."""
        url = settings.beat_url
        self._beats = Beats(url, self._rules.beat_seconds, self._is_healthy, clock, sleep) if url else None

    @property
    def is_wanted(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._settings.alerts_url or self._settings.beat_url)

    async def lead(self, lead: Lead) -> None:
        """Have the duty until cancelled: this node tells."""
        if self._is_kept:
            self._forget()  # another node may have told meanwhile
        self._lead = lead
        try:
            # Known at once: the store may be away at the first look, and whoever knows nothing tells nothing then.
            with suppress(StoreUnavailable):
                told = await self._recalled()
                self._told = told if self._told is None else self._told
            await asyncio.get_running_loop().create_future()
        finally:
            self._lead = None

    async def run(self) -> None:
        """Look, and tell what is to be told, until cancelled: on the node that has the duty."""
        async with asyncio.TaskGroup() as group:
            if self._beats is not None:
                group.create_task(self._beats.run(), name="beats")
            group.create_task(self._look_and_tell(), name="alerts")

    async def _look_and_tell(self) -> None:
        gap = min(LOOK_SECONDS, self._rules.hold_seconds / LOOKS)
        async with _caller() as caller:
            while True:
                await self._sleep(gap)
                try:
                    if self._is_ours():
                        await self._go_on(caller)
                    else:
                        self._forget()
                except LeadLost:
                    self._lead = None
                    self._forget()
                except StoreUnavailable as error:
                    _log.debug("Alerts wait for the store", error=error.message)
                except Exception as error:  # noqa: BLE001  it is logged as what it is; nothing else may end with it
                    _log.error("Telling people failed unexpectedly", exc_info=error)
                    await self._sleep(FAULT_SECONDS)

    def _is_ours(self) -> bool:
        """Whether this node tells; what it told while nobody had the duty, it also brings to its end."""
        if self._lead is not None:
            return True
        told = self._told
        if told is None:
            return False
        is_at_it = told.since is not None or told.waiting is not None
        return (is_at_it and not self._is_kept) or self._stands_in()

    def _forget(self) -> None:
        self._watch, self._told, self._is_kept = Watch(self._rules.hold_seconds), None, True

    def _is_healthy(self) -> bool:
        """Whether this node is the one that tells, and has nothing to tell."""
        return self._told is not None and is_healthy(self._told, self._watch, self._clock())

    async def _go_on(self, caller: Caller) -> None:
        """Look once.  Raises StoreUnavailable."""
        lead = self._lead
        seen = await self._seen()
        told = await self._recalled() if self._told is None else self._told
        # A node that stood still goes on here, when another one may have told something newer: it looks anew.
        if self._lead is not lead or not (lead is None or self._leads(lead.duty)):
            return
        self._told, now = told, self._clock()
        self._watch.look(seen.verdict.problems if seen.verdict else (), now)
        type_ = decide(told, self._watch, self._rules, now)
        if type_ is not None:
            told = self._say(told, type_, seen, now)
            await self._keep(told)
        elif not self._is_kept:
            await self._keep(told)
        if told.waiting is not None and (told.next_try_at is None or told.next_try_at <= now):
            await self._send(caller, told, told.waiting)

    async def _recalled(self) -> Told:
        """Give what people were told, as it is kept; nothing where only beats are wanted.  Raises StoreUnavailable."""
        text = await self._store.note(note_names.ALERTS) if self._settings.alerts_url else None
        return deciding.read(text, self._clock())

    def _say(self, told: Told, type_: AlertType, seen: Readiness, now: float) -> Told:
        nodes = [one.name for one in seen.cluster.nodes if not one.away] if seen.cluster else []
        before = replace(told, since=self._watch.began_at) if told.since is None else told
        watch, node = self._watch, self._settings.node_name
        until = watch.well_since
        what = words.message(type_, before, watch.problems, node=node, nodes=nodes, now=now, until=until)
        _log.info("People are told how it is", state=type_, reason=what.text)
        after = decided(told, what, _new_id(), self._watch, now)
        return after if self._settings.alerts_url else replace(after, waiting=None, id="")

    async def _send(self, caller: Caller, told: Told, what: AlertMessage) -> None:
        """Have what waits taken.  Raises LeadLost."""
        try:
            await _post(caller, self._settings, what, told.id)
        except Untold as error:
            wait = max(wait_seconds(told.failures + 1), error.retry_after_seconds)
            tell = _log.warning if not told.failures else _log.debug
            tell("An alert was not taken", url=origin(self._settings.alerts_url), reason=error.message)
            await self._keep(told.failed(error.message, self._clock() + wait))
        else:
            await self._keep(told.taken(self._clock()))

    async def _keep(self, told: Told) -> None:
        """Remember it, here and in the store, where that can be.  Raises LeadLost."""
        self._told, self._is_kept = told, not self._settings.alerts_url
        if self._lead is None or self._is_kept:
            return
        try:
            await self._store.put_note(note_names.ALERTS, deciding.written(told), lead=self._lead)
        except LeadLost:
            raise
        except StoreUnavailable as error:
            _log.debug("What people are told is not kept", error=error.message)
        else:
            self._is_kept = True

    async def state(self) -> AlertsState | None:
        """Say how it goes, whichever node tells; None where nobody is to be told.  Raises StoreUnavailable."""
        if not self.is_wanted:
            return None
        told = await self._recalled() if self._told is None else self._told
        url = self._settings.alerts_url
        return AlertsState(
            url=origin(url) if url else None,
            form=form_of(url, self._rules.form),
            told="healthy" if told.since is None else "unhealthy",
            since=epoch_time(told.since),
            sent=told.sent,
            sent_at=epoch_time(told.sent_at),
            waiting=told.waiting is not None,
            failures=told.failures,
            reason=told.reason or None,
            next_try_at=epoch_time(told.next_try_at),
            beat=None if self._beats is None or self._lead is None else self._beats.state(),
        )
