"""Dead letters over HTTP: gathered by their reasons, and replayed or given up by group, by number or by time."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hookbridge import PermanentFailure
from tests.support.books import balanced, event, events, hint, send, settled
from tests.support.handling import Handling
from tests.support.running import ADMIN, Running, make_settings, running


@pytest.fixture
async def letters(tmp_path: Path) -> AsyncIterator[Running]:
    """A service with five events: three dead letters for want of a user, one for want of a page, and one applied."""
    user = Handling(tmp_path)
    async with running(make_settings(tmp_path, handlers=user.section)) as client:
        for number, why in enumerate(("no user 41", "no user 42", "no page", "no user 43"), start=1):
            user.module.failures.append(PermanentFailure(why))
            await send(client, hint(number, table=user.table))
            await settled(client)
        await send(client, hint(5, table=user.table))
        assert await settled(client) == {"received": 5, "applied": 1, "dead": 4}
        yield client


async def post(client: Running, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = await client.post(f"/api/v1/events/{path}", body, ADMIN)
    assert answer.status == status, await answer.text()
    answered: dict[str, Any] = await answer.json()
    return answered


async def groups(client: Running, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/api/v1/events/dead{query}")
    assert answer.status == 200
    gathered: list[dict[str, Any]] = (await answer.json())["groups"]
    return gathered


async def test_a_group_is_dismissed_with_a_note_and_another_one_replayed(letters: Running) -> None:
    users, pages = await groups(letters)
    assert (users["count"], users["newest"]) == (3, 4)
    assert "no user …" in users["reason"]
    assert "no user 43" in users["newest_reason"]
    assert users["first_at"] <= users["last_at"]
    (table,) = users["tables"]
    named = (await event(letters, 1))["table"]
    assert (table["source"], table["table"], table["count"]) == ("supabase", named, 3)
    assert table["table_label"] == named.partition(".")[2]
    assert (table["first_at"], table["last_at"]) == (users["first_at"], users["last_at"])
    which = {"reason": users["reason"], "note": "gone since June"}
    assert (await post(letters, "dismiss", which | {"dry_run": True}))["matching"] == 3
    assert (await post(letters, "dismiss", which))["dismissed"] == 3
    assert await balanced(letters) == {"received": 5, "applied": 1, "ignored": 3, "dead": 1}
    shown = await event(letters, 1)
    assert shown["outcome"] == "ignored"
    assert shown["reason"].startswith("dismissed (gone since June): ")
    assert shown["reason"].endswith("no user 41")
    assert (await post(letters, "replay", {"outcome": "dead", "reason": pages["reason"]}))["replayed"] == 1
    assert await settled(letters) == {"received": 5, "applied": 2, "ignored": 3}
    assert await groups(letters) == []


async def test_what_is_dismissed_is_chosen_by_every_filter_of_a_replay(letters: Running) -> None:
    (first, second) = [(await event(letters, number))["received_at"] for number in (1, 2)]
    for which, expected in (
        ({"ids": [2, 5, 99]}, 1),
        ({"since": first, "until": second}, 1),
        ({"record_id": "3", "outcome": "dead"}, 1),
        ({"source": "notion"}, 0),
        ({"type": "delete"}, 0),
        ({"origin": "poll"}, 0),
        ({"q": "nowhere"}, 0),
        ({"all": True, "limit": 1}, 1),
    ):
        assert (await post(letters, "dismiss", which))["dismissed"] == expected, which
    assert await balanced(letters) == {"received": 5, "applied": 1, "ignored": 4}
    assert await post(letters, "dismiss", {"all": True}) == {
        "matching": None,
        "dismissed": 0,
        "limit_reached": False,
        "next_cursor": None,
    }


async def test_several_events_are_replayed_by_their_numbers(letters: Running) -> None:
    assert (await post(letters, "replay", {"ids": [1, 5, 99]}))["replayed"] == 2
    assert await settled(letters) == {"received": 6, "applied": 3, "dead": 3}


async def test_events_are_listed_by_when_they_came_and_why_they_ended(letters: Running) -> None:
    (second, fourth) = [(await event(letters, number))["received_at"] for number in (2, 4)]
    assert [one["id"] for one in await events(letters, since=second, until=fourth)] == [3, 2]
    assert [one["id"] for one in await events(letters, since="2099-01-01")] == []
    (users, _) = await groups(letters)
    assert [one["id"] for one in await events(letters, reason=users["newest_reason"])] == [4, 2, 1]
    assert [one["id"] for one in await events(letters, reason=users["reason"], outcome="applied")] == []
    assert [one["count"] for one in await groups(letters, "?table=nothing")] == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("dismiss", {}, "body"),
        ("dismiss", {"note": "only"}, "body"),
        ("dismiss", {"all": True, "source": "notion"}, "body"),
        ("dismiss", {"outcome": "applied"}, "outcome"),
        ("dismiss", {"source": "notion", "note": ""}, "note"),
        ("dismiss", {"source": "notion", "note": "x" * 501}, "note"),
        ("dismiss", {"ids": []}, "ids"),
        ("dismiss", {"ids": [-1]}, "ids"),
        ("dismiss", {"ids": list(range(501))}, "ids"),
        ("dismiss", {"since": "yesterday"}, "since"),
        ("dismiss", {"until": "2026-13-01"}, "until"),
        ("dismiss", {"reason": ""}, "reason"),
        ("dismiss", {"nope": 1}, "nope"),
        ("replay", {"ids": ["1"]}, "ids"),
        ("replay", {"ids": list(range(501))}, "ids"),
        ("replay", {"since": "0"}, "since"),
    ],
)
async def test_what_is_wrong_with_a_choice_of_events_is_named(
    letters: Running, path: str, body: dict[str, Any], field: str
) -> None:
    answered = await post(letters, path, body, status=422)
    assert [one["loc"][-1] for one in answered["detail"]] == [field]
    assert await balanced(letters) == {"received": 5, "applied": 1, "dead": 4}


async def test_only_an_operator_dismisses(letters: Running) -> None:
    answer = await letters.post(
        "/api/v1/events/dismiss", {"all": True}, {"Authorization": "Bearer another-token-of-16"}
    )
    assert answer.status == 401
    assert await balanced(letters) == {"received": 5, "applied": 1, "dead": 4}


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/api/v1/events/dismiss", {"since": "yesterday"}, "since"),
        ("/api/v1/events/replay", {"until": "x"}, "until"),
        ("/api/v1/events/dismiss", {"table": "a:b"}, "table"),
        ("/api/v1/events/replay", {"source": "supabase", "table": "users", "record_id": "\0"}, "record_id"),
        ("/api/v1/reconcile", {"source": "supabase", "table": "a:b"}, "table"),
        ("/api/v1/verify", {"table": "users"}, "source"),
    ],
)
async def test_what_is_wrong_in_a_body_is_looked_for_there(
    client: Running, path: str, body: dict[str, str], name: str
) -> None:
    answer = await client.post(path, body, ADMIN)
    assert answer.status == 422
    assert [one["loc"] for one in (await answer.json())["detail"]] == [["body", name]]
