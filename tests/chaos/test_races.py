"""``scripts/race-test`` in short: three nodes' stores over one Postgres, and that its auditor would find it out."""

import json
from pathlib import Path

import pytest

from scripts.racing import audit
from scripts.racing.__main__ import race
from tests.support import databases


class Moments:
    """Gives the auditor what a test says is there."""

    def __init__(self, **others: object) -> None:
        books = {"received": 3, "open": 1, "applied": 1, "dead": 1}
        self.seen: dict[str, object] = {
            "counters": json.dumps(books),
            "events": 3,
            "open": 1,
            "ends": json.dumps({"applied": 1, "dead": 1}),
            "both": 0,
            "foreign_open": 0,
            "foreign_ends": 0,
            "versions": 0,
            "unfed": 0,
            "copies": json.dumps({"supabase:public.users:1": [5, json.dumps({"name": "name3"})]}),
        } | others

    async def fetch(self, _: str) -> list[dict[str, object]]:
        return [self.seen]


async def looked(*moments: Moments) -> list[str]:
    auditor = audit.Auditor(moments[0])
    for moment in moments:
        auditor.sql = moment
        await auditor.look()
    return auditor.broken


async def test_a_moment_at_which_everything_holds_is_no_finding() -> None:
    assert await looked(Moments(), Moments()) == []


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"both": 1}, "both: 1 rows"),
        ({"versions": 2}, "versions: 2 rows"),
        ({"unfed": 1}, "unfed: 1 rows"),
        ({"events": 4}, "4 events, of which 3 are open or ended"),
        ({"counters": json.dumps({"received": 4, "open": 1, "applied": 1, "dead": 1})}, "do not balance"),
        ({"open": 0, "ends": json.dumps({"applied": 2, "dead": 1})}, "the books count others"),
        ({"copies": json.dumps({"supabase:public.users:1": [4, json.dumps({"name": "name3"})]})}, "went back"),
        ({"copies": json.dumps({"supabase:public.users:1": [6, json.dumps({"name": "name2"})]})}, "went back"),
    ],
)
async def test_what_does_not_hold_is_told(other: dict[str, object], says: str) -> None:
    (told,) = await looked(Moments(), Moments(**other))
    assert says in told


@pytest.mark.parametrize("pooled", [False, True])
async def test_three_nodes_lose_nothing_while_their_backends_are_killed(tmp_path: Path, *, pooled: bool) -> None:
    if pooled and not databases.has_pooler():
        pytest.skip("pgbouncer is not installed")
    through = databases.url(tmp_path, pooled=True) if pooled else None
    result = await race(databases.server_url(), 1.0, 7, through=through)
    assert result.broken == []
    assert min(result.acknowledged, result.settled, result.audits) > 0
