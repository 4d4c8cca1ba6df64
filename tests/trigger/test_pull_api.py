"""The two functions through the Data API: who may call them, what is answered to whom, and what a cache hides."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from hookbridge.sources.supabase.trigger import Pull, Trigger, install
from tests.support.postgrest import data_api
from tests.support.project import Project

KEY, ANON = "sb_secret_x", "sb_publishable_x"


class Api:
    """The Data API of the project."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def call(self, name: str, key: str = KEY, schema: str = "public", **arguments: Any) -> tuple[int, Any]:  # noqa: ANN401
        headers = {"apikey": key, "Authorization": f"Bearer {key}", "Content-Profile": schema}
        url = f"{self._url}/rest/v1/rpc/{name}"
        async with self._http.post(url, json=arguments, headers=headers) as answer:
            return answer.status, await answer.json()

    async def take(self, key: str = KEY, schema: str = "public") -> tuple[int, Any]:
        return await self.call("hookbridge_take", key, schema, most=10, lease_seconds=60, store="a store")


@pytest.fixture
async def api(project: Project) -> AsyncIterator[Api]:
    async with data_api(project.url, KEY, anon_key=ANON) as standin, ClientSession() as http:
        yield Api(http, standin.url)


async def test_a_secret_key_takes_and_says_done(project: Project, api: Api) -> None:
    await project.pull()
    await project.sql.execute("insert into users values (1, 'Ada')")
    status, taken = await api.take()
    (message,) = taken["messages"]
    assert (status, message["message"]["record"]["name"]) == (200, "Ada")
    assert await api.call("hookbridge_done", ids=[message["id"]]) == (200, 1)
    assert (await api.take())[1]["messages"] == []


async def test_a_publishable_key_is_refused(project: Project, api: Api) -> None:
    await project.pull()
    calls: dict[str, dict[str, Any]] = {
        "hookbridge_take": {"most": 0, "lease_seconds": 0, "store": "s"},
        "hookbridge_done": {"ids": []},
    }
    for name, arguments in calls.items():
        status, error = await api.call(name, ANON, **arguments)
        assert (status, error["code"], error["message"]) == (401, "42501", f"permission denied for function {name}")
    assert (await api.take("sb_secret_other"))[0] == 401


async def test_before_it_is_installed_there_is_no_such_function_and_afterwards_at_once(
    project: Project, api: Api
) -> None:
    status, error = await api.take()
    assert (status, error["code"]) == (404, "PGRST202")
    await project.pull()
    assert (await api.take())[0] == 200
    await project.uninstall()
    assert (await api.take())[0] == 404


async def test_a_cache_that_was_not_told_hides_it(project: Project, api: Api) -> None:
    assert (await api.take())[0] == 404
    quiet = install(Trigger(table="users", pull=Pull())).replace("notify pgrst", "--")
    await project.sql.execute(quiet)
    status, error = await api.take()
    assert (status, error["code"]) == (404, "PGRST202")
    await project.sql.execute("notify pgrst, 'reload schema'")
    assert (await api.take())[0] == 200


async def test_what_is_no_exposed_schema_is_told(project: Project, api: Api) -> None:
    await project.pull()
    status, error = await api.take(schema="hookbridge_webhooks")
    assert (status, error["code"]) == (406, "PGRST106")


async def test_errors_of_the_function_keep_their_code(project: Project, api: Api) -> None:
    await project.pull()
    status, error = await api.call("hookbridge_take", most=-1, lease_seconds=60, store="s")
    assert (status, error["code"]) == (400, "22023")
    await project.sql.execute("revoke execute on function hookbridge_done from service_role")
    status, error = await api.call("hookbridge_done", ids=[])
    assert (status, error["code"]) == (403, "42501")


async def test_a_database_that_is_serializable_by_default_is_taken_from_all_the_same(
    project: Project, api: Api
) -> None:
    await project.pull()
    name = await project.sql.fetchval("select current_database()")
    await project.sql.execute(f"alter database {name} set default_transaction_isolation = 'serializable'")
    assert (await api.take())[0] == 200
