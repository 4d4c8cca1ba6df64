"""Destinations as they are written, and what each ``{env:NAME}`` in them stands for.

Invariant: no problem shows what a variable holds, nor a value in which a secret may stand; and in ``config.toml`` no
secret is taken that stands there itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, get_args
from urllib.parse import urlsplit

from msgspec.structs import replace

from hookbridge.config import Destination
from hookbridge.model import SourceName
from hookbridge.settings.secrets import check_strength, is_http_url, read_secret
from hookbridge.settings.texts import undressed
from hookbridge.settings.values import shown

EVERY_TABLE = "*"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_VARIABLE = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_LIKE_A_VARIABLE = re.compile(r"\{\s*env\s*:", re.IGNORECASE)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

OURS = frozenset(
    (
        *("connection", "content-length", "content-type", "expect", "host", "transfer-encoding", "user-agent"),
        *("webhook-id", "webhook-signature", "webhook-timestamp"),
    )
)
"""Headers that a request has from us."""

_MAKE_ONE = "python3 -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'"


class Resolved(NamedTuple):
    """Destinations as they are driven."""

    destinations: tuple[Destination, ...]
    named: tuple[str, ...]
    """What the variables hold that are named in them, and must not be seen: where a URL leads to may be."""


def names_in(destinations: Iterable[Destination]) -> frozenset[str]:
    """Give the names of the variables that are named in destinations."""
    texts = (text for one in destinations for text in (one.url, one.secret, *one.headers.values()))
    return frozenset(name for text in texts for name in _VARIABLE.findall(text))


def resolved(
    destinations: tuple[Destination, ...],
    values: Mapping[str, str],
    folder: Path,
    problems: list[str],
    *,
    in_file: bool,
) -> Resolved:
    """Put what variables hold in the place of their names, and tell what is wrong.

    Files are relative to ``folder``; ``in_file`` says that the destinations stand in ``config.toml``.
    """
    known: dict[str, str] = {}
    for name in sorted(names_in(destinations)):
        known[name], problem = undressed(read_secret(name, values, folder, problems))
        problem = problem or (None if known[name] else "it is not set, and a destination names it")
        problems += [f"{name}: {problem}"] if problem else []
    whole = []
    for number, one in enumerate(destinations, start=1):
        where = f"[[destinations]] {one.name if _NAME.fullmatch(one.name) else number}"
        problems += [f"{where} {text}" for text in (*_misspelt(one), *(_in_file(one) if in_file else ()))]
        if not problems:
            whole.append(_with(one, known))
            problems += [f"{where} {text}" for text in _wrong(whole[-1])]
    names = [one.name for one in destinations]
    problems += [f"[[destinations]]: {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]
    shown_of = [urlsplit(one.url).netloc.rpartition("@")[2] for one in whole if is_http_url(one.url)]
    return Resolved(tuple(whole), tuple(one for one in known.values() if not any(one in text for text in shown_of)))


def _with(one: Destination, known: Mapping[str, str]) -> Destination:
    def said(text: str) -> str:
        return _VARIABLE.sub(lambda found: known[found[1]], text)

    headers = {name: said(value) for name, value in one.headers.items()}
    return replace(one, url=said(one.url), secret=said(one.secret), headers=headers)


def _misspelt(one: Destination) -> Iterable[str]:
    """Say where the name of a variable cannot be read: it would be sent as it stands there."""
    texts = {
        "url": one.url,
        "secret": one.secret,
        **{f"headers {shown(name)}": one.headers[name] for name in one.headers},
    }
    for where, text in texts.items():
        if _LIKE_A_VARIABLE.search(_VARIABLE.sub("", text)):
            yield f"{where}: expected {{env:NAME}}, with a name of letters, digits and _"


def _in_file(one: Destination) -> Iterable[str]:
    """Say which secrets stand in the file themselves."""
    instead = "secrets do not stand in config.toml; write {env:NAME} here, and NAME into .env"
    if not _VARIABLE.search(one.secret):
        yield f"secret: {instead}"
    if "@" in one.url.partition("?")[0] and not _VARIABLE.search(one.url):
        yield f"url: it holds a password, and {instead}"
    for name in one.headers:
        if name.lower() in {"authorization", "proxy-authorization", "cookie"} and "{env:" not in one.headers[name]:
            yield f"headers {shown(name)}: {instead}"


def _wrong(one: Destination) -> Iterable[str]:
    if not _NAME.fullmatch(one.name):
        yield "name: expected small letters, digits, - and _, at most 63"
    problems = tuple(wrong_url("url", one.url))
    yield from problems
    if not problems and "@" in urlsplit(one.url).netloc and "authorization" in {name.lower() for name in one.headers}:
        yield "headers: the url has a user or password, which is sent as Authorization: expected only one of both"
    yield from wrong_secret("secret", one.secret)
    for name, value in one.headers.items():
        if name.lower() in OURS:
            yield f"headers {shown(name)}: this header is hookbridge's own"
        elif not _HEADER.fullmatch(name):
            yield f"headers {shown(name)}: expected a header's name"
        elif not (value.isascii() and value.isprintable()):
            yield f"headers {shown(name)}: expected printable ASCII characters"
    for table in one.tables:
        source, colon, name = table.partition(":")
        if source not in get_args(SourceName) or not colon or not name or (name != EVERY_TABLE and "*" in name):
            yield f'tables: expected "supabase:users", or "notion:*" for all tables of a source, got {shown(table)}'


def wrong_url(name: str, url: str) -> Iterable[str]:
    """Say what is wrong with the URL of a destination that stands under this name."""
    if not is_http_url(url) or not url.isascii() or not url.isprintable() or " " in url:
        yield f"{name}: expected an http or https URL"
    elif urlsplit(url).fragment:
        yield f"{name}: what is behind # would not be sent"


def wrong_secret(name: str, secret: str) -> Iterable[str]:
    """Say what is wrong with the secret of a destination that stands under this name."""
    if not secret.startswith("whsec_"):
        yield f"{name}: expected whsec_ and base64, as Standard Webhooks have them: {_MAKE_ONE}"
        return
    problems: list[str] = []
    check_strength(name, [secret], problems)
    yield from problems
