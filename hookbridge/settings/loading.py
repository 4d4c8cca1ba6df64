"""Loading: the files and variables in their order of precedence, joined into ``Settings``.

Invariant: whatever is wrong is reported together in one ConfigError, each problem with its key and what was expected,
and no problem shows a secret.  It opens no connection and makes no folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hookbridge.config import Config, Settings
from hookbridge.errors import ConfigError
from hookbridge.settings.checks import check_together
from hookbridge.settings.destinations import resolved
from hookbridge.settings.environment import DESTINATIONS, override, read_dotenv, undress
from hookbridge.settings.secrets import prefer, read_secrets
from hookbridge.settings.sections import read_sections
from hookbridge.settings.texts import is_there, read_text

DEFAULT_FILE = "config.toml"


def load(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Load the settings.  ``path`` is a file that must exist; None is ``config.toml`` in ``cwd``, if there is one.

    ``.env`` is read from the folder of the configuration file.  Raises ConfigError with everything that is wrong.
    """
    file = cwd / (path or DEFAULT_FILE)
    there = is_there(file)
    if path is not None and not there:
        raise ConfigError([f"{path}: there is no such file"], hint="name an existing file with --config")
    problems: list[str] = []
    written = _read_toml(file, problems) if there else {}
    # An empty value is as good as none: that is how a variable of .env is taken back.
    merged = variables(file.parent, environ, problems)
    values = undress({name: value for name, value in merged.items() if value}, problems)
    sections = read_sections(written, file.name, problems)
    override(sections, values, problems)
    secrets = read_secrets(values, file.parent, problems)
    if not problems:
        in_file = DESTINATIONS not in values
        theirs = resolved(sections["destinations"], merged, file.parent, problems, in_file=in_file)
        secrets = msgspec.structs.replace(secrets, destinations=theirs.destinations, named=theirs.named)
    config = msgspec.structs.replace(Config(), **sections)
    if not problems:
        check_together(config, secrets, problems)
    if problems:
        raise ConfigError(problems, hint="config.toml as shipped shows every key with its default")
    return Settings(config=config, secrets=secrets, path=file if there else None, folder=file.parent)


def variables(folder: Path, environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """Give the variables of the environment and of ``.env`` in this folder, where the environment wins."""
    return prefer(environ, read_dotenv(folder / ".env", problems))


def _read_toml(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{file.name}: not TOML: {error}")
    except UnicodeDecodeError:
        problems.append(f"{file.name}: not UTF-8")
    except OSError as error:
        problems.append(f"{file.name}: cannot be read: {error.strerror}")
    return {}
