"""pg_net, which sends Supabase's webhooks: is it there, does its worker run, what was it answered.

It only reads, in one connection that ends with it; ``triggers`` and ``outbox`` look through it, too, at what pg_net is
given to send.  pg_net keeps answers for six hours and does not say whose they are, so a failed answer may belong to
another receiver.  Tables: https://supabase.github.io/pg_net/.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from hookbridge.config import SupabaseConfig
from hookbridge.doctor import outbox, outbox_taken, triggers
from hookbridge.doctor.finding import Finding, Findings, failed, ok, skipped, warning
from hookbridge.errors import named, to_install
from hookbridge.sources.signatures import STANDARD_PREFIX

if TYPE_CHECKING:
    import asyncpg

CHECK = "pg_net"
RESPONSES = "pg_net responses"
VAULT = "vault secret"
CONNECT_SECONDS = 10.0
QUEUE_LONG = 1_000
"""Five seconds of its work: longer than a burst that it works off takes to be told of."""
RESTART_HINT = "select net.worker_restart(); in Supabase's SQL editor"

_STATE = """
select (select extversion from pg_extension where extname = 'pg_net') as version,
       (select count(*) from net.http_request_queue) as queued,
       exists (
         select from pg_stat_activity where backend_type ilike 'pg_net%' or application_name ilike 'pg_net%'
       ) as working
"""
_ANSWERS = """
select count(*) as total, count(*) filter (where status_code is null or status_code >= 400) as failed,
       (array_agg(status_code is null or status_code >= 400 order by created desc, id desc))[1] as newest_failed
from net._http_response where created > now() - interval '6 hours'
"""
_NEWEST_FAILED = """
select status_code, timed_out, error_msg
from net._http_response where status_code is null or status_code >= 400 order by created desc, id desc limit 1
"""


async def look(url: str, secrets: Sequence[str], config: SupabaseConfig, names: Collection[str]) -> Findings:
    """Look into the project's database.

    ``secrets`` is what the service verifies with, ``config`` what it follows, ``names`` where it is known to answer.
    """
    if not url:
        hint = "give --database-url or SUPABASE_DB_URL (Supabase's dashboard: Connect)"
        yield skipped(CHECK, "no database URL, so how Supabase sends cannot be seen", hint)
        return
    try:
        import asyncpg  # noqa: PLC0415  an extra
    except ImportError:
        yield failed(CHECK, "the package asyncpg is not installed", to_install("postgres"))
        return
    try:
        # Without a cache it works through Supabase's transaction pooler, too.
        sql = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS, statement_cache_size=0
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        # Of a URL that cannot be read the error may quote the password.
        why = type(error).__name__ if isinstance(error, ValueError) else named(error)
        yield failed(CHECK, f"the database cannot be reached: {why}", "check the database URL and its password")
        return
    try:
        if config.tables and len(config.pulled) == len(config.tables):
            yield skipped(CHECK, "nothing is sent: the changes of every table are taken")
        else:
            async for finding in _as_far_as_it_may(CHECK, _database(sql, secrets)):
                yield finding
        async for finding in triggers.look(sql, config.tables, names):
            yield finding
        async for finding in _as_far_as_it_may(outbox.CHECK, outbox.look(sql)):
            yield finding
        async for finding in outbox_taken.look_inside(sql, config.api_schema, expected=bool(config.pulled)):
            yield finding
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        yield failed(CHECK, f"the database cannot be looked at: {named(error)}", "connect as the role postgres")
    finally:
        await sql.close()


async def _as_far_as_it_may(check: str, findings: Findings) -> Findings:
    """Pass them on; what this role may not look at is skipped.  It may be one for taking changes, and nothing else."""
    import asyncpg  # noqa: PLC0415  an extra

    try:
        async for finding in findings:
            yield finding
    except asyncpg.InsufficientPrivilegeError as error:
        yield skipped(check, f"this role may not look: {error.message}", outbox_taken.AS_POSTGRES)


async def _database(sql: asyncpg.Connection, secrets: Sequence[str]) -> Findings:
    if await sql.fetchval("select to_regclass('net.http_request_queue')") is None:
        yield failed(CHECK, "the extension is not there, so no webhook is sent", "create extension pg_net;")
        return
    yield _state(await sql.fetchrow(_STATE))
    yield await _responses(sql)
    yield await _vault(sql, secrets)


def _state(row: Any) -> Finding:  # noqa: ANN401  asyncpg has no types
    queued = row["queued"]
    version = f"version {row['version']}, " if row["version"] else ""
    if row["working"]:
        if queued > QUEUE_LONG:
            hint = "one slow receiver delays all: look at net._http_response for timeouts"
            return warning(CHECK, f"{queued} requests wait in its queue", hint)
        return ok(CHECK, f"{version}its worker runs, {queued} in its queue")
    if queued:
        return failed(CHECK, f"its worker does not run, and {queued} requests wait in its queue", RESTART_HINT)
    return warning(CHECK, "its worker is not to be seen", RESTART_HINT)


async def _responses(sql: asyncpg.Connection) -> Finding:
    count = await sql.fetchrow(_ANSWERS)
    if not count["total"]:
        return ok(RESPONSES, "none in the last six hours")
    if not count["failed"]:
        return ok(RESPONSES, f"{count['total']} in the last six hours, all accepted")
    why, hint = _reason(await sql.fetchrow(_NEWEST_FAILED))
    message = f"{count['failed']} of {count['total']} in the last six hours failed, the last of them with {why}"
    return (failed if count["newest_failed"] else warning)(RESPONSES, message, hint)


def _reason(row: Any) -> tuple[str, str]:  # noqa: ANN401  asyncpg has no types
    """Say why an answer failed, and what to do about it."""
    status = row["status_code"]
    if status == 401:  # noqa: PLR2004  HTTP
        return "401", "make hookbridge_webhook_secret in Supabase Vault the same as WEBHOOK_SECRET"
    if status in (404, 405):
        return str(status), "correct the URL: python -m hookbridge trigger-sql --table … --url https://…"
    if status is not None:
        return str(status), "look at the service's log for that time"
    why = "a timeout" if row["timed_out"] else str(row["error_msg"] or "no answer")[:200]
    return why, "make the service reachable from Supabase: the URL given to trigger-sql, DNS, firewall"


async def _vault(sql: asyncpg.Connection, secrets: Sequence[str]) -> Finding:
    if await sql.fetchval("select to_regprocedure('hookbridge_webhooks.secret()')") is None:
        hint = "python -m hookbridge trigger-sql --table … --url https://…"
        return skipped(VAULT, "no trigger of hookbridge's is installed", hint)
    secret = await sql.fetchval("select hookbridge_webhooks.secret()")
    if secret is None:
        hint = "select vault.create_secret('…', 'hookbridge_webhook_secret'); with the WEBHOOK_SECRET"
        return (failed if secrets else warning)(VAULT, "there is none, so the triggers sign nothing", hint)
    if _key(secret) not in map(_key, secrets):
        hint = "make hookbridge_webhook_secret in Supabase Vault the same as WEBHOOK_SECRET"
        return failed(VAULT, "the triggers sign with another secret than WEBHOOK_SECRET", hint)
    return ok(VAULT, "is WEBHOOK_SECRET")


def _key(secret: str) -> str:
    """Give what the secret signs with: base64's padding may be left out."""
    return secret.rstrip("=") if secret.startswith(STANDARD_PREFIX) else secret
