"""The address of a Postgres store: what is one, and what of it may be shown.

``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``, as libpq has it (Postgres' manual, 32.1.1.2): behind a ``?`` stand
parameters, the host (which may be a socket's folder) and the password as well.
"""

from __future__ import annotations

import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

VARIABLE = "HOOKBRIDGE_STORE__URL"

EXPECTED = "expected postgresql://USER:PASSWORD@HOST:5432/DATABASE, with %40 for an @ in the password and so on"

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@]+)(?::([1-9][0-9]*))?")
"""There may be several, with commas between them."""
_PORT_MAX = 65_535

_SHOWN = frozenset({"host", "port", "dbname", "user", "sslmode", "target_session_attrs"})
"""Parameters that say where and how; what another one says is nobody's business."""


def is_address(url: str) -> bool:
    """Whether it names a server."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets of a placeholder
        return False
    places = parts.netloc.rpartition("@")[2]
    hosts = all(map(_is_place, places.split(","))) if places else parse_qs(parts.query).get("host")
    # What is behind a ``/``, ``?`` or ``#`` of a password that was not quoted looks like the rest of an address; behind
    # an ``@`` of it the driver looks for a host.
    whole = url.isprintable() and " " not in url and not parts.fragment and url.count("@") <= bool("@" in parts.netloc)
    whole = whole and all("=" in one for one in _parameters(parts))
    return whole and parts.scheme in ("postgresql", "postgres") and bool(hosts)


def _is_place(text: str) -> bool:
    found = _HOST.fullmatch(text)
    return found is not None and int(found[2] or 0) <= _PORT_MAX


def passwords(url: str) -> tuple[str, ...]:
    """Give the passwords in it, each as it is written there and as it is meant; none where it is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    named = (one.partition("=") for one in _parameters(parts))
    written = [parts.password or "", *(value for name, _, value in named if "password" in unquote(name).lower())]
    return tuple(form for one in written if one for form in (one, unquote(one)))


def without_password(url: str) -> str:
    """Give what may be shown of it."""
    if not is_address(url):
        return "postgresql://…"
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    place = f"{user.partition(':')[0]}@{host}" if user else host
    shown = "&".join(one for one in _parameters(parts) if one.partition("=")[0] in _SHOWN)
    return SplitResult(parts.scheme, place, parts.path, shown, "").geturl()


def _parameters(parts: SplitResult) -> list[str]:
    return parts.query.split("&") if parts.query else []
