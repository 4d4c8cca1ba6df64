"""The clock, held against the ``Date`` of the sources' answers (RFC 9110, 6.6.1: whole seconds).

Standard Webhooks are refused when their time is further away than the tolerance, so a clock that is wrong by more
refuses every one of them.  Whether the source takes our key is not asked here: any answer has a date.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import httpx

from hookbridge.config import Settings
from hookbridge.doctor.finding import Finding, Findings, failed, ok, skipped, warning
from hookbridge.settings.certificates import trusted

CHECK = "clock"
TELLING_SECONDS = 10.0
"""Less is the way of an answer and the rounding of its date."""


async def look(settings: Settings, now: Callable[[], float]) -> Findings:
    """Compare with each source that is configured."""
    urls = dict(_urls(settings))
    if not urls:
        yield skipped(CHECK, "no source to compare it with")
    async with httpx.AsyncClient(verify=trusted(), timeout=settings.config.supabase.timeout_seconds) as http:
        for source, url in urls.items():
            try:
                answer = await http.get(url)
                yield _compared(settings, source, answer.headers.get("Date", ""), now())
            except (httpx.HTTPError, httpx.InvalidURL):
                yield skipped(CHECK, f"{source} gives no answer to compare it with")


def _urls(settings: Settings) -> list[tuple[str, str]]:
    urls = []
    if settings.secrets.supabase_url:
        urls.append(("Supabase", f"{settings.secrets.supabase_url}/rest/v1/"))
    if settings.secrets.notion_token:
        urls.append(("Notion", f"{settings.config.notion.base_url.rstrip('/')}/v1/"))
    return urls


def _compared(settings: Settings, source: str, date: str, now: float) -> Finding:
    try:
        theirs = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return skipped(CHECK, f"{source}'s answer has no date to compare it with")
    off = now - theirs
    if abs(off) <= TELLING_SECONDS:
        return ok(CHECK, f"as {source}'s")
    message = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} {source}'s"
    hint = "let the clock be set by NTP (timedatectl set-ntp true)"
    tolerance = settings.config.signatures.tolerance_seconds
    if abs(off) > tolerance:
        return failed(CHECK, f"{message}: Standard Webhooks are refused beyond {tolerance} s", hint)
    return warning(CHECK, message, hint)
