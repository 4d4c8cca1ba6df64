"""What all processes of a crash test agree on: names, secrets, the service's environment and its handler.

It starts nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

KEY, TOKEN = "sb_secret_for_the_crash_test", "ntn_for_the_crash_test"
SECRET, NOTION_SECRET = "a-secret-of-the-crash-test", "secret_of_the_crash_test"
ADMIN_TOKEN = "admin-token-of-the-crash-test"  # noqa: S105  of a service that lives for minutes
DATABASE = "11111111-1111-4111-8111-111111111111"
TABLE = "users"
PULLED = "orders"
"""A table whose changes are taken from an outbox; all others are told by webhooks."""

RETAINED_SECONDS = 20.0
"""How long settled events and absences stay: so short that every run sees them go, and longer than it is from one look
to the next on all but the busiest machine.  What was sent earlier than that before a look, the look only counts."""

WITH_BODIES = f"""
[[notion.databases]]
id = "{DATABASE}"
content = true
"""
"""What every service's settings have: pages are read with their bodies."""

TAKEN = f"""
[[supabase.tables]]
name = "{PULLED}"
changed_at = "updated_at"
pull = true
"""
"""What those have that take changes."""

LEASE_SECONDS = 5.5
"""So short that a service which was stopped finds its claims taken over."""

SHORT_LEASES = {
    "HOOKBRIDGE_PROCESSING__LEASE_SECONDS": str(LEASE_SECONDS),
    # A lease has to outlast all attempts of a change: three times these, and the waits between them.
    "HOOKBRIDGE_SUPABASE__TIMEOUT_SECONDS": "1",
    "HOOKBRIDGE_NOTION__TIMEOUT_SECONDS": "1",
    "HOOKBRIDGE_CACHE__TIMEOUT_SECONDS": "0.1",
    "HOOKBRIDGE_HANDLERS__TIMEOUT_SECONDS": "0.5",
}
OVERTAKEN = "overtaken by another worker"
"""What the service logs of a settlement that was fenced."""

HANDLERS = """
from hookbridge import Change, bridge


@bridge.on("supabase")
@bridge.on("notion")
async def note(change: Change) -> None:
    with open(f"effects-{change.newest.id // 200}.log", "ab", buffering=0) as log:
        log.write(b"".join(b"%d\\n" % event.id for event in change.events))
"""
"""A handler with an effect outside the store: a line for each event that a call stands for.

Many small files: what is full for the data file must not be full for them, or the handler's own failure would make dead
letters."""


def prepare(folder: Path, *, takes: bool = True) -> None:
    """Write what the service finds in its folder; only one of several takes the changes of an outbox."""
    (folder / "effects.py").write_text(HANDLERS)
    (folder / "config.toml").write_text(TAKEN * takes + WITH_BODIES)


def environment(supabase_url: str, notion_url: str) -> dict[str, str]:
    """Give the environment of the service: signatures on, retention at work, both sources with credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOOKBRIDGE_")}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "SUPABASE_URL": supabase_url,
        "SUPABASE_KEY": KEY,
        "NOTION_TOKEN": TOKEN,
        "VERIFY_WEBHOOK_SIGNATURES": "true",
        "WEBHOOK_SECRET": SECRET,
        "NOTION_WEBHOOK_SECRET": NOTION_SECRET,
        "HOOKBRIDGE_ADMIN_TOKEN": ADMIN_TOKEN,
        "HOOKBRIDGE_HANDLERS__MODULE": "effects",
        "HOOKBRIDGE_NOTION__BASE_URL": notion_url,
        "HOOKBRIDGE_NOTION__REQUESTS_PER_SECOND": "10000",
        "HOOKBRIDGE_NOTION__TIMEOUT_SECONDS": "2",
        "HOOKBRIDGE_SUPABASE__TIMEOUT_SECONDS": "2",
        "HOOKBRIDGE_SUPABASE__PULL_SECONDS": "0.05",
        "HOOKBRIDGE_SUPABASE__PULL_SECONDS_MAX": "0.25",
        "HOOKBRIDGE_PROCESSING__RETRY_DELAY_SECONDS": "0.1",
        "HOOKBRIDGE_PROCESSING__PROBE_MAX_SECONDS": "1",
        "HOOKBRIDGE_RECONCILE__ENABLED": "false",
        "HOOKBRIDGE_RETENTION__SETTLED_DAYS": str(RETAINED_SECONDS / 86_400),
        "HOOKBRIDGE_RETENTION__TOMBSTONE_DAYS": "0.0105",
        "HOOKBRIDGE_RETENTION__INTERVAL_SECONDS": "0.5",
        "HOOKBRIDGE_STORE__MIN_FREE_BYTES": "0",
        "HOOKBRIDGE_LOGGING__LEVEL": "warning",
        "HOOKBRIDGE_LOGGING__FORMAT": "json",
        "HOOKBRIDGE_SERVER__ACCESS_LOG": "none",
    }


def module(name: str, *arguments: str) -> list[str]:
    """Give the command that runs one of our modules."""
    return [sys.executable, "-m", name, *arguments]
