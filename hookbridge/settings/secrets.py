"""Secrets: from a variable, or from the file that ``NAME_FILE`` names; never from ``config.toml``.

Invariant: a problem names the variable and what was expected, and never shows the value, nor that of ``NAME_FILE``:
somebody may have put the secret itself there.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from hookbridge.config import Secrets
from hookbridge.settings import store_url
from hookbridge.settings.texts import read_text, undressed

SECRET_BYTES_MIN = 16
"""What is shorter can be tried out."""

ALERTS_URL = "HOOKBRIDGE_ALERTS__URL"
ALERTS_SECRET = "HOOKBRIDGE_ALERTS__SECRET"  # noqa: S105  the variable's name
ALERTS_BEAT_URL = "HOOKBRIDGE_ALERTS__BEAT_URL"

NAMES = (
    "SUPABASE_URL",
    "SUPABASE_KEY",
    "SUPABASE_DB_URL",
    "NOTION_TOKEN",
    "WEBHOOK_SECRET",
    "NOTION_WEBHOOK_SECRET",
    "HOOKBRIDGE_ADMIN_TOKEN",
    "HOOKBRIDGE_READ_TOKEN",
    "REDIS_URL",
    store_url.VARIABLE,
    ALERTS_URL,
    ALERTS_SECRET,
    ALERTS_BEAT_URL,
)
"""Those of URLs are also keys of the file, which may stand there as long as they hold no secret."""

_LINE = re.compile(r"(?:export\s+)?[A-Z]+_[A-Z0-9_]+\s*=\s*[^=\s]")
_OF_A_LINE = "it begins with a name and =, as a line of .env does; write the secret alone"

_IN_HEADERS = ("SUPABASE_KEY", "NOTION_TOKEN", "HOOKBRIDGE_ADMIN_TOKEN", "HOOKBRIDGE_READ_TOKEN")
"""These travel as header values; the others are keys of an HMAC or URLs, and may hold any character."""


def read_secrets(values: Mapping[str, str], folder: Path, problems: list[str]) -> Secrets:
    """Give the secrets.  Files are relative to ``folder``."""
    texts = {name: read_secret(name, values, folder, problems) for name in NAMES}
    secrets = Secrets(
        supabase_url=texts["SUPABASE_URL"].rstrip("/"),
        supabase_key=texts["SUPABASE_KEY"],
        supabase_db_url=texts["SUPABASE_DB_URL"],
        notion_token=texts["NOTION_TOKEN"],
        webhook_secrets=_several(texts["WEBHOOK_SECRET"]),
        notion_webhook_secrets=_several(texts["NOTION_WEBHOOK_SECRET"]),
        admin_token=texts["HOOKBRIDGE_ADMIN_TOKEN"],
        read_token=texts["HOOKBRIDGE_READ_TOKEN"],
        redis_url=texts["REDIS_URL"],
        store_url=texts[store_url.VARIABLE],
        alerts_url=texts[ALERTS_URL],
        alerts_secret=texts[ALERTS_SECRET],
        alerts_beat_url=texts[ALERTS_BEAT_URL],
    )
    problems += [
        f"{name}: expected printable ASCII characters without spaces, because it is sent in a header"
        for name in _IN_HEADERS
        if texts[name] and not (texts[name].isascii() and texts[name].isprintable() and " " not in texts[name])
    ]
    _check_supabase(secrets, problems)
    if secrets.redis_url and not _is_redis_url(secrets.redis_url):
        problems.append("REDIS_URL: expected a URL such as redis://:password@host:6379/0 (also rediss:// and unix://)")
    if secrets.supabase_db_url and not store_url.is_address(secrets.supabase_db_url):
        problems.append(f"SUPABASE_DB_URL: {store_url.EXPECTED}")
    if secrets.store_url and not store_url.is_address(secrets.store_url):
        problems.append(f"{store_url.VARIABLE}: {store_url.EXPECTED}")
    check_strength("WEBHOOK_SECRET", secrets.webhook_secrets, problems)
    check_strength("NOTION_WEBHOOK_SECRET", secrets.notion_webhook_secrets, problems)
    check_strength("HOOKBRIDGE_ADMIN_TOKEN", [secrets.admin_token] if secrets.admin_token else [], problems)
    check_strength("HOOKBRIDGE_READ_TOKEN", [secrets.read_token] if secrets.read_token else [], problems)
    if secrets.read_token and secrets.read_token == secrets.admin_token:
        problems.append("HOOKBRIDGE_READ_TOKEN: it is the admin token, which may do everything; expected another one")
    return secrets


def is_http_url(text: str) -> bool:
    """Whether it is an absolute http or https URL."""
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return False


def prefer(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """Join variables, where the first ones win: a secret is one setting, however it is given (``NAME_FILE``)."""
    given = {name for name in NAMES if name in first or f"{name}_FILE" in first}
    return {name: value for name, value in second.items() if name.removesuffix("_FILE") not in given} | dict(first)


def _is_redis_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme == "unix" or (url.scheme in ("redis", "rediss") and (url.port is None or url.port > 0))
    except ValueError:
        return False


def read_secret(name: str, values: Mapping[str, str], folder: Path, problems: list[str]) -> str:
    """Give what a variable says, or the file that ``NAME_FILE`` names; the empty text where neither is set."""
    value, file = values.get(name, ""), values.get(f"{name}_FILE", "")
    if value and file:
        problems.append(f"{name}: set it or {name}_FILE, not both")
    if not file or value:
        problems += [f"{name}: {_OF_A_LINE}"] if _LINE.match(value) else []
        return value
    expected = f"{name}_FILE: expected the path of a file that holds the secret"
    try:
        value, problem = undressed(read_text(folder / file))
    except (OSError, ValueError) as error:
        reason = "its content is not UTF-8" if isinstance(error, UnicodeDecodeError) else "no path has such characters"
        problems.append(f"{expected}: {getattr(error, 'strerror', None) or reason}")
        return ""
    if not value:
        problem = "it is empty"
    elif _LINE.match(value):
        problem = _OF_A_LINE
    elif len(value.splitlines()) > 1:
        problem = "it has more than one line"
    problems += [f"{expected}: {problem}"] if problem else []
    return value


def _several(value: str) -> tuple[str, ...]:
    """Take secrets apart: at commas, and as Supabase shows those of its hooks (``v1,whsec_…|v1,whsec_…``).

    https://supabase.com/docs/guides/auth/auth-hooks.
    """
    parts = re.split(r",|\|(?=\s*whsec_)", re.sub(r"(^|[,|])(\s*)v1,\s*(?=whsec_)", r"\1\2", value))
    return tuple(part.strip() for part in parts if part.strip())


def check_strength(name: str, secrets: Sequence[str], problems: list[str]) -> None:
    """Tell of what can be guessed: whoever has it is believed."""
    for number, secret in enumerate(secrets, start=1):
        which = f" {number} of {len(secrets)}" if len(secrets) > 1 else ""
        if problem := undressed(secret)[1]:
            problems.append(f"{name}: secret{which}: {problem}")
        key = secret.encode()
        if secret.startswith("whsec_"):
            try:
                # Some tools leave the padding out.
                encoded = secret.removeprefix("whsec_")
                key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
            except ValueError:
                problems.append(f"{name}: secret{which} starts with whsec_, and must go on in base64")
                continue
        if len(key) < SECRET_BYTES_MIN:
            decoded = " when it is decoded" if secret.startswith("whsec_") else ""
            problems.append(
                f"{name}: secret{which} has {len(key)} bytes{decoded} and can be guessed;"
                f" expected at least {SECRET_BYTES_MIN}: python3 -c 'import secrets; print(secrets.token_hex(32))'"
            )


def _check_supabase(secrets: Secrets, problems: list[str]) -> None:
    if secrets.supabase_url and not is_http_url(secrets.supabase_url):
        problems.append("SUPABASE_URL: expected an http or https URL, such as https://your-project.supabase.co")
    elif secrets.supabase_url.endswith("/rest/v1"):
        problems.append("SUPABASE_URL: expected the project's URL, without /rest/v1 at its end")
    if bool(secrets.supabase_url) != bool(secrets.supabase_key):
        missing = "SUPABASE_KEY" if secrets.supabase_url else "SUPABASE_URL"
        problems.append(f"{missing}: missing; the project's URL and a secret key are needed together")
