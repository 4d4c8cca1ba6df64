"""The bearer token of the admin API: given, or generated at the first start and kept beside the data file.

Invariant: the file is readable by its owner only, whole or not there, and never written a second time.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from hookbridge.config import Settings
from hookbridge.errors import StartupError
from hookbridge.settings.whole import write_whole


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
        raise StartupError(message, hint="set HOOKBRIDGE_ADMIN_TOKEN") from error
    token = path.read_text().strip()
    if not token:
        message = f"The file of the admin token is empty: {path}"
        raise StartupError(message, hint="remove it, or set HOOKBRIDGE_ADMIN_TOKEN")
    return token, path


def known(settings: Settings) -> str | None:
    """Give the token for a command beside the service; None when there is none yet, or it may not be read."""
    if settings.secrets.admin_token:
        return settings.secrets.admin_token
    try:
        return file_of(settings).read_text().strip() or None
    except OSError:
        return None
