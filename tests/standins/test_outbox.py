"""The outbox of a project: the stand-in's answers what the real functions do, asked the same over the Data API."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from hookbridge.standins import PostgrestStandin
from tests.support.postgrest import data_api
from tests.support.project import project

KEY, ANON = "sb_secret_for_tests", "sb_publishable_for_tests"
Act = Callable[..., Coroutine[Any, Any, None]]


class Place:
    """A project whose table `users` is pulled, and its Data API."""

    def __init__(self, url: str, act: Act) -> None:
        self.act = act
        """Does one of: write(id, name), same(id), move(id, new id), delete(id), truncate()."""
        self._http = httpx.AsyncClient(base_url=f"{url}/rest/v1/rpc", timeout=60.0)

    async def call(self, name: str, key: str = KEY, **arguments: object) -> httpx.Response:
        headers = {"apikey": key, "Content-Profile": "public"}
        return await self._http.post(f"/{name}", json=arguments, headers=headers)

    async def take(self, most: int = 500, lease_seconds: float = 60.0, store: str = "a store") -> dict[str, Any]:
        answer = await self.call("hookbridge_take", most=most, lease_seconds=lease_seconds, store=store)
        assert answer.status_code == 200, answer.text
        taken: dict[str, Any] = answer.json()
        return taken

    async def done(self, *messages: dict[str, Any]) -> int:
        answer = await self.call("hookbridge_done", ids=[one["id"] for one in messages])
        assert answer.status_code == 200, answer.text
        return int(answer.json())

    async def close(self) -> None:
        await self._http.aclose()


@asynccontextmanager
async def in_memory() -> AsyncIterator[Place]:
    async with PostgrestStandin(key=KEY, anon_key=ANON) as supabase:
        supabase.create_table("users", {"id": "bigint", "name": "text", "note": "text"})
        supabase.pull("users")

        async def act(what: str, *given: Any) -> None:  # noqa: ANN401  as the action has it
            if what == "write":
                supabase.upsert("users", {"id": given[0], "name": given[1]})
            elif what == "same":
                supabase.update("users", given[0], {})
            elif what == "move":
                supabase.update("users", given[0], {"id": given[1]})
            elif what == "delete":
                supabase.delete("users", given[0])
            else:
                supabase.truncate("users")

        yield Place(supabase.url, act)


STATEMENTS = {
    "write": "insert into users (id, name) values ($1, $2) on conflict (id) do update set name = excluded.name",
    "same": "update users set name = name where id = $1",
    "move": "update users set id = $2 where id = $1",
    "delete": "delete from users where id = $1",
    "truncate": "truncate users",
}


@asynccontextmanager
async def real(server_url: str) -> AsyncIterator[Place]:
    async with project(server_url) as one, data_api(one.url, KEY, anon_key=ANON) as supabase:
        await one.pull("users")

        async def act(what: str, *given: Any) -> None:  # noqa: ANN401  as the statement has it
            await one.sql.execute(STATEMENTS[what], *given)

        yield Place(supabase.url, act)


@pytest.fixture(params=["in memory", "real"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    made = in_memory() if request.param == "in memory" else real(request.getfixturevalue("postgres_url"))
    async with made as one:
        yield one
        await one.close()


def told(taken: dict[str, Any]) -> list[tuple[str, int | None, str | None]]:
    """What the messages say: what was done, to which row, and what it is called now."""
    said = []
    for message in (one["message"] for one in taken["messages"]):
        row = message.get("record") or message.get("old_record") or {}
        said.append((message["type"], row.get("id"), row.get("name")))
    return said


async def write(place: Place, *rows: tuple[int, str]) -> None:
    for row in rows:
        await place.act("write", *row)


async def test_messages_come_in_order_and_stay_until_they_are_done(place: Place) -> None:
    await write(place, (1, "a"), (2, "b"), (1, "c"))
    first = await place.take(2)
    assert told(first) == [("INSERT", 1, "a"), ("INSERT", 2, "b")]
    assert (first["version"], first["state"], first["more"], first["waiting"]) == (1, "taken", True, 3)
    assert await place.done(*first["messages"]) == 2
    assert await place.done(*first["messages"]) == 0
    last = await place.take(2)
    assert (told(last), last["more"], last["waiting"]) == ([("UPDATE", 1, "c")], False, 1)
    assert last["oldest_seconds"] >= 0
    await place.done(*last["messages"])
    empty = await place.take()
    assert empty == {
        "version": 1,
        "state": "taken",
        "messages": [],
        "more": False,
        "waiting": 0,
        "oldest_seconds": None,
        "overflowed": 0,
        "overflowing": False,
    }


async def test_a_message_is_what_a_webhook_says(place: Place) -> None:
    await write(place, (1, "a"), (1, "b"))
    await place.act("same", 1)
    await place.act("delete", 1)
    await place.act("truncate")
    bodies = [one["message"] for one in (await place.take())["messages"]]
    assert bodies[1]["record"] == {"id": 1, "name": "b", "note": None}
    assert bodies[1]["old_record"]["id"] == 1
    assert bodies[2]["record"] is None
    assert bodies[2]["old_record"]["id"] == 1
    assert [(one["type"], one["schema"], one["table"]) for one in bodies] == [
        (type_, "public", "users") for type_ in ("INSERT", "UPDATE", "DELETE", "TRUNCATE")
    ]
    assert bodies[3].keys() == {"type", "schema", "table"}


async def test_what_is_leased_holds_what_is_behind_it_and_nothing_else(place: Place) -> None:
    await write(place, (1, "a"), (2, "b"), (1, "c"), (3, "d"), (2, "e"))
    one = await place.take(2)
    assert told(one) == [("INSERT", 1, "a"), ("INSERT", 2, "b")]
    other = await place.take(2)
    assert (told(other), other["more"]) == ([("INSERT", 3, "d")], False)
    await place.done(one["messages"][1])
    assert told(await place.take(2)) == [("UPDATE", 2, "e")]
    await place.done(one["messages"][0])
    assert told(await place.take(2)) == [("UPDATE", 1, "c")]


async def test_a_changed_key_holds_what_is_behind_it_under_either_name(place: Place) -> None:
    await write(place, (1, "a"))
    (first,) = (await place.take())["messages"]
    await place.act("move", 1, 2)
    await write(place, (2, "b"), (3, "c"), (1, "d"))
    assert told(await place.take()) == [("INSERT", 3, "c")]
    await place.done(first)
    assert told(await place.take()) == [("UPDATE", 2, "a"), ("UPDATE", 2, "b"), ("INSERT", 1, "d")]


async def test_what_is_not_done_is_given_again_when_its_lease_is_over(place: Place) -> None:
    await write(place, (1, "a"))
    first = await place.take(lease_seconds=0)
    assert (await place.take())["messages"] == first["messages"]
    assert (await place.take())["messages"] == []


async def test_an_answer_is_bounded_and_has_one_message_at_least(place: Place) -> None:
    await write(place, *((id_, "x" * 1_000_000) for id_ in range(1, 7)))
    counts = []
    while (taken := await place.take())["messages"]:
        counts.append((len(taken["messages"]), taken["more"]))
        await place.done(*taken["messages"])
    assert counts == [(4, True), (2, False)]


async def test_the_first_store_that_takes_has_the_outbox_and_looking_claims_nothing(place: Place) -> None:
    await write(place, (1, "a"))
    looked = await place.take(0, store="somebody")
    assert (looked["state"], looked["messages"], looked["waiting"]) == ("taken", [], 1)
    assert told(await place.take(store="another")) == [("INSERT", 1, "a")]
    refused = await place.take(store="somebody")
    assert (refused["state"], refused["messages"], refused["waiting"]) == ("other_store", [], 1)


@pytest.mark.parametrize(
    ("name", "key", "arguments", "status", "code"),
    [
        ("hookbridge_take", ANON, {"most": 1, "lease_seconds": 1, "store": "s"}, 401, "42501"),
        ("hookbridge_done", ANON, {"ids": []}, 401, "42501"),
        ("hookbridge_take", KEY, {"most": 1}, 404, "PGRST202"),
        ("hookbridge_give", KEY, {"most": 1}, 404, "PGRST202"),
        ("hookbridge_take", KEY, {"most": -1, "lease_seconds": 1, "store": "s"}, 400, "22023"),
        ("hookbridge_take", KEY, {"most": 1, "lease_seconds": 1, "store": ""}, 400, "22023"),
        ("hookbridge_done", KEY, {"ids": ["no id"]}, 400, "22P02"),
    ],
)
async def test_what_cannot_be_is_refused(
    place: Place, name: str, key: str, arguments: dict[str, object], status: int, code: str
) -> None:
    answer = await place.call(name, key, **arguments)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def nothing_is_done() -> None:
    """There is no table."""


async def test_a_project_without_the_functions_answers_that_there_are_none() -> None:
    async with PostgrestStandin(key=KEY) as supabase:
        place = Place(supabase.url, nothing_is_done)
        answer = await place.call("hookbridge_take", most=1, lease_seconds=1, store="s")
        await place.close()
    assert (answer.status_code, answer.json()["code"]) == (404, "PGRST202")
