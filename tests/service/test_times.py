"""Times and durations as the API writes them: ISO 8601 with a zone, and seconds under a name that says so."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hookbridge.web.openapi import document
from hookbridge.web.routes import ROUTES
from tests.support.commands import command
from tests.support.followed import Sources, loaded, sources
from tests.support.running import ADMIN, Running, running
from tests.support.waiting import wait_until

SCHEMAS = json.loads(document(ROUTES))["components"]["schemas"]
REQUESTS = {"ReconcileBody", "ReplayBody", "DismissBody"}
"""What is asked for may be any form of ISO 8601."""
PROPERTIES = [
    (struct, name, shape) for struct, one in SCHEMAS.items() for name, shape in one.get("properties", {}).items()
]

WORDS = {"at", "since", "as_of", "until"}
FOREIGN = {"changed_at", "edited_at", "occurred_at"}
"""As the source or the sender wrote it."""
NO_DURATIONS = {"share", "score", "success_rate", "requests_per_second", "indexing"}
PER_SECOND = {("PerSecond", "received"), ("PerSecond", "applied")}


def forms(shape: dict[str, Any]) -> list[dict[str, Any]]:
    return [form for form in shape.get("anyOf", [shape]) if form != {"type": "null"}]


def is_time(name: str) -> bool:
    return name in WORDS or name.endswith(("_at", "_since", "_until"))


def test_every_time_of_the_api_is_iso_8601() -> None:
    times = [
        (struct, name, forms(shape)) for struct, name, shape in PROPERTIES if is_time(name) and struct not in REQUESTS
    ]
    assert len(times) > 20
    wrong = [
        (struct, name)
        for struct, name, shapes in times
        for shape in shapes
        if shape["type"] != "string" or (name not in FOREIGN and shape.get("format") != "date-time")
    ]
    assert wrong == []


def test_every_duration_of_the_api_is_in_seconds_and_says_so() -> None:
    numbers = {
        (struct, name) for struct, name, shape in PROPERTIES for one in forms(shape) if one.get("type") == "number"
    }
    durations = {(struct, name) for struct, name in numbers - PER_SECOND if name not in NO_DURATIONS}
    assert durations
    assert [one for one in durations if not one[1].endswith("_seconds")] == []


@pytest.fixture
async def both() -> AsyncIterator[Sources]:
    async with sources() as one:
        yield one


def times_in(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every time in an answer that is set, with its name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from times_in(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from times_in(inner, name)
    elif is_time(name) and name not in FOREIGN and value is not None:
        yield name, value


async def test_what_operators_are_told_of_lanes_and_tables_has_times_that_are_read_as_such(
    both: Sources, tmp_path: Path
) -> None:
    both.supabase.insert("users", {"id": 1, "name": "one"})
    async with running(both.settings(tmp_path)) as bridge:
        await wait_until(lambda: loaded(bridge))
        paused = await bridge.http.post("/api/v1/sources/notion/pause", headers=ADMIN)
        answers = [
            await paused.json(),
            *[await (await bridge.get(path)).json() for path in ("/readyz", "/api/v1/reconcile")],
        ]
        for words in (("stats",), ("reconcile",)):
            answers += (await command(tmp_path, *words, "--json", "--url", bridge.url)).lines
    told = list(times_in(answers))
    names = {name for name, _ in told} - {"started_at"}  # of nodes
    assert names == {"since", "last_poll_at", "last_sweep_at"}
    assert all(datetime.fromisoformat(str(time)).tzinfo for _, time in told)


async def test_a_burst_says_how_long_it_took_in_seconds(client: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "send", "supabase", "--count", "3", "--json", "--url", client.url)
    (said,) = ran.lines
    durations = {"took_seconds", "median_answer_seconds", "slowest_answer_seconds"}
    assert set(said) == {"sent", "statuses", "per_second"} | durations
    assert 0 < said["median_answer_seconds"] <= said["slowest_answer_seconds"] <= said["took_seconds"]
