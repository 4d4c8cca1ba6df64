"""A record that senders spell otherwise than its source: one copy, one hit, and nothing that is raised again."""

from pathlib import Path

import pytest

from hookbridge.model import RecordKey
from tests.support.books import hint, send, settled
from tests.support.followed import Sources, copied, gone, has, loaded, sources
from tests.support.running import Running, running
from tests.support.waiting import wait_until

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
OWN = RecordKey("supabase", "public.items", UUID)
ALIAS = RecordKey("supabase", "public.items", UUID.upper())
FOLLOWED = {"tables": [{"name": "items"}]}
UNHEARD = {"enabled": False}


async def hits(service: Running, word: str) -> list[str]:
    answer = await service.get(f"/api/v1/search?q={word}")
    return [hit["id"] for hit in (await answer.json())["hits"]]


def items(both: Sources) -> None:
    both.supabase.create_table("items", {"id": "uuid", "name": "text"})
    both.supabase.insert("items", {"id": UUID, "name": "before"})


async def test_a_webhook_that_spells_its_record_otherwise_brings_the_one_copy_up_to_date(tmp_path: Path) -> None:
    async with sources() as both:
        items(both)
        async with running(both.settings(tmp_path, supabase=FOLLOWED, reconcile=UNHEARD)) as service:
            await send(service, hint(UUID, table="items"))
            await settled(service)
            both.supabase.update("items", UUID, {"name": "after"})
            await send(service, hint(UUID.upper(), table="items"))
            assert await settled(service) == {"received": 2, "applied": 2}
            assert await copied(service, ALIAS) is None
            assert await has(service, OWN, name="after")()
            assert (await hits(service, "before"), await hits(service, "after")) == ([], [UUID])


async def test_a_deletion_that_spells_its_record_otherwise_takes_the_copy_away(tmp_path: Path) -> None:
    async with sources() as both:
        items(both)
        async with running(both.settings(tmp_path, supabase=FOLLOWED, reconcile=UNHEARD)) as service:
            await send(service, hint(UUID, table="items"))
            await settled(service)
            both.supabase.delete("items", UUID)
            await send(service, hint(UUID.upper(), table="items", event_type="delete"))
            assert await settled(service) == {"received": 2, "applied": 2}
            assert await gone(service, OWN)()
            assert await hits(service, "before") == []


async def test_sweeps_do_not_raise_another_spelling_again_and_again(tmp_path: Path) -> None:
    async with sources() as both:
        items(both)
        async with running(both.settings(tmp_path, supabase=FOLLOWED)) as service:
            await wait_until(lambda: loaded(service))
            await send(service, hint(UUID.upper(), table="items"))
            await settled(service)
            swept = service.service.reconciler.tables["supabase", "public.items"].sweep
            began = swept.state.completed_at or 0.0
            both.supabase.insert("items", {"id": UUID.replace("a0", "b0", 1), "name": "later"})
            await wait_until(lambda: (swept.state.completed_at or 0.0) > began + 0.5)
            await wait_until(has(service, RecordKey("supabase", "public.items", UUID.replace("a0", "b0", 1))))
            assert await settled(service) == {"received": 2, "applied": 2}


@pytest.mark.parametrize("known", [True, False])
async def test_a_record_is_found_by_either_spelling(tmp_path: Path, known: object) -> None:
    async with sources() as both:
        items(both)
        async with running(both.settings(tmp_path, supabase=FOLLOWED, reconcile=UNHEARD)) as service:
            if known:
                await send(service, hint(UUID, table="items"))
                await settled(service)
            for id_ in (UUID.upper(), UUID):
                answer = await service.get(f"/api/v1/records/supabase/items/{id_}")
                assert (answer.status, (await answer.json())["id"]) == (200, UUID)
                diff = await service.get(f"/api/v1/records/supabase/items/{id_}/diff")
                assert (await diff.json())["agrees"] is True
            assert await copied(service, ALIAS) is None
            assert await hits(service, "before") == [UUID]
