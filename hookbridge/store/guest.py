"""SQL for the owner of a database: the role and the schema that the service needs, and their removal.

Invariants: the role reaches its schema and nothing else; what is run again changes no password; no password stands in
the text, because editors and servers keep what they were given to run: only what lets the server check one (RFC 5803).
It talks to no database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from pathlib import Path
from urllib.parse import quote

import msgspec

from hookbridge.errors import ConfigError

ROLE = "hookbridge"
"""Also the schema's name."""

PLACEHOLDER_URL = "postgresql://HOST:5432/postgres"

CONNECTIONS_MAX = 40
"""A node has seven at most; the rest of a small server's 60 is its owner's."""

_ITERATIONS = 4096
_SALT_BYTES = 16
_PASSWORD_BYTES = 24

# Not urlsplit: what dashboards show has [YOUR-PASSWORD] in it, which is no URL.
_URL = re.compile(r"postgres(?:ql)?://(?:(?P<user>[^:@/]*)(?::(?P<password>.*))?@)?(?P<rest>[^@/]*/[^@]*)")

_PARTS = Path(__file__).with_suffix("")


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run once, and how the service reaches the database then."""

    sql: str
    url: str
    """With the new password: a secret."""


def install(database_url: str) -> Setup:
    """Give the SQL that makes role and schema, with a password that was drawn for it.

    ``database_url`` is how others reach the database, whoever they are; of a pooler's user the project is kept.  Raises
    ConfigError.
    """
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    url = _own_url(database_url, password)
    words = {
        "connections": str(CONNECTIONS_MAX),
        "verifier": f"'{verifier(password, secrets.token_bytes(_SALT_BYTES))}'",
    }
    heading = (
        "-- hookbridge's role and schema: run this in Supabase's SQL editor, or with psql as the database's owner.",
        "-- It may be run again; a role that is there keeps its password (alter role hookbridge password '...').",
    )
    return Setup(sql=_script(heading, _part("install", words)), url=url)


def uninstall() -> str:
    """Give the SQL that removes role and schema, with everything that is stored there."""
    heading = ("-- Removes hookbridge's role and schema, and with it ALL that hookbridge has stored here.",)
    return _script(heading, _part("uninstall", {}))


def verifier(password: str, salt: bytes) -> str:
    """Give what the server stores of a password (SCRAM-SHA-256; RFC 5802, section 3, as PostgreSQL writes it)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def _own_url(url: str, password: str) -> str:
    """Put role and password into a database's URL."""
    found = _URL.fullmatch(url)
    if found is None or not url.isprintable() or " " in url:
        problem = "--database-url: expected postgresql://USER@HOST:PORT/DATABASE, as the dashboard shows it"
        raise ConfigError([problem], hint="Supabase's dashboard has it under Connect")
    _, dot, project = (found["user"] or "").partition(".")  # Supabase's pooler: role.project
    return f"postgresql://{ROLE}{dot}{project}:{quote(password, safe='')}@{found['rest']}"


def _script(heading: tuple[str, ...], body: str) -> str:
    return "\n".join([*heading, "begin;\n", body, "commit;\n"])


def _part(name: str, words: dict[str, str]) -> str:
    text = (_PARTS / f"{name}.sql").read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text
