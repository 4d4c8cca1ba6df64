"""The bearer token of the admin API: given, or generated at the first start and kept beside the data file.

Invariant: the file is readable by its owner only, whole or not there, and never written a second time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from hookbridge.config import Settings
from hookbridge.errors import StartupError
from hookbridge.settings.secrets import SECRET_BYTES_MIN
from hookbridge.settings.texts import is_there, read_text
from hookbridge.settings.whole import write_whole

VARIABLE = "HOOKBRIDGE_ADMIN_TOKEN"


def file_of(settings: Settings) -> Path:
    """Where a generated token is kept."""
    return settings.data_file.parent / "admin-token"


def make(settings: Settings) -> tuple[str, Path | None]:
    """Give the token, and the file that it was written to where it was generated now.  Raises StartupError."""
    if settings.secrets.admin_token:
        return settings.secrets.admin_token, None
    path = file_of(settings)
    made = not is_there(path)
    try:
        if made:
            write_whole(path, secrets.token_urlsafe(32) + "\n")
    except OSError as error:
        message = f"Cannot write the admin token to {path}: {error.strerror}"
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise StartupError(message, hint="free some space on its disk" if full else f"set {VARIABLE}") from error
    return _read(path), path if made else None


def known(settings: Settings) -> str | None:
    """Give the token for a command beside the service; None when there is none yet, or it is another user's.

    Raises StartupError when the file is damaged, or no file.
    """
    if settings.secrets.admin_token:
        return settings.secrets.admin_token
    path = file_of(settings)
    return _read(path) if is_there(path) and os.access(path, os.R_OK) else None


def fingerprint(token: str) -> str:
    """Give what tells two tokens apart and says nothing else of them: nodes tell it each other through their store.

    Whoever reads it there pays 16 MiB and some 50 ms for each guess (scrypt, RFC 7914).
    """
    return hashlib.scrypt(token.encode(), salt=b"hookbridge admin token", n=2**14, r=8, p=1, dklen=16).hex()


def place(settings: Settings, environ: Mapping[str, str]) -> str:
    """Say where the token stands, for a person who looks for it."""
    if not settings.secrets.admin_token:
        return str(file_of(settings))
    given = [name for name in (VARIABLE, f"{VARIABLE}_FILE") if environ.get(name)]
    return f"{given[0]} in the environment" if given else f"{VARIABLE} in {settings.folder / '.env'}"


def _read(path: Path) -> str:
    """Read the file.  Raises StartupError, also for what is no token that we wrote."""
    hint = f"remove it, so that the service makes a new one, or set {VARIABLE}"
    try:
        token = read_text(path).strip()
    except UnicodeDecodeError as error:
        raise StartupError(f"The file of the admin token is damaged: {path}", hint=hint) from error
    except OSError as error:
        message = f"Cannot read the admin token from {path}: {error.strerror}"
        raise StartupError(message, hint=f"make it readable for this user, or set {VARIABLE}") from error
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise StartupError(f"The file of the admin token is {'damaged' if token else 'empty'}: {path}", hint=hint)
    if len(token) < SECRET_BYTES_MIN:
        raise StartupError(f"The token in {path} has {len(token)} bytes and can be guessed", hint=hint)
    return token
