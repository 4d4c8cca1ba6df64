"""What of a log line may be seen.

Invariants: text is shown only under a key that is known to be safe, never with a secret in it that this process knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from hookbridge.config import Secrets
from hookbridge.settings import alerts, store_url

HIDDEN = "[hidden]"
"""Text under a key that is not in ``SHOWN``."""
SECRET = "[secret]"  # noqa: S105  what stands in place of one

SHOWN = frozenset(
    (
        # What every line has, and what a traceback becomes.
        *("timestamp", "level", "logger", "event", "exception"),
        # Changes and lanes.
        *(
            "record",
            "source",
            "table",
            "tables",
            "outcome",
            "verification",
            "steps",
            "state",
            "reason",
            "error",
            "hint",
            "remedy",
            "handler",
            "place",
            "destination",
            "destinations",
        ),
        # What a node does alone.
        "duty",
        # The reconciler's counts.
        *("listed", "total", "found", "copies", "records", "announced", "missed"),
        # Requests.
        *("method", "path", "remote"),
        # The service as it is configured; secrets have no key here.
        *("url", "docs", "data", "file", "credentials", "without_credentials", "signatures"),
    )
)
"""The keys whose text is shown.  Numbers are shown under every key: counts, times and sizes are what logs are for."""

SHORTEST_SECRET = 4
"""What is shorter is not a secret but a word, and replacing it would make lines unreadable."""

_LIKE_A_SECRET = re.compile(r"secret_[!-~]{9,}|(?=.*[0-9A-Z])[!-~]{16,}")
"""What nobody takes for a word of a line: Notion's tokens are ``secret_`` and 43 letters and digits."""

_SCHEMES = frozenset(("apikey", "basic", "bearer", "token"))
"""In front of a token in a header."""

_NO_TEXT = (bool, int, float, type(None))
_NUMBERS = frozenset(_NO_TEXT)
_MANY = (list, tuple, set, frozenset)

_encode = msgspec.json.encode

_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""No line with one is JSON by msgspec."""

_FIXED = frozenset(("timestamp", "level"))
"""Made here for every line, of nothing that could be a secret."""

_NAMES = frozenset(("event", "logger", "method"))
"""Written by us or by a library: a stranger's word is no part of them."""


class Redaction:
    """The secrets that a process knows."""

    def __init__(self) -> None:
        self._secrets: list[str] = []
        self._learnt: list[str] = []
        self._in_json: tuple[bytes, ...] = ()

    def begin(self, secrets: Secrets) -> None:
        """Know the configured secrets, and no others."""
        password = urlsplit(secrets.redis_url).password or ""
        self._learn([], [])
        self.know(
            secrets.supabase_key,
            secrets.notion_token,
            *secrets.webhook_secrets,
            *secrets.notion_webhook_secrets,
            secrets.admin_token,
            secrets.read_token,
            secrets.redis_url,
            password,
            unquote(password),
            *_of_alerts(secrets),
            *_of_destinations(secrets),
            *store_url.passwords(secrets.supabase_db_url),
            *store_url.passwords(secrets.store_url),  # without one it is no secret, and told at the start
        )

    def know(self, *values: str) -> None:
        """Hide these values too."""
        known = {value for value in values if len(value) >= SHORTEST_SECRET}
        self._learn(_with(self._secrets, known), self._learnt)

    def learn(self, value: str) -> None:
        """Hide what a sender brought and was kept, where it is like a secret, and never in a name of ours."""
        if _LIKE_A_SECRET.fullmatch(value):
            self._learn(self._secrets, _with(self._learnt, {value}))

    def _learn(self, secrets: list[str], learnt: list[str]) -> None:
        self._secrets, self._learnt = secrets, learnt
        self._in_json = tuple(_encode(one)[1:-1] for one in (*secrets, *learnt) if not _SURROGATE.search(one))

    def may_be_in(self, json: bytes) -> bool:
        """Whether a line's JSON, as msgspec writes it, may show a secret.

        One is written for every change, and hardly one has a secret: texts are looked at one by one only then.
        """
        for secret in self._in_json:  # noqa: SIM110  a generator costs as much as the search
            if secret in json:
                return True
        return False

    def __call__(self, _logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Clean a line of ``known_texts`` in place."""
        for key in SHOWN & line.keys() - _FIXED:
            line[key] = self._clean(line[key], learnt=key not in _NAMES)
        return line

    def _clean(self, value: object, *, learnt: bool) -> object:
        if isinstance(value, list):
            return [self._clean(one, learnt=learnt) for one in value]
        return self.clean(value, learnt=learnt) if isinstance(value, str) else value

    def clean(self, text: str, *, learnt: bool = True) -> str:
        """Put something else in the place of each secret."""
        for secret in (*self._secrets, *self._learnt) if learnt else self._secrets:
            if secret in text:
                text = text.replace(secret, SECRET)
        return text


def known_texts(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make a line of texts and numbers, in place, and hide the texts under keys that are not known."""
    for key, value in line.items():
        kind = type(value)
        if kind is str:
            if key not in SHOWN:
                line[key] = HIDDEN
        elif kind not in _NUMBERS and not isinstance(value, _NO_TEXT):
            line[key] = _plain(value) if key in SHOWN else HIDDEN
    return line


def _plain(value: object) -> str | list[Any]:
    """Make texts of what is no number."""
    if isinstance(value, _MANY):
        return [one if isinstance(one, str) else _plain(one) for one in value]
    return str(value)


def _of_alerts(secrets: Secrets) -> Iterator[str]:
    yield secrets.alerts_secret
    for url in (secrets.alerts_url, secrets.alerts_beat_url):
        yield from _of_url(url)


def _of_destinations(secrets: Secrets) -> Iterator[str]:
    """Give also parts in which an answer may quote them: a token without its scheme, a path without its host."""
    for value in secrets.named:
        yield from (value, unquote(value))
    for one in secrets.destinations:
        yield from (one.secret, *_of_url(one.url), *store_url.passwords(one.url))
        for value in one.headers.values():
            scheme, _, token = value.partition(" ")
            yield from (value, token) if scheme.lower() in _SCHEMES else (value,)


def _of_url(url: str) -> Iterator[str]:
    hidden = alerts.secrets_in(url)
    yield from (*hidden, url) if hidden else ()


def _with(known: list[str], secrets: set[str]) -> list[str]:
    """Add secrets, also as Python's tracebacks quote them; the longest come first: one may be part of another."""
    return sorted({*known, *secrets, *(repr(secret)[1:-1] for secret in secrets)}, key=len, reverse=True)


redaction = Redaction()
"""One for the process, as its logging is."""


def hide(secret: str) -> None:
    """Hide a secret of ours that came to be known after ``configure``, because it was generated."""
    redaction.know(secret)


def hide_learnt(token: str) -> None:
    """Hide what a sender made known: only what is like a secret, because any word could be sent as one."""
    redaction.learn(token)


def without_secrets(text: str) -> str:
    """Give a foreign text as a line would show it: with no secret in it that this process knows."""
    return redaction.clean(text)
