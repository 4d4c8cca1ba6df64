"""What is on the machine itself: settings, the secrets' file, signatures, the data folder, handlers, the user's cache.

The settings have been loaded when this looks at them; what is wrong with them is told by whoever loaded them.
"""

from __future__ import annotations

import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from hookbridge.config import Settings
from hookbridge.doctor.finding import Finding, Findings, FindingsNow, broken, failed, ok, skipped, warning
from hookbridge.errors import CacheUnavailable, StartupError
from hookbridge.handlers import load_handlers
from hookbridge.outgoing import origin
from hookbridge.settings.alerts import form_of
from hookbridge.steps.external import RedisKeys
from hookbridge.store.sqlite import free_bytes, inspect

MEBIBYTE = 1024 * 1024
PLACEHOLDERS = ("change-me", "change_me", "changeme", "example", "placeholder", "replace-me", "replace_me", "your-")
"""What stands in examples where a secret is to be put."""


def look(settings: Settings) -> FindingsNow:
    """Look at files and settings."""
    yield ok("config", str(settings.path) if settings.path else "no config.toml: every key has its default")
    yield from _secrets_file(settings.folder / ".env")
    yield _signatures(settings)
    yield from _guessable(settings)
    if not settings.store_url:
        yield _data_folder(settings)
    if settings.config.handlers.module:
        yield _handlers(settings)
    yield _alerts(settings)
    if settings.beat_url:
        every = settings.config.alerts.beat_seconds
        yield ok("beats", f"while it is healthy, {origin(settings.beat_url)} hears so every {every:g} s")


def _alerts(settings: Settings) -> Finding:
    url = settings.alerts_url
    if not url:
        hint = "set HOOKBRIDGE_ALERTS__URL, and try it with: alerts test"
        return skipped("alerts", "nobody is told when it is not healthy", hint)
    signed = "signed" if settings.secrets.alerts_secret else "not signed"
    form = form_of(url, settings.config.alerts.form)
    return ok("alerts", f"people are told at {origin(url)}, as {form}, {signed}; alerts test sends one")


def _secrets_file(file: Path) -> FindingsNow:
    if file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield warning(".env", "other users of this machine can read its secrets", f"chmod 600 {file}")


def _signatures(settings: Settings) -> Finding:
    if settings.config.signatures.verify:
        return ok("signatures", "webhooks are taken only when they are signed")
    return warning(
        "signatures",
        "webhooks are taken unsigned: anyone who reaches the service can send them",
        "set VERIFY_WEBHOOK_SIGNATURES=true and WEBHOOK_SECRET",
    )


def _guessable(settings: Settings) -> FindingsNow:
    """Tell of secrets that an attacker would try: whoever has one signs whatever he likes."""
    hint = "draw one: python3 -c 'import secrets; print(secrets.token_hex(32))'"
    for name, secret in _secrets(settings):
        if any(word in secret.lower() for word in PLACEHOLDERS):
            yield warning("secrets", f"{name} is the placeholder of an example, which anyone can guess", hint)


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    """Give the secrets that are made up here; those of the sources are drawn by them."""
    for secret in settings.secrets.webhook_secrets:
        yield "WEBHOOK_SECRET", secret
    if settings.secrets.admin_token:
        yield "HOOKBRIDGE_ADMIN_TOKEN", settings.secrets.admin_token
    if settings.secrets.read_token:
        yield "HOOKBRIDGE_READ_TOKEN", settings.secrets.read_token


def _data_folder(settings: Settings) -> Finding:
    check, file = "data folder", settings.data_file
    elsewhere = "make the folder writable for this user, or set [store] path"
    # The service makes the folders that are missing.
    there = next(folder for folder in file.parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
        free = free_bytes(there / file.name)
        inspect(file)
    except OSError as error:
        return failed(check, f"{there} cannot be written: {error.strerror}", elsewhere)
    except StartupError as error:
        return broken(check, error, elsewhere)
    needed = settings.config.store.min_free_bytes
    if free < needed:
        return failed(
            check,
            f"{free // MEBIBYTE} MiB free, less than the {needed // MEBIBYTE} MiB below which webhooks get 503",
            "free some space, or lower [store] min_free_bytes",
        )
    made = "" if file.parent.exists() else ", made at the first start"
    return ok(check, f"{file.parent}{made}, {free // MEBIBYTE} MiB free")


def _handlers(settings: Settings) -> Finding:
    module = settings.config.handlers.module
    try:
        # What a module prints is no finding, and no JSON.
        with redirect_stdout(sys.stderr):
            load_handlers(module, settings.folder)
    except StartupError as error:
        return broken("handlers", error, "correct it, or take it out of [handlers] module")
    return ok("handlers", f"{module} can be imported")


async def look_at_cache(settings: Settings) -> Findings:
    """Look at the user's own cache."""
    url = settings.secrets.redis_url
    if not url:
        yield skipped("cache", "no REDIS_URL: there are no keys of your own to delete")
        return
    try:
        keys = RedisKeys(settings.config.cache, url)
    except StartupError as error:
        yield broken("cache", error, "correct REDIS_URL")
        return
    try:
        await keys.probe()
        yield ok("cache", "answers")
    except CacheUnavailable as error:
        yield broken("cache", error, "check REDIS_URL and the server")
    finally:
        await keys.close()
