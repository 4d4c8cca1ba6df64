"""Changes are taken from an outbox at Supabase: stored before they are done, whatever goes wrong on the way."""

import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hookbridge.config import Settings
from hookbridge.model import RecordKey
from hookbridge.standins.wire import Reply
from hookbridge.store.sqlite.backups import back_up
from tests.support.commands import command
from tests.support.data import disk_gets_low
from tests.support.engines import store_section
from tests.support.metrics import Scrape
from tests.support.outboxes import Answer, OutboxStandin, confirming, taking
from tests.support.running import ADMIN, Running, make_settings, running
from tests.support.waiting import wait_until

KEY = "sb_secret_for_tests"
SLOW = {"poll_seconds": 600.0, "poll_seconds_max": 600.0, "sweep_seconds": 600.0, "sweep_requests_per_second": 1000.0}
"""Nothing is found but by what is taken, or by a sweep that is asked for."""


@pytest.fixture
async def there() -> AsyncIterator[OutboxStandin]:
    async with OutboxStandin(key=KEY) as supabase:
        supabase.create_table("users", {"id": "bigint", "name": "text"})
        supabase.create_table("plain", {"id": "bigint", "name": "text"})
        yield supabase


def pulled(folder: Path, there: OutboxStandin, **sections: Mapping[str, Any]) -> Settings:
    given: dict[str, Mapping[str, Any]] = {
        "supabase": {
            "tables": [{"name": "users", "pull": True}],
            "pull_seconds": 0.01,
            "pull_seconds_max": 0.02,
        },
        "processing": {"probe_max_seconds": 0.05},
        "reconcile": SLOW,
    }
    merged = {name: {**given.get(name, {}), **sections.get(name, {})} for name in {*given, *sections}}
    return make_settings(folder, secrets={"supabase_url": there.url, "supabase_key": KEY}, **merged)


def put_back(file: Path, backup: Path) -> None:
    """Restore a backup, as the manual says."""
    for one in file.parent.glob(f"{file.name}*"):
        one.unlink()
    backup.rename(file)


async def ready(service: Running) -> dict[str, Any]:
    answer: dict[str, Any] = await (await service.get("/readyz")).json()
    return answer


async def state(service: Running) -> dict[str, Any]:
    return dict((await ready(service))["pull"])


async def in_state(service: Running, word: str) -> dict[str, Any]:
    async def is_so() -> bool:
        return bool((await state(service))["state"] == word)

    await wait_until(is_so)
    return await state(service)


async def loaded(service: Running) -> None:
    async def is_so() -> bool:
        return all(one["state"] == "following" for one in (await ready(service))["tables"])

    await wait_until(is_so)


async def name_of(service: Running, id_: object, table: str = "users") -> str | None:
    copy = await service.service.store.copy(RecordKey("supabase", f"public.{table}", str(id_)))
    return None if copy is None or copy.data is None else json.loads(copy.data)["name"]


async def has(service: Running, id_: object, name: str | None) -> None:
    """Wait until the copy of a user has this name, or is gone."""

    async def is_so() -> bool:
        return await name_of(service, id_) == name

    await wait_until(is_so)


async def all_done(service: Running, there: OutboxStandin) -> None:
    await wait_until(lambda: not there.messages and service.service.store.open_events == 0)


async def events(service: Running) -> list[dict[str, Any]]:
    answer = await service.http.get("/api/v1/events", headers=ADMIN, params={"origin": "pull"})
    assert answer.status == 200, await answer.text()
    return list(reversed((await answer.json())["events"]))


async def test_what_is_written_and_deleted_there_is_taken_and_then_done(tmp_path: Path, there: OutboxStandin) -> None:
    async with running(pulled(tmp_path, there)) as service:
        await loaded(service)
        there.insert("users", {"id": 1, "name": "Ada"})
        await has(service, 1, "Ada")
        there.update("users", 1, {"name": "Ada L."})
        await has(service, 1, "Ada L.")
        there.delete("users", 1)
        await has(service, 1, None)
        await all_done(service, there)
        assert [(one["type"], one["origin"]) for one in await events(service)] == [
            ("insert", "pull"),
            ("update", "pull"),
            ("delete", "pull"),
        ]
        shown = await state(service)
        assert (shown["state"], shown["way"], shown["tables"]) == ("running", "data_api", ["public.users"])
        assert (shown["taken"], shown["refused"], shown["overflowed"]) == (3, 0, 0)
        assert (await ready(service))["verdict"]["problems"] == []
        seen = Scrape(await (await service.get("/metrics")).text())
        assert seen("events_received_total", source="supabase", origin="pull") == 3
        assert seen("changes_announced_total", source="supabase", table="public.users") == 3
        assert seen("pull_state", state="running") == 1
        assert seen("pull_waiting") == 0
    assert there.stores == [there.stores[0]] * len(there.stores)


async def test_nothing_is_asked_where_no_table_is_pulled(tmp_path: Path, there: OutboxStandin) -> None:
    async with running(pulled(tmp_path, there, supabase={"tables": [{"name": "users"}]})) as service:
        await loaded(service)
        assert (await ready(service))["pull"] is None
        assert "hookbridge_pull_state{" not in await (await service.get("/metrics")).text()
    assert not there.stores


async def test_a_table_without_anything_to_take_with_is_warned_of(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, supabase={"tables": [{"name": "users", "pull": True}]})
    async with running(settings) as service:
        assert any("public.users: nothing is taken" in one for one in (await ready(service))["warnings"])


async def test_many_are_taken_in_their_order_and_a_burst_at_once(tmp_path: Path, there: OutboxStandin) -> None:
    for number in range(3):
        there.insert("users", {"id": number, "name": "new"})
        for step in range(100):
            there.update("users", number, {"name": f"step {step}"})
    there.most = 250
    async with running(pulled(tmp_path, there), process=False) as service:
        await wait_until(lambda: not there.messages)
        store = service.service.store
        page = [await store.event(number) for number in range(1, 304)]
        names = [json.loads(one.event.body)["record"]["name"] for one in page if one is not None]
    expected = ["new", *(f"step {step}" for step in range(100))]
    assert names == expected * 3
    assert there.taken == 2


async def test_a_changed_key_is_a_deletion_and_an_insertion(tmp_path: Path, there: OutboxStandin) -> None:
    async with running(pulled(tmp_path, there)) as service:
        await loaded(service)
        there.insert("users", {"id": 1, "name": "Ada"})
        await has(service, 1, "Ada")
        there.update("users", 1, {"id": 2})
        await has(service, 2, "Ada")
        await has(service, 1, None)


async def test_what_was_stored_and_not_done_comes_again_as_a_duplicate(tmp_path: Path, there: OutboxStandin) -> None:
    there.insert("users", {"id": 1, "name": "Ada"})
    lost = there.faults.status(500, path=confirming)
    async with running(pulled(tmp_path, there)) as service:
        down = await in_state(service, "down")
        assert "500" in down["reason"]
        await has(service, 1, "Ada")
        assert there.messages
    lost.clear()
    there.release()
    async with running(pulled(tmp_path, there)) as service:
        await all_done(service, there)
        await in_state(service, "running")
        totals = await service.service.store.totals()
        assert (totals.by_origin.get("supabase:pull"), totals.duplicates > 0) == (1, True)


async def test_what_could_not_be_said_to_be_done_is_said_again_and_not_stored_again(
    tmp_path: Path, there: OutboxStandin
) -> None:
    there.insert("users", {"id": 1, "name": "Ada"})
    lost = there.faults.status(500, path=confirming)
    async with running(pulled(tmp_path, there)) as service:
        await in_state(service, "down")
        there.insert("users", {"id": 2, "name": "Grace"})
        lost.clear()
        await has(service, 2, "Grace")
        await all_done(service, there)  # though no lease has ended
        assert (await service.service.store.totals()).duplicates == 0

        async def are_counted() -> bool:
            return bool((await state(service))["taken"] == 2)

        await wait_until(are_counted)


async def test_a_message_that_is_no_event_is_told_and_holds_nothing_up(tmp_path: Path, there: OutboxStandin) -> None:
    there.put(
        b'{"type": "INSERT", "schema": "public", "table": "users", "record": {"name": "no key"}, "old_record": null}'
    )
    there.put(b'"no object"')
    there.insert("users", {"id": 1, "name": "Ada"})
    async with running(pulled(tmp_path, there)) as service:
        await has(service, 1, "Ada")
        await all_done(service, there)
        assert (await state(service))["refused"] == 2
        rejected = (await (await service.get("/api/v1/rejected")).json())["rejected"]
        assert {one["endpoint"] for one in rejected} == {"pull"}
        assert any("record.id" in one["message"] for one in rejected)


@pytest.mark.parametrize("depth", [1_500, 100_000])
async def test_a_message_that_is_nested_too_deeply_holds_nothing_up(
    tmp_path: Path, there: OutboxStandin, depth: int
) -> None:
    record = b'{"id": 3, "odd": "]}\\"", "nested": %b}' % (b"[" * depth + b"{}" + b"]" * depth)
    there.insert("users", {"id": 1, "name": "Ada"})
    there.put(
        b'{"type": "UPDATE", "schema": "public", "table": "users", "record": {"id": 1}, "old_record": %b}' % record
    )
    there.put(b"[" * depth + b"]" * depth)
    there.insert("users", {"id": 2, "name": "Grace"})
    async with running(pulled(tmp_path, there)) as service:
        await has(service, 1, "Ada")
        await has(service, 2, "Grace")
        await all_done(service, there)
        # It is known by its keys.
        assert [(one["type"], one["record_id"]) for one in await events(service)] == [
            ("insert", "1"),
            ("delete", "3"),
            ("insert", "1"),
            ("insert", "2"),
        ]
        assert (await state(service))["refused"] == 1
        rejected = (await (await service.get("/api/v1/rejected")).json())["rejected"]
        assert {one["endpoint"] for one in rejected} == {"pull"}


@pytest.mark.on("postgres")  # whose indexes take no name that is so long, however it is compressed
async def test_a_name_that_the_store_cannot_have_takes_no_other_with_it(tmp_path: Path, there: OutboxStandin) -> None:
    there.insert("users", {"id": 1, "name": "Ada"})
    record = {"id": random.Random(1).randbytes(1_400).hex()}
    message = {"type": "INSERT", "schema": "public", "table": "names", "record": record, "old_record": None}
    there.put(json.dumps(message).encode())
    there.insert("users", {"id": 2, "name": "Grace"})
    async with running(pulled(tmp_path, there)) as service:
        await has(service, 1, "Ada")
        await has(service, 2, "Grace")
        await all_done(service, there)
        assert (await state(service))["refused"] == 1


async def test_a_table_that_was_emptied_is_swept_as_confirmed(tmp_path: Path, there: OutboxStandin) -> None:
    for number in range(30):
        there.insert("users", {"id": number, "name": "there"})
    async with running(pulled(tmp_path, there, reconcile={**SLOW, "vanished_min": 1})) as service:
        await has(service, 29, "there")
        await loaded(service)
        there.empty("users")
        there.insert("users", {"id": 99, "name": "later"})
        for number in range(30):
            await has(service, number, None)
        await has(service, 99, "later")
        await all_done(service, there)
        (table,) = (await ready(service))["tables"]
        assert (table["state"], table["reason"]) == ("following", None)


async def test_what_went_with_an_emptied_table_counts_as_told(tmp_path: Path, there: OutboxStandin) -> None:
    for number in range(3):
        there.insert("users", {"id": number, "name": "there"})
        there.insert("plain", {"id": number, "name": "there"})
    tables = [{"name": "users", "pull": True}, {"name": "plain"}]
    at_once = {**SLOW, "grace_seconds": 0.05, "vanished_min": 10}
    async with running(pulled(tmp_path, there, supabase={"tables": tables}, reconcile=at_once)) as service:
        await loaded(service)
        await all_done(service, there)
        there.empty("plain")
        there.messages.clear()
        there.empty("users")
        for number in range(3):
            await has(service, number, None)
        await service.service.reconciler.reconcile("supabase", "public.plain", "sweep", confirm=True)

        async def is_counted() -> bool:
            return (await service.service.store.totals()).missed.get("supabase:public.plain") == 3

        await wait_until(is_counted)
        assert "supabase:public.users" not in (await service.service.store.totals()).missed


async def test_the_sweep_that_is_asked_for_outlives_a_restart(tmp_path: Path, there: OutboxStandin) -> None:
    there.insert("users", {"id": 1, "name": "Ada"})
    settings = pulled(tmp_path, there)
    async with running(settings) as service:
        await has(service, 1, "Ada")
        await loaded(service)
        await all_done(service, there)
        blocked = there.faults.status(503, path=lambda path: "/users" in path)
        there.empty("users")
        await wait_until(lambda: not there.messages)
    blocked.clear()
    async with running(settings) as service:
        await has(service, 1, None)


async def test_what_the_outbox_did_not_keep_is_swept_for_once(tmp_path: Path, there: OutboxStandin) -> None:
    settings = pulled(tmp_path, there)
    async with running(settings) as service:
        await loaded(service)
        there.insert("users", {"id": 1, "name": "Ada"})
        await has(service, 1, "Ada")
        there.messages.clear()
        there.insert("users", {"id": 2, "name": "not told"})
        there.messages.clear()
        there.overflowed = 1
        await has(service, 2, "not told")
        assert (await state(service))["overflowed"] == 1
        store = service.service.store
        asked = await store.note("sweep-asked:supabase:public.users")
    async with running(settings) as service:
        await wait_until(lambda: len(there.stores) > 3)
        looks = len(there.stores)
        await wait_until(lambda: len(there.stores) > looks + 3)
        assert await service.service.store.note("sweep-asked:supabase:public.users") == asked


async def test_what_was_not_kept_is_swept_for_again_when_its_transaction_has_ended(
    tmp_path: Path, there: OutboxStandin
) -> None:
    ahead = [0.0]
    settings = pulled(tmp_path, there)
    async with running(settings, clock=lambda: time.time() + ahead[0]) as service:
        await loaded(service)
        there.overflowed, there.overflowing = 1, True
        await looks(there)
        assert await sweeps_asked(service) == 1
        ahead[0] += 61.0
        await looks(there)
        assert await sweeps_asked(service) == 1  # nothing more can be seen yet
        there.insert("users", {"id": 1, "name": "committed"})
        there.messages.clear()
        there.overflowing = False
        await has(service, 1, "committed")
        assert await sweeps_asked(service) == 2
        await looks(there)
        assert await sweeps_asked(service) == 2
        there.overflowed, there.overflowing = 2, True
        ahead[0] += 61.0
        await looks(there)
        assert await sweeps_asked(service) == 3
    there.overflowing = False  # while nobody looks
    async with running(settings, clock=lambda: time.time() + ahead[0]) as service:
        await looks(there)
        assert await sweeps_asked(service) == 4


async def looks(there: OutboxStandin) -> None:
    """Wait until it was asked a few times more."""
    before = len(there.stores)
    await wait_until(lambda: len(there.stores) > before + 3)


async def sweeps_asked(service: Running) -> int:
    """Give how many sweeps of the users were asked for."""
    note = await service.service.store.note("sweep-asked:supabase:public.users")
    return 0 if note is None else int(json.loads(note)["number"])


async def test_while_an_outbox_stays_full_sweeps_are_asked_for_once_a_minute_and_after_the_last_loss(
    tmp_path: Path, there: OutboxStandin
) -> None:
    ahead = [0.0]

    def full(answer: Answer) -> Answer:
        there.overflowed += 1
        return {**answer, "overflowed": there.overflowed}

    async with running(pulled(tmp_path, there), clock=lambda: time.time() + ahead[0]) as service:
        await loaded(service)
        there.changes_answer = full
        await looks(there)
        assert await sweeps_asked(service) == 1
        there.changes_answer = lambda answer: answer
        there.insert("users", {"id": 1, "name": "not told"})
        there.messages.clear()
        await looks(there)
        assert await sweeps_asked(service) == 1
        ahead[0] = 61.0
        await has(service, 1, "not told")
        assert await sweeps_asked(service) == 2
        ahead[0] = 200.0
        await looks(there)
        assert await sweeps_asked(service) == 2


async def test_nothing_is_taken_while_the_inbox_takes_nothing(tmp_path: Path, there: OutboxStandin) -> None:
    async with running(pulled(tmp_path, there)) as service:
        await loaded(service)
        await disk_gets_low(service)
        await in_state(service, "held")
        there.insert("users", {"id": 1, "name": "Ada"})
        looks = len(there.stores)
        shown = await state(service)
        assert "disk is nearly full" in shown["reason"]
        assert any(one["kind"] == "pull held" for one in (await ready(service))["verdict"]["problems"])
        assert len(there.stores) == looks
        assert there.messages


async def test_what_does_not_fit_any_more_comes_again_when_there_is_room(tmp_path: Path, there: OutboxStandin) -> None:
    for number in range(150):
        there.insert("users", {"id": number, "name": "new"})
    few = pulled(tmp_path, there, store={**store_section(tmp_path), "max_open_events": 120})
    async with running(few, process=False) as service:
        await in_state(service, "held")
        assert (len(there.messages), service.service.store.open_events) == (30, 120)
    there.release()
    async with running(pulled(tmp_path, there)) as service:
        await all_done(service, there)
        assert [await name_of(service, number) for number in range(150)] == ["new"] * 150
        assert (await service.service.store.totals()).duplicates == 0


@pytest.mark.parametrize(
    "limits",
    [{"server": {"max_appends_in_flight": 20}}, {"store": {"max_open_events": 50}}],
    ids=["in flight", "open"],
)
async def test_bounds_that_are_smaller_than_what_is_stored_at_once_hold_nothing_up(
    tmp_path: Path, there: OutboxStandin, limits: dict[str, dict[str, Any]]
) -> None:
    for number in range(150):
        there.insert("users", {"id": number, "name": "new"})
    sections = {**limits, "store": {**store_section(tmp_path), **limits.get("store", {})}}
    async with running(pulled(tmp_path, there, **sections)):
        await wait_until(lambda: len(there.messages) < 150)


def json_reply(status: int, code: str | None = None, message: str = "no") -> Reply:
    body = json.dumps({"code": code, "message": message, "details": None, "hint": None}).encode()
    return Reply(status=status, body=body, headers={"Content-Type": "application/json; charset=utf-8"})


@pytest.mark.parametrize(
    ("reply", "word", "remedy"),
    [
        (json_reply(404, "PGRST202"), "refused", "trigger-sql --pull"),
        (json_reply(404, "42883"), "refused", "trigger-sql --pull"),
        (json_reply(403, "42501"), "refused", "secret key"),
        (json_reply(401, "42501"), "refused", "secret key"),
        (json_reply(406, "PGRST106"), "refused", "api_schema"),
        (json_reply(401), "refused", "SUPABASE_KEY"),
        (json_reply(500, "P0001"), "down", "dashboard"),
        (json_reply(503, "PGRST002"), "down", "dashboard"),
        (json_reply(429), "down", "dashboard"),
        (Reply(status=200, body=b"<html>", headers={"Content-Type": "text/html"}), "down", "SUPABASE_URL"),
        (Reply(status=200, body=b"{}", headers={"Content-Type": "application/json"}), "refused", "trigger-sql --pull"),
    ],
    ids=["missing", "broken", "forbidden", "anonymous", "schema", "key", "raises", "cache", "often", "html", "shape"],
)
async def test_what_the_source_answers_instead_says_what_to_do_and_ends_by_itself(
    tmp_path: Path, there: OutboxStandin, reply: Reply, word: str, remedy: str
) -> None:
    there.insert("users", {"id": 1, "name": "Ada"})
    there.insert("users", {"id": 2, "name": "Grace"})
    there.delete("users", 2)
    fault = there.faults.answer(reply, path=taking)
    async with running(pulled(tmp_path, there)) as service:
        shown = await in_state(service, word)
        assert remedy in shown["hint"]
        assert shown["since"]
        assert KEY not in json.dumps(shown)
        problems = {one["kind"]: one for one in (await ready(service))["verdict"]["problems"]}
        assert shown["hint"] in problems[f"pull {word}"]["remedy"]
        assert problems[f"pull {word}"]["level"] == ("bad" if word == "refused" else "warn")
        await wait_until(lambda: fault.hits > 2)
        fault.clear()
        await in_state(service, "running")
        await all_done(service, there)
        await has(service, 1, "Ada")


@pytest.mark.parametrize("what", ["reset", "hang", "cut"])
async def test_a_source_that_breaks_off_is_down_and_asked_again(
    tmp_path: Path, there: OutboxStandin, what: str
) -> None:
    fault = getattr(there.faults, what)(path=taking)
    there.insert("users", {"id": 1, "name": "Ada"})
    settings = pulled(tmp_path, there, supabase={"timeout_seconds": 0.2})
    async with running(settings) as service:
        assert (await in_state(service, "down"))["hint"]
        fault.clear()
        there.release()
        await has(service, 1, "Ada")
        await all_done(service, there)
        await in_state(service, "running")


async def test_as_long_as_the_source_asks_for_it_is_not_asked(tmp_path: Path, there: OutboxStandin) -> None:
    fault = there.faults.status(429, retry_after=600, path=taking)
    async with running(pulled(tmp_path, there)) as service:
        shown = await in_state(service, "down")
        assert fault.hits == 1
        assert shown["next_try_at"] > shown["since"]


@pytest.mark.parametrize(
    ("version", "remedy"), [(2, "update this hookbridge"), (0, "trigger-sql --pull")], ids=["newer", "older"]
)
async def test_functions_of_another_version_are_refused(
    tmp_path: Path, there: OutboxStandin, version: int, remedy: str
) -> None:
    there.changes_answer = lambda answer: {**answer, "version": version}
    async with running(pulled(tmp_path, there)) as service:
        assert remedy in (await in_state(service, "refused"))["hint"]


async def test_an_outbox_of_another_store_is_refused_and_after_a_take_over_everything_is_swept(
    tmp_path: Path, there: OutboxStandin
) -> None:
    def others(answer: Answer) -> Answer:
        return {**answer, "state": "other_store", "messages": [], "more": False}

    async with running(pulled(tmp_path, there)) as service:
        await loaded(service)
        there.changes_answer = others
        shown = await in_state(service, "refused")
        assert "--take-over" in shown["hint"]
        there.insert("users", {"id": 1, "name": "taken by the other one"})
        there.messages.clear()
        there.changes_answer = lambda answer: answer
        await in_state(service, "running")
        await has(service, 1, "taken by the other one")


@pytest.mark.on("sqlite")  # of a database of Postgres' own, its functions tell: tests/store/postgres/test_feed.py
async def test_a_store_that_was_restored_is_another_one_and_has_missed_what_was_done_since(
    tmp_path: Path, there: OutboxStandin
) -> None:
    settings = pulled(tmp_path, there)
    async with running(settings) as service:
        await loaded(service)
        there.insert("users", {"id": 1, "name": "before"})
        await has(service, 1, "before")
        back_up(settings.data_file, tmp_path / "backup.db")
        there.update("users", 1, {"name": "after"})
        await has(service, 1, "after")
        await all_done(service, there)
    async with running(settings):
        asked = len(there.stores)
        await wait_until(lambda: len(there.stores) > asked)
    assert len(set(there.stores)) == 1
    put_back(settings.data_file, tmp_path / "backup.db")
    async with running(settings) as service:
        await has(service, 1, "after")
    assert len(set(there.stores)) == 2


async def test_polls_of_a_pulled_table_are_in_no_hurry_while_its_changes_are_taken(
    tmp_path: Path, there: OutboxStandin
) -> None:
    there.create_table("timed", {"id": "bigint", "name": "text", "at": "timestamptz"}, changed_at="at")
    there.create_table("others", {"id": "bigint", "name": "text", "at": "timestamptz"}, changed_at="at")
    tables = [{"name": "timed", "changed_at": "at", "pull": True}, {"name": "others", "changed_at": "at"}]
    pace = {**SLOW, "poll_seconds": 30.0, "poll_seconds_max": 300.0}
    async with running(pulled(tmp_path, there, supabase={"tables": tables}, reconcile=pace)) as service:

        async def gap(table: str) -> float:
            (seconds,) = [
                float(one["poll_gap_seconds"]) for one in (await ready(service))["tables"] if one["table"] == table
            ]
            return seconds

        await in_state(service, "running")
        assert await gap("public.timed") == 300.0
        assert await gap("public.others") < 300.0
        there.installed = False
        await in_state(service, "refused")
        assert await gap("public.timed") < 300.0
        there.installed = True
        await in_state(service, "running")
        assert await gap("public.timed") == 300.0


async def test_the_names_of_messages_are_those_of_their_webhooks(tmp_path: Path, there: OutboxStandin) -> None:
    there.insert("users", {"id": 1, "name": "Ada"})
    ((id_, body),) = there.messages.items()
    async with running(pulled(tmp_path, there)) as service:
        await all_done(service, there)
        answer = await service.post("/api/v1/webhooks/supabase", body, {"webhook-id": f"msg_{uuid.UUID(id_).hex}"})
        assert (answer.status, (await service.service.store.totals()).duplicates) == (202, 1)


async def test_the_command_stats_has_a_line_of_it(tmp_path: Path, there: OutboxStandin) -> None:
    there.installed = False
    async with running(pulled(tmp_path, there)) as service:
        await in_state(service, "refused")
        ran = await command(tmp_path, "stats", "--url", service.url)
        assert (ran.code, "supabase outbox" in ran.out, "refused" in ran.out) == (0, True, True)
        ran = await command(tmp_path, "stats", "--json", "--url", service.url)
        assert ran.lines[0]["pull"]["state"] == "refused"
        ran = await command(tmp_path, "events", "list", "--origin", "pull", "--json", "--url", service.url)
        assert ran.code == 0
