"""The books as a user sees them, held against the events that are really there."""

from collections import Counter
from typing import Any
from urllib.parse import urlencode

from tests.support.running import Client
from tests.support.waiting import wait_until

WEBHOOKS = "/api/v1/webhooks"


def hint(
    id_: object = 1,
    *,
    table: str = "users",
    event_type: str = "update",
    source: str = "supabase",
    data: dict[str, Any] | None = None,
    **more: object,
) -> dict[str, object]:
    """A body in the guide's format; without a timestamp it cannot name itself."""
    body = {"event_type": event_type, "source": source, "table_name": table, "record_id": str(id_)}
    return {**body, "data": data or {}, **more}


async def send(service: Client, body: object, *, source: str = "supabase", **headers: str) -> int:
    """Send a webhook that has to be accepted; gives the id of its (last) event.  ``headers`` with ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await service.post(f"{WEBHOOKS}/{source}", body, named)
    assert answer.status == 202, await answer.text()
    return int(answer.headers["X-Hookbridge-Event"].rpartition(",")[2])


async def statistics(service: Client) -> dict[str, Any]:
    """What ``/stats`` says."""
    answer = await service.get(f"{WEBHOOKS}/stats")
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def event(service: Client, id_: int) -> dict[str, Any]:
    """One event as operators see it."""
    answer = await service.get(f"/api/v1/events/{id_}")
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def events(service: Client, **which: str) -> list[dict[str, Any]]:
    """All events that match, newest first."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await service.get("/api/v1/events?" + urlencode({**which, **cursor, "limit": 500}))
        page = await answer.json()
        found += page["events"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": str(page["next_cursor"])}


async def balanced(service: Client) -> dict[str, int]:
    """The books without what is zero: they balance, and they count the events that are there and nothing else."""
    said = (await statistics(service))["books"]
    assert said["received"] == said["open"] + said["applied"] + said["coalesced"] + said["ignored"] + said["dead"], said
    there = Counter(one["outcome"] or "open" for one in await events(service))
    counted = {name: number for name, number in said.items() if number}
    assert counted == dict(there) | ({"received": there.total()} if there else {})
    return counted


async def settled(service: Client) -> dict[str, int]:
    """Wait until nothing is open, and give the books."""

    async def nothing_is_open() -> bool:
        return bool((await statistics(service))["books"]["open"] == 0)

    await wait_until(nothing_is_open)
    return await balanced(service)
