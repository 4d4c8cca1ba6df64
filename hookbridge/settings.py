"""Loading the settings: ``config.toml`` < ``.env`` < environment.

Invariant: whatever is wrong is reported together in one ConfigError, each problem with its key and what was expected,
and no problem shows a secret.  It opens no connection and makes no folder.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_type_hints
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values

from hookbridge.config import Config, Secrets, Section, Settings
from hookbridge.config_values import convert, expected, from_text
from hookbridge.errors import ConfigError

DEFAULT_FILE = "config.toml"

PREFIX = "HOOKBRIDGE_"
SECRETS = (
    "SUPABASE_URL",
    "SUPABASE_KEY",
    "NOTION_TOKEN",
    "WEBHOOK_SECRET",
    "NOTION_WEBHOOK_SECRET",
    "HOOKBRIDGE_ADMIN_TOKEN",
    "REDIS_URL",
)
VERIFY = "VERIFY_WEBHOOK_SIGNATURES"
"""The guide's name for ``[signatures] verify``."""
NOT_OURS = "HOOKBRIDGE_TEST_"
"""What only tests read."""

SECRET_KEYS = {"key", "token", "secret", "password", "url", "redis_url", "admin_token", "supabase_key", "supabase_url"}


def load(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Settings:
    """Load the settings.  ``path`` is a file that must exist; None is ``config.toml`` in ``cwd``, if there is one.

    Raises ConfigError with everything that is wrong.
    """
    problems: list[str] = []
    file = cwd / (path or DEFAULT_FILE)
    if path is not None and not file.is_file():
        raise ConfigError([f"{path}: there is no such file"], hint="name an existing file with --config")
    written = _read_toml(file, problems) if file.is_file() else {}
    values = _environment(file.parent, environ)
    sections = _sections(written, file.name, problems)
    _override(sections, values, problems)
    secrets = _secrets(values, file.parent, problems)
    config = msgspec.structs.replace(Config(), **sections)
    if not problems:
        _check_together(config, secrets, problems)
    if problems:
        raise ConfigError(problems, hint="config.toml as shipped shows every key with its default")
    return Settings(config=config, secrets=secrets, path=file if file.is_file() else None, folder=file.parent)


def _read_toml(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{file.name}: not TOML: {error}")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file.name}: cannot be read: {error}")
    return {}


def _environment(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Give ``.env`` beside the file, overlaid by the environment.  An empty value is as good as none."""
    values = dotenv_values(folder / ".env", interpolate=False) if (folder / ".env").is_file() else {}
    return {name: value for name, value in {**values, **environ}.items() if value}


def _sections(written: dict[str, Any], file: str, problems: list[str]) -> dict[str, Section]:
    """Convert every section by itself, so that one mistake does not hide the others."""
    known = get_type_hints(Config)
    for name in written:
        if name not in known:
            problems.append(f"{file}: [{name}]: unknown section{_nearest(name, list(known))}")
    sections = {}
    for name, type_ in known.items():
        value = written.get(name, {})
        if isinstance(value, dict):
            sections[name] = _struct(value, type_, f"{file}: [{name}]", problems)
        else:
            problems.append(f"{file}: {name}: expected a section [{name}]")
            sections[name] = type_()
    return sections


def _struct(written: dict[str, Any], type_: type[Section], where: str, problems: list[str]) -> Section:
    hints = get_type_hints(type_, include_extras=True)
    required = {field.name for field in msgspec.structs.fields(type_) if field.required}
    before = len(problems)
    values = {}
    for key, value in written.items():
        if key in hints:
            values[key] = _value(value, hints[key], f"{where} {key}", problems)
        elif key.lower() in SECRET_KEYS:
            problems.append(f"{where} {key}: secrets and addresses come from the environment or .env, never from here")
        else:
            problems.append(f"{where} {key}: unknown key{_nearest(key, list(hints))}")
    problems += [f"{where} {key}: missing, expected {expected(hints[key])}" for key in sorted(required - set(written))]
    # After a problem the value is only a stand-in: load() will not return it.
    return type_(**values) if len(problems) == before else _stand_in(type_)


def _stand_in(type_: type[Section]) -> Section:
    fields = {field.name: "-" for field in msgspec.structs.fields(type_) if field.required}
    return type_(**fields)


def _value(value: Any, type_: Any, where: str, problems: list[str]) -> Any:
    blocks = _blocks(type_)
    if blocks is not None and isinstance(value, list) and all(isinstance(block, dict) for block in value):
        return tuple(
            _struct(block, blocks, f"{where}[{number}]", problems) for number, block in enumerate(value, start=1)
        )
    try:
        return convert(value, type_)
    except ValueError:
        problems.append(f"{where}: expected {expected(type_)}, got {_shown(value)}")
        return None


def _blocks(type_: Any) -> type[Section] | None:
    """Give the struct of a list of blocks (``[[supabase.tables]]``)."""
    info = msgspec.inspect.type_info(type_)
    if isinstance(info, msgspec.inspect.VarTupleType) and isinstance(info.item_type, msgspec.inspect.StructType):
        return cast("type[Section]", info.item_type.cls)
    return None


def _override(sections: dict[str, Section], values: Mapping[str, str], problems: list[str]) -> None:
    """Apply HOOKBRIDGE_<SECTION>__<KEY> and the guide's switch."""
    names = {
        f"{PREFIX}{section}__{key}".upper(): (section, key, hint)
        for section, type_ in get_type_hints(Config).items()
        for key, hint in get_type_hints(type_, include_extras=True).items()
    }
    names[VERIFY] = names[f"{PREFIX}SIGNATURES__VERIFY"]
    for name in sorted(values, key=lambda name: name == VERIFY):
        if name in names:
            section, key, hint = names[name]
            try:
                value = from_text(values[name], hint)
            except ValueError:
                problems.append(f"{name}: expected {expected(hint)}, got {_shown(values[name])}")
            else:
                sections[section] = msgspec.structs.replace(sections[section], **{key: value})
        elif name.startswith(PREFIX) and not name.startswith(NOT_OURS) and name.removesuffix("_FILE") not in SECRETS:
            problems.append(f"{name}: unknown variable{_nearest(name, list(names))}")


def _secrets(values: Mapping[str, str], folder: Path, problems: list[str]) -> Secrets:
    found = {name: _secret(name, values, folder, problems) for name in SECRETS}
    secrets = Secrets(
        supabase_url=found["SUPABASE_URL"].rstrip("/"),
        supabase_key=found["SUPABASE_KEY"],
        notion_token=found["NOTION_TOKEN"],
        webhook_secrets=_several(found["WEBHOOK_SECRET"]),
        notion_webhook_secrets=_several(found["NOTION_WEBHOOK_SECRET"]),
        admin_token=found["HOOKBRIDGE_ADMIN_TOKEN"],
        redis_url=found["REDIS_URL"],
    )
    problems += [
        f"{name}: expected printable ASCII characters without spaces"
        for name, value in found.items()
        if name != "REDIS_URL" and not (value.isascii() and value.isprintable() and " " not in value)
    ]
    for secret in secrets.webhook_secrets:
        if secret.startswith("whsec_") and not _is_base64(secret.removeprefix("whsec_")):
            problems.append("WEBHOOK_SECRET: a secret that starts with whsec_ must go on in base64")
    if secrets.supabase_url and (urlsplit(secrets.supabase_url).scheme not in ("http", "https")):
        problems.append("SUPABASE_URL: expected an http or https URL, such as https://your-project.supabase.co")
    if bool(secrets.supabase_url) != bool(secrets.supabase_key):
        missing = "SUPABASE_KEY" if secrets.supabase_url else "SUPABASE_URL"
        problems.append(f"{missing}: missing; the project's URL and a secret key are needed together")
    return secrets


def _secret(name: str, values: Mapping[str, str], folder: Path, problems: list[str]) -> str:
    value, file = values.get(name, ""), values.get(f"{name}_FILE", "")
    if value and file:
        problems.append(f"{name}: set it or {name}_FILE, not both")
    if not file:
        return value.strip()
    try:
        value = (folder / file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}_FILE: cannot read {file}: {getattr(error, 'strerror', None) or 'not UTF-8'}")
        return ""
    if not value:
        problems.append(f"{name}_FILE: {file} is empty")
    return value


def _several(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def _check_together(config: Config, secrets: Secrets, problems: list[str]) -> None:
    """Check what no value shows by itself."""
    if config.signatures.verify and not (secrets.webhook_secrets or secrets.notion_webhook_secrets):
        problems.append(
            f"{VERIFY}: on, but there is no secret to verify with; set WEBHOOK_SECRET (or NOTION_WEBHOOK_SECRET)"
        )
    if config.signatures.static_token and not secrets.webhook_secrets:
        problems.append("[signatures] static_token: on, but WEBHOOK_SECRET, which is that token, is not set")
    names = [f"{table.schema}.{table.name}" for table in config.supabase.tables]
    problems += [f"[[supabase.tables]]: {name} is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    needed = _longest_change_seconds(config)
    if config.processing.lease_seconds < needed:
        problems.append(
            f"[processing] lease_seconds: expected at least {needed:.0f}, the time that all attempts of a change"
            f" can take with these timeouts and waits, got {config.processing.lease_seconds:g}"
        )


def _longest_change_seconds(config: Config) -> float:
    processing = config.processing
    read = max(config.supabase.timeout_seconds, config.notion.timeout_seconds)
    one = read + config.cache.timeout_seconds + (config.handlers.timeout_seconds if config.handlers.module else 0.0)
    waits = sum(
        processing.retry_delay_seconds * processing.retry_multiplier**number
        for number in range(processing.max_attempts - 1)
    )
    return processing.max_attempts * one + waits


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004  a line of an error message
