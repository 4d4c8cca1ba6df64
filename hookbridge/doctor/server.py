"""The running service: is it there, is it ready, does it take what is signed with our secret and nothing else.

The signed webhook goes to the test endpoint, which checks it completely and stores nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from hookbridge.config import Settings
from hookbridge.doctor.finding import Finding, Findings, failed, ok, skipped, warning
from hookbridge.holds import UNCONFIRMED
from hookbridge.settings.certificates import tls_problem, trusted
from hookbridge.sources.signing import headers

CHECK = "server"
TRIP = "round trip"
SECONDS = 10.0
PATH = "/api/v1/webhooks/test?source=supabase"
BODY = msgspec.json.encode(
    {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "1", "data": {"id": 1}}
)
JSON = {"Content-Type": "application/json"}


async def look(
    settings: Settings, url: str, admin_token: str | None, now: Callable[[], float], *, expected: bool
) -> Findings:
    """Look at the service at this URL."""
    # A proxy of the environment does not know this machine's own addresses.
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False, verify=trusted()) as http:
        try:
            alive = await http.get("/healthz")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if (problem := tls_problem(url, error)) is not None:
                yield failed(CHECK, *problem)
            else:
                message = f"no service answers at {url} ({type(error).__name__})"
                hint = "start it with python -m hookbridge, or name it with --url"
                yield failed(CHECK, message, hint) if expected else warning(CHECK, message, hint)
            yield skipped(TRIP, "no service is running")
            return
        if alive.status_code != HTTPStatus.OK or _object(alive).get("status") != "ok":
            yield failed(
                CHECK, f"what answers at {url} is no hookbridge", "check [server] port, --url and HOOKBRIDGE_URL"
            )
            yield skipped(TRIP, "no service is running")
            return
        try:
            yield await _token(http, url, admin_token)
            async for finding in _readiness(http, admin_token):
                yield finding
            yield await _trip(http, settings, now())
            if settings.config.signatures.verify:
                signature = await _notion_signature(http, settings, admin_token)
                if signature is not None:
                    yield signature
        except httpx.HTTPError as error:
            yield failed(CHECK, f"the service stopped answering ({type(error).__name__})", "look at its log")


async def _token(http: httpx.AsyncClient, url: str, token: str | None) -> Finding:
    answer = await http.get("/api/v1/events?limit=1", headers=_authorized(token))
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        hint = "set HOOKBRIDGE_ADMIN_TOKEN as the service has it, or restart the service"
        return failed(CHECK, f"the service at {url} refuses the admin token", hint)
    return ok(CHECK, f"answers at {url} and takes the admin token")


async def _readiness(http: httpx.AsyncClient, token: str | None) -> Findings:
    answer = await http.get("/readyz", headers=_authorized(token))
    readiness = _object(answer)
    if not readiness.get("ready"):
        yield _not_ready(readiness)
    for lane in readiness.get("lanes", ()):
        reason = f": {lane['reason']}" if lane.get("reason") else ""
        if lane["state"] == "paused":
            waits = lane.get("reason") == UNCONFIRMED
            hint = "python -m hookbridge " + ("notion-token" if waits else f"resume {lane['source']}")
            yield warning(f"lane {lane['source']}", lane.get("reason") or "paused by an operator", hint)
        elif lane["state"] != "running":
            hint = "see the finding of this source; the lane goes on by itself"
            yield failed(f"lane {lane['source']}", f"{lane['state']}{reason}", hint)
        for table in lane.get("waiting", ()):
            why = f"its records wait: {table['reason']}"
            yield failed(f"table {lane['source']} {table['table']}", why, table.get("hint", ""))
    if (pull := readiness.get("pull")) is not None and pull["state"] != "running":
        yield failed("pull", f"takes no changes from Supabase: {pull['reason']}", pull.get("hint") or "look at its log")
    for found_table in map(_table, readiness.get("tables", ())):
        if found_table is not None:
            yield found_table


def _not_ready(found: dict[str, Any]) -> Finding:
    if fault := found.get("store_fault") or found.get("inbox_problem"):
        return failed(CHECK, f"not ready for webhooks: {fault['reason']}", fault["remedy"])
    why = "" if found.get("inbox_writable") else ": what it takes cannot be stored"
    return failed(CHECK, f"not ready for webhooks{why}", "look at its log")


def _table(table: dict[str, Any]) -> Finding | None:
    """Tell of a table that the reconciler cannot follow as it should."""
    check = f"reconciler {table['source']} {table['table']}"
    if table["state"] == "unconfirmed":
        which = f"--source {table['source']} --table {shlex.quote(table['table'])}"
        return warning(check, str(table["reason"]), f"python -m hookbridge reconcile {which} --sweep --confirm")
    if table["state"] == "failing":
        return failed(check, str(table["reason"]), "see the finding of this source or table")
    return None


async def _trip(http: httpx.AsyncClient, settings: Settings, now: float) -> Finding:
    secrets = settings.secrets.webhook_secrets
    if not secrets:
        return skipped(TRIP, "no WEBHOOK_SECRET to sign with", "set WEBHOOK_SECRET, and restart the service")
    answer = await http.post(PATH, content=BODY, headers={**JSON, **headers(secrets[0], BODY, now=now)})
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        hint = "set the service's WEBHOOK_SECRET here, or restart it if the secret was changed; check its clock"
        return failed(TRIP, "the running service refuses what is signed with WEBHOOK_SECRET", hint)
    if answer.status_code != HTTPStatus.OK:
        said = str(_object(answer).get("message", ""))[:200]
        return failed(TRIP, f"the running service answered {answer.status_code} {said}".rstrip(), "look at its log")
    unsigned = await http.post(PATH, content=BODY, headers=JSON)
    if settings.config.signatures.verify and unsigned.status_code == HTTPStatus.OK:
        message = "the running service takes unsigned webhooks, although the settings say that it verifies"
        return failed(TRIP, message, "restart it with these settings")
    verified = "and refused unsigned" if unsigned.status_code == HTTPStatus.UNAUTHORIZED else "as any other is"
    return ok(TRIP, f"a signed webhook is accepted, {verified}")


async def _notion_signature(http: httpx.AsyncClient, settings: Settings, token: str | None) -> Finding | None:
    """Look at Notion's verification token; None where there is none and nobody reads Notion."""
    check = "notion signature"
    # The answer has the secret itself, which is not told.
    answer = await http.get("/api/v1/notion/verification-token", headers=_authorized(token))
    learnt = _object(answer) if answer.status_code == HTTPStatus.OK else None
    if learnt is not None and not learnt.get("confirmed"):
        message = f"the verification token was learnt at {learnt.get('learnt_at')} from {learnt.get('learnt_from')}"
        hint = "when Notion's form has taken it: python -m hookbridge notion-token --confirm"
        return warning(check, f"{message}, and nobody has confirmed it", f"{hint}; else --forget")
    if settings.secrets.notion_webhook_secrets:
        return ok(check, "NOTION_WEBHOOK_SECRET is set")
    if learnt is not None:
        return ok(check, "the verification token was learnt by the handshake, and confirmed")
    if answer.status_code != HTTPStatus.NOT_FOUND:
        return skipped(check, f"the service answered {answer.status_code}")
    if not settings.secrets.notion_token:
        return None
    hint = "make a webhook subscription in the integration's settings that points at /api/v1/webhooks/notion"
    return warning(check, "no verification token yet, so webhooks of a subscription are refused", hint)


def _authorized(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
