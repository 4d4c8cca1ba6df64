"""Rows that jsonb cannot hold: the change goes through and the message names the row, with and without outbox."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from hookbridge.standins import PostgrestStandin
from tests.support.books import settled
from tests.support.project import SECRET, Project
from tests.support.running import make_settings, running

ADDRESS = "https://hooks.example.com"
AWKWARD = {
    "a NUL in a json column": (r"""'{"text": "\u0000"}'::json""", """'{"text": ""}'::json"""),
    "a number of 400,000 digits in a json column": ("'1e400000'::json", "'1'::json"),
    "a text of more than jsonb's 256 MB": ("decode(repeat('00', 140000000), 'hex')", "'\\x00'::bytea"),
    "a cast to json that raises": ("'sad'::mood", "'glad'::mood"),
}
VARIANTS = pytest.mark.parametrize("outbox", [False, True], ids=["direct", "outbox"])


@pytest.fixture
async def moody(project: Project) -> Project:
    """The project with a type whose cast to json does not take all of its values."""
    await project.sql.execute(
        "create type mood as enum ('sad', 'glad');"
        "create function mood_json(mood) returns json language sql as"
        " $$ select (case $1 when 'glad' then '1' else (1 / (length($1::text) - 3))::text end)::json $$;"
        "create cast (mood as json) with function mood_json(mood)"
    )
    return project


@VARIANTS
@pytest.mark.parametrize("case", AWKWARD)
async def test_a_row_that_json_cannot_hold_is_saved_and_told_by_its_key(
    moody: Project,
    case: str,
    outbox: bool,  # noqa: FBT001  a parameter
) -> None:
    awkward, plain = AWKWARD[case]
    type_ = await moody.sql.fetchval(f"select pg_typeof({plain})::text")
    await moody.sql.execute(f'create table odd ("the id" int, no text, value {type_})')
    await moody.install(ADDRESS, "odd", key=("the id", "no"), outbox=outbox)
    warned: list[str] = []
    moody.sql.add_log_listener(lambda _, message: warned.append(message.message))

    await moody.sql.execute(f"insert into odd values (1, 'a,b', {awkward})")
    await moody.sql.execute(f"update odd set value = {plain}")
    await moody.sql.execute("delete from odd")

    key = {"the id": 1, "no": "a,b"}
    inserted, updated, deleted = (request.payload for request in await moody.queued())
    assert (inserted["type"], inserted["record"], inserted["old_record"]) == ("INSERT", key, None)
    assert (updated["type"], updated["record"], updated["old_record"]) == ("UPDATE", key, key)
    assert (inserted["truncated"], updated["truncated"]) == (True, True)
    assert (deleted["type"], deleted["old_record"].keys()) == ("DELETE", {"the id", "no", "value"})
    assert "truncated" not in deleted
    assert warned == []


@VARIANTS
async def test_a_row_whose_key_cannot_be_told_either_is_saved_with_a_warning(
    project: Project,
    outbox: bool,  # noqa: FBT001  a parameter
) -> None:
    await project.sql.execute("create table odd (id json)")
    await project.install(ADDRESS, "odd", outbox=outbox)
    warned: list[str] = []
    project.sql.add_log_listener(lambda _, message: warned.append(message.message))
    await project.sql.execute(r"""insert into odd values ('"\u0000"')""")
    assert await project.sql.fetchval("select count(*) from odd") == 1
    assert await project.queued() == []
    (line,) = warned
    assert line.startswith("hookbridge was not told of a change in public.odd: ")


@VARIANTS
async def test_a_row_that_json_cannot_hold_is_read_from_its_source(
    project: Project,
    tmp_path: Path,
    outbox: bool,  # noqa: FBT001  a parameter
) -> None:
    await project.keep_secret(SECRET)
    await project.sql.execute("create table odd (id int, number json)")
    async with PostgrestStandin() as supabase:
        supabase.create_table("odd", {"id": "integer", "number": "text"})
        supabase.insert("odd", {"id": 1, "number": "as it is there"})
        secrets: dict[str, Any] = {
            "webhook_secrets": (SECRET,),
            "supabase_url": supabase.url,
            "supabase_key": "sb_secret_standin",
        }
        async with running(make_settings(tmp_path, secrets=secrets, signatures={"verify": True})) as service:
            await project.install(service.url, "odd", outbox=outbox)
            await project.sql.execute("insert into odd values (1, '1e400000')")
            assert await project.run_pg_net(http=service.http) == [202]
            await settled(service)
            answer = await service.get("/api/v1/records/supabase/odd/1")
            assert (await answer.json())["data"]["number"] == "as it is there"


# A cast to json is code that to_jsonb() calls with the rights of whoever installed the trigger.


@pytest.fixture
async def stranger(project: Project) -> AsyncIterator[str]:
    """A role that is no superuser and may create what it likes in the schema of its own."""
    name = f"stranger_{os.getpid()}"
    await project.sql.execute(f"create role {name}; create schema shop authorization {name}")
    yield name
    await project.sql.execute(f"reset role; drop owned by {name} cascade; drop role {name}")


_CAST = (
    "create type shop.mood as enum ('sad', 'glad');"
    "create function shop.mood_json(shop.mood) returns json language sql as $$ select '1'::json $$;"
    "create cast (shop.mood as json) with function shop.mood_json(shop.mood);"
)
COLUMNS = {
    "of the type itself": ("", "shop.mood"),
    "an array of it": ("", "shop.mood[]"),
    "a domain over it": ("create domain shop.feeling as shop.mood not null;", "shop.feeling"),
    "a row that has it": ("create type shop.person as (name text, moods shop.mood[]);", "shop.person"),
}


@pytest.mark.parametrize("case", COLUMNS)
async def test_a_table_that_would_run_a_strangers_cast_is_refused(project: Project, stranger: str, case: str) -> None:
    more, type_ = COLUMNS[case]
    table = f"create table shop.people (id int, mood {type_});"
    await project.sql.execute(f"set role {stranger}; {_CAST} {more} {table} reset role")
    with pytest.raises(asyncpg.RaiseError, match=r"runs code of other roles.*shop\.mood_json\(shop\.mood\)") as refused:
        await project.install(ADDRESS, "people", schema="shop")
    assert refused.value.hint is not None
    assert "alter function" in refused.value.hint
    await project.sql.execute("rollback")

    await project.sql.execute("alter function shop.mood_json(shop.mood) owner to current_user")
    await project.install(ADDRESS, "people", schema="shop")
    await project.uninstall("people", "shop")
