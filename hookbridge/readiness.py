"""Whether webhooks can be taken now, and what an operator should know.

It asks the parts and changes nothing but a note in the store: only a commit shows that the inbox can be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hookbridge.api.alerts import AlertsState
from hookbridge.api.health import StuckHandler
from hookbridge.clock import Clock
from hookbridge.config import Settings
from hookbridge.errors import StoreUnavailable
from hookbridge.model import ROLES, Fault, SourceName
from hookbridge.settings.hosts import is_loopback
from hookbridge.sources.source import Source
from hookbridge.store.contract import Store

WRITABLE_SECONDS = 2.0
"""How long the answer to "can the inbox be written?" is good for: asking costs a commit."""

AHEAD_SECONDS = 60.0
"""A clock that is set back by less is not told: it is what keeping time does."""


class WritableInbox:
    """Says whether the inbox can be written, and remembers the answer for a moment."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known_until = 0.0
        self._problem: Fault | None = None

    async def problem(self) -> Fault | None:
        """Ask the store, unless it was just asked, and say why it cannot be written; None where it can."""
        if self._clock() >= self._known_until:
            try:
                await self._store.check_writable()
                self._problem = None
            except StoreUnavailable as error:
                self._problem = problem_of(error)
            self._known_until = self._clock() + WRITABLE_SECONDS
        return self._problem or self._store.fault


def problem_of(error: StoreUnavailable) -> Fault:
    """Say why a store does not take anything."""
    return Fault(reason=error.message, remedy=error.hint or "look at the log")


def warnings_of(settings: Settings, sources: Mapping[SourceName, Source]) -> tuple[str, ...]:
    """Say what an operator should change, loudest first."""
    config = settings.config
    warnings = []
    if not config.signatures.verify and not is_loopback(config.server.host):
        warnings.append(
            f"Signatures are not verified and the service listens on {config.server.host}:"
            " anyone who reaches it can send events. Set VERIFY_WEBHOOK_SIGNATURES=true and WEBHOOK_SECRET."
        )
    missing = [role for role in ROLES if role not in config.node.roles]
    if missing and not settings.store_url:
        warnings.append(
            f"[node] roles lacks {' and '.join(missing)}, and no other node can have this data file:"
            " give it all roles, or its nodes a store that they share ([store] url)."
        )
    if config.supabase.pulled and not (settings.secrets.supabase_db_url or sources["supabase"].has_credentials):
        warnings.append(
            f"{', '.join(config.supabase.pulled)}: nothing is taken from the outbox of a table with pull = true."
            " Set SUPABASE_URL and SUPABASE_KEY, or SUPABASE_DB_URL."
        )
    warnings += [source.credential_warning for source in sources.values() if source.credential_warning]
    return tuple(warnings)


def warnings_of_clock(ahead_seconds: float) -> tuple[str, ...]:
    """Say that our clock, which never goes back and may be the store's, is ahead of the machine's by so much."""
    if ahead_seconds > AHEAD_SECONDS:
        said = f"The service's clock is {ahead_seconds:.0f} s ahead of the machine's, which was set back or is behind"
        return (f"{said} the store's server. Restart the service when the machine's clock is right.",)
    if ahead_seconds < -AHEAD_SECONDS:
        said = f"The machine's clock is {-ahead_seconds:.0f} s ahead of the store's server, by which the service goes."
        return (f"{said} Set it right: the times in signatures are compared with it.",)
    return ()


def warnings_of_stuck(stuck: Sequence[StuckHandler]) -> tuple[str, ...]:
    """Say which handlers do not end, and what becomes of that."""
    return tuple(
        f"{one.workers} worker{' waits' if one.workers == 1 else 's wait'} for {one.handler}, which does not end"
        " although its time is up: restart to have their records tried again, and let CancelledError through in it."
        for one in stuck
    )


def warnings_of_alerts(alerts: AlertsState | None) -> tuple[str, ...]:
    """Say that people cannot be told of trouble, which is no trouble to tell them of."""
    if alerts is None:
        return ()
    warnings = []
    if alerts.failures:
        warnings.append(
            f"An alert does not reach anybody: {alerts.url}: {alerts.reason}. It is tried again and again;"
            " correct HOOKBRIDGE_ALERTS__URL if it is wrong, and try it with: alerts test."
        )
    if alerts.beat is not None and alerts.beat.reason is not None:
        warnings.append(f"A beat was not taken: {alerts.beat.url}: {alerts.beat.reason}.")
    return tuple(warnings)
