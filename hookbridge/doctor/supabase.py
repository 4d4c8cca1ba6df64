"""Supabase: does it answer, does it take the key, and can what is configured be read.

It asks as the service does, by the same client, for one row of each table.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hookbridge.config import Settings, SupabaseTable
from hookbridge.doctor import outbox_taken
from hookbridge.doctor.finding import Finding, Findings, broken, failed, ok, skipped, warning
from hookbridge.errors import RecordUnreadable, SourceError, SourceRefused, SourceUnavailable, StartupError
from hookbridge.sources.bodies import decode_columns
from hookbridge.sources.source import unordered
from hookbridge.sources.supabase import SupabaseSource
from hookbridge.sources.supabase.answers import Rows
from hookbridge.sources.supabase.filters import Asked
from hookbridge.sources.times import instant_in

if TYPE_CHECKING:
    from hookbridge.sources.supabase.client import SupabaseClient

CHECK = "supabase"
KEYS_LOOKED_AT = 200
REACHABLE_HINT = "check SUPABASE_URL and the network; a project that was paused has to be restored in the dashboard"


async def look(settings: Settings, publishable_key: str = "") -> Findings:
    """Look at the project, every configured table, and the outbox.  ``publishable_key`` is one to be refused there."""
    secrets, config = settings.secrets, settings.config.supabase
    if not (secrets.supabase_url and secrets.supabase_key):
        yield _without_credentials(settings)
        return
    from hookbridge.sources.supabase.client import SupabaseClient  # noqa: PLC0415  a second, see the source

    try:
        source = SupabaseSource(config, settings.config.signatures, secrets, unordered)
        client = SupabaseClient(secrets.supabase_url, secrets.supabase_key, config.timeout_seconds)
    except StartupError as error:
        yield broken(CHECK, error, "correct SUPABASE_URL and SUPABASE_KEY")
        return
    try:
        project = await _project(source)
        yield project
        if project.state == "failed":
            yield skipped(f"{CHECK} tables", "Supabase has to answer first")
            return
        if not config.tables:
            yield skipped(f"{CHECK} tables", "none is listed, so none is polled or swept", "list [[supabase.tables]]")
        for table in config.tables:
            found = await _table(client, table)
            yield await _named_columns(client, table, found) if found.state == "ok" else found
        async for finding in outbox_taken.look(settings, client, publishable_key):
            yield finding
    finally:
        await client.close()
        await source.close()


def _without_credentials(settings: Settings) -> Finding:
    pulled = settings.config.supabase.pulled
    if pulled and not settings.secrets.supabase_db_url:
        hint = "set SUPABASE_URL and SUPABASE_KEY; in .env a line that begins with # sets nothing"
        return failed(CHECK, f"no credentials: nothing is taken from the outbox of {', '.join(pulled)}", hint)
    return skipped(CHECK, "no credentials: its webhooks are applied unverified", "set SUPABASE_URL and SUPABASE_KEY")


async def _project(source: SupabaseSource) -> Finding:
    try:
        await source.probe()
    except SourceRefused as error:
        return failed(CHECK, error.message, "set SUPABASE_KEY to a secret key (sb_secret_…) of this project")
    except SourceError as error:
        return broken(CHECK, error, REACHABLE_HINT)
    if source.credential_warning:
        return warning(CHECK, source.credential_warning, "set SUPABASE_KEY to a secret key of this project")
    return ok(CHECK, "answers and takes the key")


async def _table(client: SupabaseClient, table: SupabaseTable) -> Finding:
    check = f"{CHECK} {table.full_name}"
    try:
        await _read(client, table, ())
    except SourceUnavailable as error:
        return broken(check, error, REACHABLE_HINT)
    except SourceError as error:
        return broken(check, error, "check name and schema in [[supabase.tables]]")
    for number, column in enumerate(table.key, 1):
        try:
            # The index on the key begins with its first columns, and gives no order of a later one alone.
            await _read(client, table, table.key[:number])
        except SourceError as error:
            return _column(check, f"key column {column}", error, "correct key in [[supabase.tables]]")
    if (repeated := await _repeated(client, table)) is not None:
        columns = ", ".join(table.key)
        message = f"key {columns}: two of its rows have {repeated}, and would be one record"
        return warning(check, message, "name the columns of the primary key in [[supabase.tables]] key")
    if table.changed_at is None:
        found = "taken from the outbox, and found by sweeps" if table.pull else "found by sweeps only"
        return ok(check, f"readable; without changed_at its changes are {found}")
    return await _change_column(client, table, check, table.changed_at)


async def _repeated(client: SupabaseClient, table: SupabaseTable) -> str | None:
    """Give a key that more than one row has, of some rows in its order, where equal ones are neighbours.

    None as well when they cannot be read: that is another check's finding.
    """
    try:
        found = await _read(client, table, table.key, limit=KEYS_LOOKED_AT)
    except SourceError:
        return None
    keys = [tuple(map(decode_columns(row).get, table.key)) for row in found.rows]
    return next((", ".join(map(str, one)) for one, other in pairwise(keys) if one == other), None)


async def _change_column(client: SupabaseClient, table: SupabaseTable, check: str, column: str) -> Finding:
    hint = "correct changed_at in [[supabase.tables]], or leave it out"
    try:
        answer = await _read(client, table, (column,))
        if not answer.rows and not (await _read(client, table, ())).rows:
            return ok(check, "readable, and empty")
    except SourceError as error:
        return _column(check, f"change column {column}", error, hint)
    if not answer.rows:
        return warning(check, f"change column {column}: empty in every row", f"set {column} on every change")
    value = decode_columns(answer.rows[0]).get(column)
    if not isinstance(value, str) or instant_in(value) is None:
        return failed(check, f"change column {column}: holds no time", hint)
    return ok(check, "readable, with its key and change column")


async def _named_columns(client: SupabaseClient, table: SupabaseTable, found: Finding) -> Finding:
    """Look for the columns that name a row for people and that search finds: without them others would be taken."""
    try:
        rows = (await _read(client, table, ())).rows
    except SourceError:
        return found
    there = decode_columns(rows[0]) if rows else None
    for setting, columns in (("title", (table.title,) if table.title else ()), ("index", table.index or ())):
        if there is not None and (missing := [name for name in columns if name not in there]):
            message = f"{setting}: there is no column {', '.join(missing)}"
            return warning(found.check, message, f"correct {setting} in [[supabase.tables]]")
    return found


def _column(check: str, column: str, error: SourceError, hint: str) -> Finding:
    """Word what became of asking for a column; ``hint`` is for one that is not there."""
    if isinstance(error, SourceUnavailable):
        hint = REACHABLE_HINT
    elif isinstance(error, RecordUnreadable):
        hint = error.hint or hint
    return failed(check, f"{column}: {error.message}", hint)


async def _read(client: SupabaseClient, table: SupabaseTable, order: tuple[str, ...], *, limit: int = 1) -> Rows:
    return await client.slice(table.schema, table.name, Asked(order=order, descending=bool(order), limit=limit))
