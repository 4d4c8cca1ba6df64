"""`events dead` and `events dismiss` against a running service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookbridge.model import Outcome
from tests.support.books import balanced
from tests.support.commands import command
from tests.support.events import event, settlement
from tests.support.running import Running, make_settings, running


@pytest.fixture
async def letters(tmp_path: Path) -> AsyncIterator[Running]:
    """A service with four dead letters, of two reasons."""
    async with running(make_settings(tmp_path / "data"), process=False) as client:
        store = client.service.store
        for number, reason in enumerate(("no user 41", "no user 42", "no page", "no user 43"), start=1):
            await store.append([event(number)], client.service.now())
            (claim,) = await store.claim("supabase", 1, lease_seconds=60.0)
            await store.settle(settlement(claim, Outcome.DEAD, reason=reason))
        yield client


async def test_dead_letters_are_shown_by_their_reasons(letters: Running, tmp_path: Path) -> None:
    ran = await command(tmp_path, "events", "dead", "--url", letters.url)
    assert ran.code == 0
    assert [line.partition("  (last")[0] for line in ran.out.splitlines()] == ["3  no user …", "1  no page"]
    assert [line.rpartition("; ")[2] for line in ran.out.splitlines()] == ["users 3)", "users 1)"]
    ran = await command(tmp_path, "events", "dead", "--reason", "no page", "--json", "--url", letters.url)
    assert [(one["reason"], one["count"], one["newest"]) for one in ran.lines] == [("no page", 1, 3)]
    ran = await command(tmp_path, "events", "dead", "--source", "notion", "--url", letters.url)
    assert (ran.code, ran.out, ran.err) == (0, "", "No dead letter matches\n")


async def test_dead_letters_are_dismissed_by_number_by_reason_and_all(letters: Running, tmp_path: Path) -> None:
    at = ("--url", letters.url)
    ran = await command(tmp_path, "events", "dismiss", "1", "1", "99", "--note", "a test", *at)
    assert (ran.code, ran.out) == (0, "1 event is dismissed; 1 other is no dead letter\n")
    ran = await command(tmp_path, "events", "dismiss", "--reason", "no user 7", "--dry-run", *at)
    assert (ran.code, ran.out) == (0, "2 events would be dismissed\n")
    ran = await command(tmp_path, "events", "dismiss", "--reason", "no user 7", "--limit", "1", "--json", *at)
    assert (ran.code, ran.lines) == (0, [{"dismissed": 1, "limit_reached": True, "next_cursor": 4}])
    assert await balanced(letters) == {"received": 4, "dead": 2, "ignored": 2}
    ran = await command(tmp_path, "events", "dismiss", "--all", *at)
    assert (ran.code, ran.out) == (0, "2 events are dismissed\n")
    assert await balanced(letters) == {"received": 4, "ignored": 4}
    ran = await command(tmp_path, "events", "list", "--reason", "dismissed (a test): no user 1", "--json", *at)
    assert [one["id"] for one in ran.lines] == [1]


@pytest.mark.parametrize(
    "words", [(), ("1", "--all"), ("1", "--limit", "3"), ("--outcome", "dead"), ("--since", "yesterday")]
)
async def test_a_dismissal_of_nothing_in_particular_exits_2(
    letters: Running, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ran = await command(tmp_path, "events", "dismiss", *words, "--url", letters.url)
    assert ran.code == 2
    assert ran.err.startswith("error: ")
    assert ran.err.splitlines()[-1].startswith("try: ")
    assert await balanced(letters) == {"received": 4, "dead": 4}
