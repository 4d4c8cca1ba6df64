"""A row has one name: copies under another spelling of its key are extra, and odd keys are proven like any others."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from hookbridge.api.reconcile import PassResult
from hookbridge.errors import RecordUnreadable
from hookbridge.model import RecordKey
from hookbridge.standins import PostgrestStandin
from hookbridge.standins.wire import Webhook
from tests.reconcile.test_proof import proofs, verify
from tests.support.followed import KEY, QUICK, copied
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

STILL = {"poll_seconds": 1000.0, "poll_seconds_max": 1000.0, "sweep_seconds": 1000.0}


@pytest.fixture
async def supabase() -> AsyncIterator[PostgrestStandin]:
    async with PostgrestStandin(key=KEY) as standin:
        yield standin


def following(
    folder: Path, supabase: PostgrestStandin, reconcile: dict[str, Any]
) -> AbstractAsyncContextManager[Running]:
    secrets = {"supabase_url": supabase.url, "supabase_key": KEY}
    tables = [{"name": "things", "key": ["k"]}]
    return running(make_settings(folder, secrets=secrets, supabase={"tables": tables}, reconcile=reconcile))


def thing(id_: str) -> RecordKey:
    return RecordKey("supabase", "public.things", id_)


def loaded(bridge: Running) -> bool:
    return bridge.service.reconciler.table("supabase", "public.things").sweep.state.loaded


class Respelling(NamedTuple):
    """A key that its source writes otherwise from some moment on."""

    type_name: str
    before: str
    now: str
    happens: Callable[[PostgrestStandin, "Respelling"], object]


def _written_anew(supabase: PostgrestStandin, key: Respelling) -> None:
    supabase.delete("things", key.before)
    supabase.insert("things", {"k": key.now, "name": "one"})


def _renamed(supabase: PostgrestStandin, key: Respelling) -> None:
    supabase.update("things", key.before, {"k": key.now})


def _moved_to_berlin(supabase: PostgrestStandin, _: Respelling) -> None:
    supabase.set_time_zone("Europe/Berlin")


SPELLINGS = [
    Respelling("numeric", "0.11", "0.110000000", _written_anew),
    Respelling("numeric", "5", "5.00", _written_anew),
    Respelling("numeric", "1.50", "1.5", _written_anew),
    Respelling("citext", "Ab", "aB", _renamed),
    Respelling("citext", "ab c", "AB c", _written_anew),
    Respelling("timestamptz", "2026-06-27T12:00:00+00:00", "2026-06-27T14:00:00+02:00", _moved_to_berlin),
    Respelling("timestamptz", "2025-12-31T23:30:00.25+00:00", "2026-01-01T00:30:00.25+01:00", _moved_to_berlin),
]


@pytest.mark.parametrize("key", SPELLINGS)
async def test_a_copy_under_an_older_spelling_is_extra_and_healed(
    supabase: PostgrestStandin, tmp_path: Path, key: Respelling
) -> None:
    async with _respelled(supabase, tmp_path, STILL, key) as bridge:
        proof = proofs(await verify(bridge))["public.things"]
        assert (proof["equal"], proof["missing"], proof["extra"]) == (0, 1, 1)
        assert proof["keys"] == {"missing": [key.now], "extra": [key.before]}
        lines = await verify(bridge, heal=True)
        assert (proofs(lines)["public.things"]["equal"], lines[-1]["agrees"]) == (1, True)
        assert await copied(bridge, thing(key.before)) is None


@pytest.mark.parametrize("key", SPELLINGS)
async def test_a_sweep_removes_the_copy_under_an_older_spelling(
    supabase: PostgrestStandin, tmp_path: Path, key: Respelling
) -> None:
    async with _respelled(supabase, tmp_path, QUICK, key) as bridge:

        async def one() -> bool:
            gone = await copied(bridge, thing(key.before)) is None
            return gone and await copied(bridge, thing(key.now)) is not None

        await wait_until(one)
        proof = proofs(await verify(bridge))["public.things"]
        assert (proof["equal"], proof["missing"], proof["extra"]) == (1, 0, 0)


@asynccontextmanager
async def _respelled(
    supabase: PostgrestStandin, folder: Path, reconcile: dict[str, Any], key: Respelling
) -> AsyncIterator[Running]:
    """A service whose copy has the row's key as it was written before."""
    supabase.create_table("things", {"k": key.type_name, "name": "text"}, key=("k",))
    supabase.insert("things", {"k": key.before, "name": "one"})
    async with following(folder, supabase, reconcile) as bridge:
        await wait_until(lambda: loaded(bridge))
        assert await copied(bridge, thing(key.before)) is not None
        key.happens(supabase, key)
        yield bridge


async def test_the_empty_text_is_a_key_like_any_other(supabase: PostgrestStandin, tmp_path: Path) -> None:
    supabase.create_table("things", {"k": "text", "name": "text"}, key=("k",))
    supabase.insert_many("things", [{"k": "", "name": "nameless"}, {"k": "a", "name": "a"}])
    async with following(tmp_path, supabase, STILL) as bridge:
        await wait_until(lambda: loaded(bridge))
        assert proofs(await verify(bridge))["public.things"]["equal"] == 2
        supabase.update("things", "", {"name": "changed"})
        assert proofs(await verify(bridge))["public.things"]["keys"] == {"differing": [""]}
        healed = proofs(await verify(bridge, heal=True))["public.things"]
        assert (healed["healed"], healed["equal"]) == (1, 2)
        supabase.delete("things", "")
        assert proofs(await verify(bridge))["public.things"]["keys"] == {"extra": [""]}
        healed = proofs(await verify(bridge, heal=True))["public.things"]
        assert (healed["healed"], healed["equal"], healed["extra"]) == (1, 1, 0)


async def test_a_record_that_cannot_be_asked_for_is_named_and_the_others_are_compared(
    supabase: PostgrestStandin, tmp_path: Path
) -> None:
    long = "é" * 1_800
    supabase.create_table("things", {"k": "text", "name": "text"}, key=("k",))
    supabase.insert_many("things", [{"k": long, "name": "long"}, *({"k": f"k{n}", "name": "x"} for n in range(5))])
    async with following(tmp_path, supabase, STILL) as bridge:
        await wait_until(lambda: loaded(bridge))
        supabase.update("things", long, {"name": "changed"})
        supabase.update("things", "k3", {"name": "changed"})
        proof = proofs(await verify(bridge))["public.things"]
        assert sorted(proof["keys"]["differing"]) == ["k3", long]
        assert proof["equal"] == 4


async def test_a_listing_goes_on_past_keys_that_are_too_long_to_be_asked_behind(
    supabase: PostgrestStandin, tmp_path: Path
) -> None:
    supabase.create_table("things", {"k": "text", "name": "text"}, key=("k",))
    supabase.insert_many("things", [{"k": f"{n:05}", "name": "x"} for n in range(998)])
    supabase.insert_many("things", [{"k": letter * 1_800, "name": "long"} for letter in "éöü"])
    supabase.insert_many("things", [{"k": "€", "name": "last"}])
    async with following(tmp_path, supabase, STILL) as bridge:
        await wait_until(lambda: loaded(bridge))
        proof = proofs(await verify(bridge))["public.things"]
        assert (proof["equal"], proof["missing"], proof["extra"]) == (1_002, 0, 0)


async def test_a_slice_of_keys_that_are_too_long_ends_a_listing_only_where_nothing_follows(
    supabase: PostgrestStandin, tmp_path: Path
) -> None:
    supabase.max_rows = 2
    supabase.create_table("things", {"k": "text", "name": "text"}, key=("k",))
    supabase.insert_many("things", [{"k": key, "name": "x"} for key in ("a", "b", "é" * 1_800, "ö" * 1_800)])
    async with following(tmp_path, supabase, STILL) as bridge:
        await wait_until(lambda: loaded(bridge))
        assert proofs(await verify(bridge))["public.things"]["equal"] == 4
        supabase.insert("things", {"k": "€", "name": "behind both"})
        lines = await verify(bridge)
        assert (
            "a key that is too long for an address"
            in next(one for one in lines if one["type"] == "unproven")["message"]
        )
        with pytest.raises(RecordUnreadable):
            await bridge.service.reconciler.reconcile("supabase", "public.things", "sweep")
        supabase.max_rows = 1_000
        assert (await bridge.service.reconciler.reconcile("supabase", "public.things", "sweep")).found == 1


async def test_a_sweep_finds_that_the_row_of_the_empty_key_is_gone(supabase: PostgrestStandin, tmp_path: Path) -> None:
    supabase.create_table("things", {"k": "text", "name": "text"}, key=("k",))
    supabase.insert_many("things", [{"k": "", "name": "nameless"}, {"k": "a", "name": "a"}])
    async with following(tmp_path, supabase, QUICK) as bridge:
        await wait_until(lambda: loaded(bridge))
        supabase.delete("things", "")

        async def is_gone() -> bool:
            return await copied(bridge, thing("")) is None

        await wait_until(is_gone)
        assert await copied(bridge, thing("a")) is not None


@pytest.mark.parametrize("key", ["", "a\nb\x7f", "https://example.org/" + "k" * 1_500])
async def test_a_row_of_an_odd_key_is_the_same_whether_a_webhook_or_a_listing_brings_it(
    supabase: PostgrestStandin, tmp_path: Path, key: str
) -> None:
    async with told_of(supabase, tmp_path, "text") as (bridge, told):
        supabase.insert("things", {"k": key, "name": "by webhook"})
        assert await _taken(bridge, told) == 202
        await wait_until(lambda: not bridge.service.store.open_events)
        assert await copied(bridge, thing(key)) == {"k": key, "name": "by webhook"}
        supabase.update("things", key, {"name": "by sweep"})
        swept = await bridge.service.reconciler.reconcile("supabase", "public.things", "sweep")
        assert swept == PassResult(listed=1, found=1)
        await wait_until(lambda: not bridge.service.store.open_events)
        assert await copied(bridge, thing(key)) == {"k": key, "name": "by sweep"}
        assert (await verify(bridge))[-1]["agrees"] is True
        supabase.delete("things", key)
        assert await _taken(bridge, told) == 202
        await wait_until(lambda: not bridge.service.store.open_events)
        assert await copied(bridge, thing(key)) is None


async def test_a_deletion_that_was_told_in_another_zone_needs_no_sweep(
    supabase: PostgrestStandin, tmp_path: Path
) -> None:
    rows = [{"k": "2026-01-01T09:00:00Z", "name": "from Berlin"}]
    async with told_of(supabase, tmp_path, "timestamptz", rows) as (bridge, told):
        name = thing("2026-01-01T09:00:00+00:00")
        assert await copied(bridge, name) is not None
        supabase.delete("things", "2026-01-01T09:00:00Z")
        [webhook] = told
        in_berlin = webhook.body.replace(b"09:00:00+00:00", b"10:00:00+01:00")
        assert in_berlin != webhook.body
        told[:] = [msgspec.structs.replace(webhook, body=in_berlin)]
        assert await _taken(bridge, told) == 202
        await wait_until(lambda: not bridge.service.store.open_events)
        assert await copied(bridge, name) is None


@pytest.mark.parametrize("key", ["k" * 8_193, "é" * 9_000])
async def test_a_key_that_no_index_holds_is_refused_as_a_webhook_and_named_in_a_listing(
    supabase: PostgrestStandin, tmp_path: Path, key: str
) -> None:
    async with told_of(supabase, tmp_path, "text") as (bridge, told):
        supabase.insert("things", {"k": key, "name": "too long"})
        assert await _taken(bridge, told) == 422
        supabase.insert("things", {"k": "short", "name": "as ever"})
        await bridge.service.reconciler.reconcile("supabase", "public.things", "sweep")
        await wait_until(lambda: not bridge.service.store.open_events)
        lines = await verify(bridge)
        proof = proofs(lines)["public.things"]
        assert (proof["equal"], proof["missing"], lines[-1]["agrees"]) == (1, 1, False)


@asynccontextmanager
async def told_of(
    supabase: PostgrestStandin, folder: Path, key: str, rows: Sequence[dict[str, Any]] = ()
) -> AsyncIterator[tuple[Running, list[Webhook]]]:
    """A service that has loaded the table of this key's type, and the webhooks that have not been sent to it."""
    supabase.create_table("things", {"k": key, "name": "text"}, key=("k",))
    supabase.insert_many("things", rows)
    told: list[Webhook] = []
    supabase.listen(told.append)
    async with following(folder, supabase, STILL) as bridge:
        await wait_until(lambda: loaded(bridge))
        yield bridge, told


async def _taken(bridge: Running, told: list[Webhook]) -> int:
    webhook = told.pop()
    url = f"{bridge.url}/api/v1/webhooks/supabase"
    async with bridge.http.post(url, data=webhook.body, headers=webhook.headers) as answer:
        return answer.status
