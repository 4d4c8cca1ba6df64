"""The bearer token of the admin API: given, or generated at the first start and kept beside the data file.

Invariant: the file is readable by its owner only, whole or not there, and never written a second time.
"""

from __future__ import annotations

import errno
import secrets
from collections.abc import Mapping
from pathlib import Path

from hookbridge.config import Settings
from hookbridge.errors import StartupError
from hookbridge.settings.whole import write_whole

VARIABLE = "HOOKBRIDGE_ADMIN_TOKEN"


def file_of(settings: Settings) -> Path:
    """Where a generated token is kept."""
    return settings.data_file.parent / "admin-token"


def make(settings: Settings) -> tuple[str, Path | None]:
    """Give the token, and the file that holds it when it was generated.  Raises StartupError."""
    if settings.secrets.admin_token:
        return settings.secrets.admin_token, None
    path = file_of(settings)
    try:
        if not path.exists():
            write_whole(path, secrets.token_urlsafe(32) + "\n")
    except OSError as error:
        message = f"Cannot write the admin token to {path}: {error.strerror}"
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise StartupError(message, hint="free some space on its disk" if full else f"set {VARIABLE}") from error
    try:
        return _read(path), path
    except OSError as error:
        message = f"Cannot read the admin token from {path}: {error.strerror}"
        raise StartupError(message, hint=f"make it readable for this user, or set {VARIABLE}") from error


def known(settings: Settings) -> str | None:
    """Give the token for a command beside the service; None when there is none yet, or it may not be read.

    Raises StartupError when the file is damaged.
    """
    if settings.secrets.admin_token:
        return settings.secrets.admin_token
    try:
        return _read(file_of(settings))
    except OSError:
        return None


def place(settings: Settings, environ: Mapping[str, str]) -> str:
    """Say where the token stands, for a person who looks for it."""
    if not settings.secrets.admin_token:
        return str(file_of(settings))
    given = [name for name in (VARIABLE, f"{VARIABLE}_FILE") if environ.get(name)]
    return f"{given[0]} in the environment" if given else f"{VARIABLE} in {settings.folder / '.env'}"


def _read(path: Path) -> str:
    """Read the file.  Raises OSError, or StartupError for what no header can carry: no token that we wrote."""
    token = path.read_bytes().strip().decode("ascii", errors="replace")
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        what = "damaged" if token else "empty"
        message = f"The file of the admin token is {what}: {path}"
        raise StartupError(message, hint=f"remove it, so that the service makes a new one, or set {VARIABLE}")
    return token
