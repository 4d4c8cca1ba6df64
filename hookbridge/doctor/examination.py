"""The order of the checks, from this machine outwards.  It decides nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from hookbridge.config import Settings
from hookbridge.doctor import clock, machine, notion, pg_net, server, store, supabase
from hookbridge.doctor.finding import Findings
from hookbridge.settings.hosts import is_loopback, name_of
from hookbridge.web.hosts import names_of


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at."""

    settings: Settings
    server_url: str
    """Where the service should be."""
    server_expected: bool = False
    """Whether the user says that it is there; otherwise it may not have been started yet."""
    admin_token: str | None
    database_url: str
    """Of the Supabase project's database; empty when it is not to be looked at."""
    publishable_key: str = ""
    """A key of the project that may take no changes; empty when there is none to try."""


async def examine(what: Examined, *, now: Callable[[], float] = time.time) -> Findings:
    """Give the findings as they come.  ``now`` is this machine's clock, in epoch seconds."""
    settings = what.settings
    for finding in machine.look(settings):
        yield finding
    if settings.store_url:
        async for finding in store.look(settings):
            yield finding
    async for finding in machine.look_at_cache(settings):
        yield finding
    async for finding in clock.look(settings, now):
        yield finding
    async for finding in supabase.look(settings, what.publishable_key):
        yield finding
    async for finding in notion.look(settings, now):
        yield finding
    async for finding in server.look(settings, what.server_url, what.admin_token, now, expected=what.server_expected):
        yield finding
    async for finding in pg_net.look(
        what.database_url, settings.secrets.webhook_secrets, settings.config.supabase, _names(what)
    ):
        yield finding


def _names(what: Examined) -> frozenset[str]:
    """Give the names under which others reach the service, as far as anybody has said them."""
    named = name_of(urlsplit(what.server_url).netloc.rpartition("@")[2])
    public = frozenset({named}) if what.server_expected and not is_loopback(named) else frozenset[str]()
    return public | names_of(what.settings.config)
