"""/metrics: each figure says what happened, and the document lists exactly the names that are told."""

import asyncio
import re
from pathlib import Path

import pytest

from hookbridge.model import SOURCES, RecordKey, SourceName, Verification
from hookbridge.sources.notion.budget import Budget
from hookbridge.standins import PostgrestStandin
from hookbridge.standins.postgrest import errors
from tests.support.books import hint, settled
from tests.support.data import refusing
from tests.support.followed import loaded, sources
from tests.support.metrics import scrape, scrape_with_every_figure
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until
from tests.support.wire import ask

ROOT = Path(__file__).parents[2]
HOOK = "/api/v1/webhooks/supabase"


def of_one_node() -> str:
    """What the document says of a service that is alone."""
    before, _, rest = (ROOT / "docs" / "metrics.md").read_text().partition("## Several nodes")
    return before + rest.partition("\n## ")[2]


@pytest.mark.on("sqlite")  # what several nodes tell: test_cluster.py
async def test_the_document_lists_exactly_the_figures_that_are_told(client: Running) -> None:
    told = {name for name in (await scrape(client)).types if name.startswith("hookbridge_")}
    rows = re.findall(r"^\| `(hookbridge_\w+)` \|", of_one_node(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == told


@pytest.mark.on("sqlite")  # what several nodes tell: test_cluster.py
async def test_the_document_says_which_labels_each_figure_has(tmp_path: Path) -> None:
    text = of_one_node()
    listed = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"^\| `(hookbridge_\w+)` \| ([^|]*)\|", text, re.MULTILINE)
    }
    seen = await scrape_with_every_figure(tmp_path)
    assert {name: seen.labels_of(name) for name in listed} == listed


async def test_events_are_counted_by_origin_and_outcome(client: Running) -> None:
    for number in range(3):
        assert (await client.post(HOOK, hint(number))).status == 202
    await settled(client)
    stamped = hint(9, timestamp="2026-01-01T15:00:00Z")
    for _ in range(2):
        assert (await client.post(HOOK, stamped)).status == 202
    await settled(client)
    await client.post("/api/v1/events/1/replay", b"", ADMIN)
    await settled(client)
    seen = await scrape(client)
    assert seen("events_received_total", source="supabase", origin="webhook") == 4
    assert seen("events_received_total", source="supabase", origin="replay") == 1
    assert seen("events_received_total", source="notion", origin="poll") == 0
    assert seen.total("events_settled_total", source="supabase") == 5
    assert seen("duplicates_total") == 1
    assert seen("books_balanced") == 1
    assert seen("verifications_total", result="skipped") == 5
    assert seen("processing_seconds_count", source="supabase") == 5
    assert seen("change_attempts_sum", source="supabase") == 5
    assert seen("ack_seconds_count", source="supabase") == 5
    assert seen("ack_seconds_count", source="notion") == 0


async def test_what_waits_is_told(stored: Running) -> None:
    for number in (1, 1, 2):
        assert (await stored.post(HOOK, hint(number))).status == 202
    seen = await scrape(stored)
    assert seen("open_events") == 3
    assert seen("dirty_records", source="supabase") == 2
    assert seen("dirty_records", source="notion") == 0
    assert (seen("oldest_open_event_age_seconds") or 0) > 0
    assert seen("lane_state", source="supabase", state="paused") == 1
    assert seen("lane_state", source="supabase", state="running") == 0
    assert seen("source_up", source="supabase") is None, "without credentials nobody can say"


async def test_a_source_is_up_while_an_operator_holds_its_lane(tmp_path: Path) -> None:
    async with PostgrestStandin(key="sb_secret_for_tests") as supabase:
        secrets = {"supabase_key": "sb_secret_for_tests", "supabase_url": supabase.url}
        async with running(make_settings(tmp_path, secrets=secrets)) as service:
            await service.service.holds.pause("supabase")
            seen = await scrape(service)
    assert seen("lane_state", source="supabase", state="paused") == 1
    assert seen("source_up", source="supabase") == 1, "nothing is wrong with the source"


async def test_nothing_is_counted_twice_or_lost_by_a_restart(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running(settings) as first:
        await first.post(HOOK, hint(1))
        await settled(first)
        before = await scrape(first)
    async with running(settings) as second:
        after = await scrape(second)
    for name in ("events_received_total", "events_settled_total", "verifications_total"):
        assert after.total(name) == before.total(name) == 1
    assert after.total("ack_seconds_count") == 0


@pytest.mark.parametrize("access_log", ["errors", "all"])
async def test_both_ways_of_a_webhook_are_measured(tmp_path: Path, access_log: str) -> None:
    async with running(make_settings(tmp_path, server={"access_log": access_log})) as service:
        assert (await service.post(HOOK, hint(1))).status == 202
        seen = await scrape(service)
    assert seen("ack_seconds_count", source="supabase") == 1
    assert 0 < (seen("ack_seconds_sum", source="supabase") or 0) < 60


async def test_what_is_not_http_is_counted_too(client: Running) -> None:
    answer = await ask(client, b"POST /api/v1/webhooks/supabase HTTP/1.1\r\nContent-Length: many\r\n\r\n")
    assert answer.status == 400
    seen = await scrape(client)
    assert seen("requests_refused_total", endpoint="other", reason="bad_request") == 1


async def test_refusals_are_counted_by_their_code(client: Running) -> None:
    assert (await client.post(HOOK, b"{")).status == 400
    assert (await client.post("/api/v1/webhooks/notion", hint(1))).status == 400
    assert (await client.http.get("/api/v1/events")).status == 401
    assert (await client.http.get("/nothing/of/the/kind")).status == 404
    seen = await scrape(client)
    assert seen("requests_refused_total", endpoint="supabase", reason="invalid_json") == 1
    assert seen("requests_refused_total", endpoint="notion", reason="invalid_source") == 1
    assert seen("requests_refused_total", endpoint="other", reason="unauthorized") == 1
    assert seen("requests_refused_total", endpoint="other", reason="not_found") == 1


@pytest.mark.parametrize("access_log", ["errors", "all"])
async def test_a_webhook_that_cannot_be_stored_is_refused_and_no_ack(tmp_path: Path, access_log: str) -> None:
    async with running(make_settings(tmp_path, server={"access_log": access_log})) as service:
        async with refusing(service):
            assert (await service.post(HOOK, hint(1))).status == 503
        seen = await scrape(service)
    assert seen("requests_refused_total", endpoint="supabase", reason="unavailable") == 1
    assert seen("ack_seconds_count", source="supabase") == 0


async def test_a_dead_letter_shows_until_it_is_replayed(tmp_path: Path) -> None:
    secrets = {"supabase_key": "sb_secret_for_tests"}
    async with PostgrestStandin(key="sb_secret_for_tests") as supabase:
        settings = make_settings(tmp_path, secrets={**secrets, "supabase_url": supabase.url})
        async with running(settings) as service:
            supabase.create_table("users", {"id": "bigint"})
            supabase.faults.answer(errors.invalid_text("bigint", "1").reply, times=1)
            await service.post(HOOK, hint(1))
            await settled(service)
            dead = await scrape(service)
            await service.post("/api/v1/events/1/replay", b"", ADMIN)
            await settled(service)
            replayed = await scrape(service)
    assert dead("dead_letters") == 1
    assert dead("events_settled_total", source="supabase", outcome="dead") == 1
    assert dead("read_records_count", source="supabase") == 1
    assert replayed("dead_letters") == 0
    assert replayed("events_settled_total", source="supabase", outcome="dead") == 1
    assert replayed("events_settled_total", source="supabase", outcome="applied") == 1
    assert replayed("verifications_total", result="absent") == 1


async def test_a_source_that_refuses_the_key_is_down(tmp_path: Path) -> None:
    async with PostgrestStandin(key="another") as supabase:
        secrets = {"supabase_key": "sb_secret_for_tests", "supabase_url": supabase.url}
        async with running(make_settings(tmp_path, secrets=secrets)) as service:
            await service.post(HOOK, hint(1))
            lane = service.service.lanes["supabase"]
            await wait_until(lambda: lane.state().state == "refused")
            seen = await scrape(service)
    assert seen("source_up", source="supabase") == 0
    assert seen("source_up", source="notion") is None
    assert seen("lane_state", source="supabase", state="refused") == 1


async def test_followed_tables_have_their_lag_ages_and_loss(tmp_path: Path) -> None:
    async with sources() as both:
        both.supabase.insert("users", {"id": 1, "name": "Ada"})
        async with running(both.settings(tmp_path)) as service:
            await wait_until(lambda: loaded(service))
            users = {"source": "supabase", "table": "public.users"}
            first = await scrape(service)
            both.supabase.update("users", 1, {"name": "Ada Lovelace"})

            async def missed_and_applied() -> bool:
                now = await scrape(service)
                told = now("changes_missed_total", **users) == 1 and now("poll_lag_seconds", **users) is not None
                return told and now("table_state", **users, state="following") == 1

            await wait_until(missed_and_applied)
            seen = await scrape(service)
    assert first("changes_missed_total", **users) == 0
    assert (seen("poll_age_seconds", **users) or -1) >= 0
    assert (seen("poll_gap_seconds", **users) or -1) > 0
    assert (seen("sweep_age_seconds", **users) or -1) >= 0
    assert (seen("poll_lag_seconds", **users) or -1) >= 0
    assert seen("webhook_loss_ratio", **users) == 1
    assert seen("events_received_total", source="supabase", origin="poll") == 1
    assert seen("poll_age_seconds", source="supabase", table="public.plain") is None, "it is only swept"


async def test_what_each_read_asks_for_is_told(tmp_path: Path) -> None:
    async with sources() as both:
        both.supabase.insert_many("users", [{"id": number} for number in range(20)])
        pages = [both.notion.create_page(both.data_source, title="task") for _ in range(10)]
        keys: list[tuple[SourceName, str, str]] = [
            *(("supabase", "public.users", str(number)) for number in range(20)),
            *(("notion", both.database, page) for page in pages),
        ]
        async with running(both.settings(tmp_path, reconcile={"enabled": False})) as service:
            read = service.service.sources
            await asyncio.gather(*(read[source].read(RecordKey(source, table, id_)) for source, table, id_ in keys))
            seen = await scrape(service)
            await read["notion"].read(RecordKey(*keys[-1]))
            single = await scrape(service)
    for source, number in (("supabase", 20), ("notion", 10)):
        assert seen("read_records_count", source=source) == 1
        assert seen("read_records_sum", source=source) == number
    assert single("read_records_sum", source="notion") == 11


async def test_waiting_for_the_budget_and_a_halt_are_told(client: Running) -> None:
    budget: Budget = client.service.notion_budget
    budget.halt(100.0)
    budget.waited_seconds = 2.5
    seen = await scrape(client)
    assert 0 < (seen("notion_budget_halted_seconds") or 0) <= 100
    assert seen("notion_budget_wait_seconds_total") == 2.5


async def test_senders_cannot_make_labels(client: Running) -> None:
    await client.post(HOOK, hint(1))
    empty = await scrape(client)
    for number in range(50):
        await client.post(HOOK, hint(number, table=f"table{number}", event_type=f"made_up_{number}"))
        await client.post(f"/made/up/{number}", b"")
    full = await scrape(client)
    assert full.labels("table") == set()
    assert full.labels("source") == set(SOURCES)
    assert full.labels("result") == {one.value for one in Verification}
    new = set(full.text.splitlines()) - set(empty.text.splitlines())
    assert len(full.text.splitlines()) <= len(empty.text.splitlines()) + 4, new


@pytest.mark.on("sqlite")  # a server that refuses tells nothing: test_cluster.py
async def test_a_disk_that_refuses_is_told_and_leaves_out_what_must_be_read(client: Running, tmp_path: Path) -> None:
    async with refusing(client):
        seen = await scrape(client)
    assert (seen("inbox_writable"), seen("ready")) == (0, 0)
    assert seen("dirty_records", source="supabase") is None
    assert seen("oldest_open_event_age_seconds") is None
    assert seen("open_events") == 0
    async with running(make_settings(tmp_path / "other")) as other:
        well = await scrape(other)
    assert (well("inbox_writable"), well("ready")) == (1, 1)
    assert well("dirty_records", source="supabase") == 0
    assert well("oldest_open_event_age_seconds") == 0
    assert set(seen.types) == set(well.types)


async def test_two_services_of_one_process_share_nothing(client: Running, tmp_path: Path) -> None:
    async with running(make_settings(tmp_path / "other")) as other:
        await other.post(HOOK, hint(1))
        assert (await scrape(other)).total("ack_seconds_count") == 1
        assert (await scrape(client)).total("ack_seconds_count") == 0


async def test_the_answer_is_the_text_format(client: Running) -> None:
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (await client.http.get("/metrics")).status == 401
