"""Your own code, called for every change: config.toml has [handlers] module = "my_handlers", and this lies beside it.

A handler is called at least once for each change, so it must not matter whether it runs twice.  What it raises is tried
again at once, after 2 s and after 4 s; then the change is a dead letter that can be replayed.
"""

import asyncio
import json
from pathlib import Path

from hookbridge import Change, PermanentFailure, bridge

PROFILES = Path("profiles")


@bridge.on("supabase", table="users")
async def write_profile(change: Change) -> None:
    """Keep a small file for each user: written anew on every change, gone when the user is."""
    path = PROFILES / f"{change.record.id}.json"
    if change.columns is None:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        return
    if "email" not in change.columns:
        # Trying again would not help.
        raise PermanentFailure(f"{change.record} has no email")
    profile = {"name": change.columns["name"], "email": change.columns["email"]}
    await asyncio.to_thread(_write, path, json.dumps(profile))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@bridge.on("notion", event="update")
async def note_page(change: Change) -> None:
    """Say which page changed, and how sure hookbridge is of it."""
    print(change.record, change.verification)
