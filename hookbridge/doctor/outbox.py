"""The outbox of ``trigger-sql --outbox``: what waits in it, and the job that delivers it.

It reads only, in a connection that is its caller's.  Where no table has an outbox there is nothing to find.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hookbridge.doctor.finding import Finding, Findings, failed, ok, warning

if TYPE_CHECKING:
    import asyncpg

CHECK = "outbox"
JOB = "outbox job"
SHOWN_MAX = 200
SCHEDULE = "select cron.schedule('hookbridge_webhooks', '10 seconds', 'select hookbridge_webhooks.deliver()');"

_WAITING = """
select count(*) as messages,
       -- A message that was just sent waits for the job's next run, which may come once a minute.
       count(*) filter (where created_at < now() - interval '2 minutes') as late,
       extract(epoch from now() - min(created_at))::float8 as oldest_seconds,
       (array_agg(last_error order by id desc) filter (where last_error is not null))[1] as error
from hookbridge_webhooks.outbox
"""
_JOBS = """
select jobid, schedule, active from cron.job
where command like '%hookbridge_webhooks.deliver%' order by active desc, jobid
"""
_LAST_RUN = """
select status, return_message from cron.job_run_details
where jobid = $1 and status in ('succeeded', 'failed') order by start_time desc limit 1
"""


async def look(sql: asyncpg.Connection) -> Findings:
    """Look at the outbox and its job, where there is one."""
    if await sql.fetchval("select to_regclass('hookbridge_webhooks.outbox')") is None:
        return
    yield _waiting(await sql.fetchrow(_WAITING))
    yield await _job(sql)


def _waiting(row: Any) -> Finding:  # noqa: ANN401  asyncpg has no types
    if not row["messages"]:
        return ok(CHECK, "every message has arrived")
    if not row["late"]:
        return ok(CHECK, f"{row['messages']} messages on their way")
    oldest = timedelta(seconds=int(row["oldest_seconds"]))
    why = f", last error: {row['error'][:SHOWN_MAX]}" if row["error"] else ""
    message = (
        f"{row['messages']} messages have not arrived, the oldest for {oldest}{why}; after seven days one is dropped"
    )
    return warning(CHECK, message, "see pg_net responses and the outbox job; select * from hookbridge_webhooks.outbox;")


async def _job(sql: asyncpg.Connection) -> Finding:
    if await sql.fetchval("select to_regclass('cron.job')") is None:
        hint = "create extension pg_cron; and run the SQL of trigger-sql --outbox again"
        return warning(JOB, "pg_cron is not there: something else has to call hookbridge_webhooks.deliver()", hint)
    job = await sql.fetchrow(_JOBS)
    if job is None:
        message = "no job of pg_cron calls hookbridge_webhooks.deliver(), so nothing is sent again"
        return failed(JOB, message, f"{SCHEDULE} (or connect as the role that has the job)")
    if not job["active"]:
        hint = f"select cron.alter_job({job['jobid']}, active := true);"
        return failed(JOB, "it is switched off, so nothing is sent again", hint)
    last = await sql.fetchrow(_LAST_RUN, job["jobid"])
    if last is not None and last["status"] == "failed":
        message = f"its last run failed: {str(last['return_message'])[:SHOWN_MAX]}"
        return failed(JOB, message, "select hookbridge_webhooks.deliver(); shows the error again")
    return ok(JOB, f"runs with the schedule {job['schedule']}")
