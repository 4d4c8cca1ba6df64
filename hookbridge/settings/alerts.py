"""Where people are told of trouble: what such a URL may be, where it may stand, and whose chat it leads to.

Invariant: no problem shows a URL.  Whoever knows that of a chat's webhook may write there, and it is not signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from hookbridge.config import AlertsConfig, Secrets
from hookbridge.settings.destinations import wrong_secret, wrong_url
from hookbridge.settings.secrets import ALERTS_BEAT_URL, ALERTS_SECRET, ALERTS_URL, is_http_url

Form = Literal["json", "slack", "discord"]

_CHATS: dict[str, Form] = {
    "hooks.slack.com": "slack",
    "hooks.slack-gov.com": "slack",
    "discord.com": "discord",
    "discordapp.com": "discord",
}

_LIKE_A_SECRET = re.compile(r"(?=.*[0-9A-Z])[!-~]{16,}")
"""A part of a path, or a value behind it, that nobody takes for a word."""


def form_of(url: str, written: Literal["auto", "json", "slack", "discord"]) -> Form:
    """Give the form that is sent to a URL: the one that is written, or what its host takes."""
    if written != "auto":
        return written
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    form: Form = next((form for name, form in _CHATS.items() if host == name or host.endswith(f".{name}")), "json")
    # Discord's webhooks take what is meant for Slack under this path.
    return "slack" if form == "discord" and parts.path.rstrip("/").endswith("/slack") else form


def sent_to(url: str, form: Form) -> str:
    """Give where a message goes: Discord says only whoever waits whether it was taken."""
    parts = urlsplit(url)
    if form != "discord" or "wait=" in parts.query:
        return url
    return urlunsplit(parts._replace(query=f"{parts.query}&wait=true" if parts.query else "wait=true"))


def secrets_in(url: str) -> tuple[str, ...]:
    """Give what of a URL must not be seen, each as it is written there and as it is meant."""
    parts = urlsplit(url)
    words = (*parts.path.split("/"), *(one.partition("=")[2] for one in parts.query.split("&")))
    alone = tuple(one for one in words if _LIKE_A_SECRET.fullmatch(one))
    # Without a password, what stands where a name does is a token: https://TOKEN@host/.
    written = (parts.password or parts.username, parts.query, *alone)
    return tuple(form for one in written if one for form in (one, unquote(one)))


def problems(config: AlertsConfig, secrets: Secrets) -> Iterator[str]:
    """Say what is wrong with ``[alerts]``."""
    written = (("url", config.url, ALERTS_URL), ("beat_url", config.beat_url, ALERTS_BEAT_URL))
    for key, url, variable in written:
        if is_http_url(url) and (secrets_in(url) or form_of(url, "auto") != "json"):
            yield (
                f"[alerts] {key}: whoever knows it may write there, and secrets do not stand in config.toml;"
                f" write the url into .env, as {variable}, or into the file that {variable}_FILE names"
            )
        elif url:
            yield from wrong_url(f"[alerts] {key}", url)
    for variable, url in ((ALERTS_URL, secrets.alerts_url), (ALERTS_BEAT_URL, secrets.alerts_beat_url)):
        if url:
            yield from wrong_url(variable, url)
    if secrets.alerts_secret:
        yield from wrong_secret(ALERTS_SECRET, secrets.alerts_secret)
        if not (config.url or secrets.alerts_url):
            yield f"{ALERTS_SECRET}: it signs what is sent to [alerts] url, which is not set"
