"""The real `supabase` client reads from the stand-in what it would read from a project."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, cast

import httpx
import pytest
from postgrest import APIError, AsyncQueryRequestBuilder, CountMethod
from supabase import AsyncClient, AsyncClientOptions, create_async_client

from hookbridge.standins import PostgrestStandin, Reply
from hookbridge.standins.postgrest import errors
from tests.standins.conftest import KEY, Clock

USERS = {"id": "bigint", "name": "text", "score": "numeric", "updated_at": "timestamptz"}


@pytest.fixture
def users(supabase: PostgrestStandin) -> PostgrestStandin:
    supabase.create_table("users", USERS, changed_at="updated_at")
    return supabase


async def _read(query: AsyncQueryRequestBuilder) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", (await query.execute()).data)


async def _read_ids(query: AsyncQueryRequestBuilder) -> list[int]:
    return [row["id"] for row in await _read(query)]


async def _ids(client: AsyncClient, **filters: str) -> list[int]:
    query = client.table("users").select("id")
    for name, value in filters.items():
        query = query.filter(name, *value.split(".", 1))
    return await _read_ids(query)


async def test_what_was_written_is_read_at_once(users: PostgrestStandin, supabase_client: AsyncClient) -> None:
    users.insert("users", {"id": 1, "name": "Ada", "score": "1.50"})
    users.update("users", 1, {"name": "Ada L."})

    rows = await _read(supabase_client.table("users").select("*").eq("id", 1))

    assert rows == [{"id": 1, "name": "Ada L.", "score": 1.5, "updated_at": "2026-06-27T17:00:30.25+00:00"}]
    assert users.get("users", 1) == rows[0] | {"score": Decimal("1.50")}


async def test_a_write_stamps_the_change_column(users: PostgrestStandin, clock: Clock) -> None:
    users.insert("users", {"id": 1, "name": "Ada"})
    clock.advance(minutes=1)
    row = users.update("users", 1, {"name": "Ada"})
    assert row["updated_at"] == "2026-06-27T17:01:30.25+00:00"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"id": "eq.2"}, [2]),
        ({"id": "neq.2"}, [1, 3, 4]),
        ({"id": "gt.2"}, [3, 4]),
        ({"id": "gte.2"}, [2, 3, 4]),
        ({"id": "lt.2"}, [1]),
        ({"id": "lte.2"}, [1, 2]),
        ({"id": "in.(1,3,9)"}, [1, 3]),
        ({"id": "not.in.(1,3,9)"}, [2, 4]),
        ({"id": "in.()"}, []),
        ({"name": "is.null"}, [4]),
        ({"name": "not.is.null"}, [1, 2, 3]),
        ({"name": "not.eq.a"}, [2, 3]),
        ({"name": 'in.("b,c","d\\"e")'}, [2, 3]),
        ({"score": "gt.2"}, [3]),
    ],
)
async def test_a_filter_finds_what_postgrest_finds(
    users: PostgrestStandin, supabase_client: AsyncClient, filters: dict[str, str], expected: list[int]
) -> None:
    for number, (name, score) in enumerate([("a", 1), ("b,c", "2.0"), ('d"e', 10), (None, None)], start=1):
        users.insert("users", {"id": number, "name": name, "score": score})
    assert await _ids(supabase_client, **filters) == expected


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ("id.eq.1,id.eq.3", [1, 3]),
        ("and(id.gt.1,id.lt.3),id.eq.4", [2, 4]),
        ("id.in.(1,2),name.eq.c", [1, 2, 3]),
        ('name.eq."a",name.in.("b","d")', [1, 2, 4]),
        ("not.and(id.gte.1,id.lte.3)", [4]),
        ("and(id.not.eq.1,or(name.eq.a,name.eq.b))", [2]),
        ("and(id.not.in.(1,2),name.not.is.null)", [3, 4]),
    ],
)
async def test_a_logic_tree_finds_what_postgrest_finds(
    users: PostgrestStandin, supabase_client: AsyncClient, tree: str, expected: list[int]
) -> None:
    users.insert_many("users", ({"id": number, "name": name} for number, name in enumerate("abcd", start=1)))
    assert await _read_ids(supabase_client.table("users").select("id").or_(tree)) == expected


async def test_names_with_any_sign_are_written_in_quotes(supabase: PostgrestStandin, http: httpx.AsyncClient) -> None:
    supabase.create_table("odd", {"id": "int", "a.b": "int", 'c"d': "int", "e,f": "int"})
    supabase.insert_many("odd", [{"id": n, "a.b": -n, 'c"d': 7, "e,f": n} for n in (1, 2, 3)])
    query = {'"a.b"': "in.(-1,-2)", "or": r'("c\"d".eq.7)', "order": '"e,f".desc,"a.b"'}
    response = await http.get(f"{supabase.url}/rest/v1/odd", params=query, headers={"apikey": KEY})
    assert [row["id"] for row in response.json()] == [2, 1]


async def test_a_dot_in_a_name_without_quotes_leads_into_another_table(
    users: PostgrestStandin, http: httpx.AsyncClient
) -> None:
    response = await http.get(f"{users.url}/rest/v1/users?a.b=eq.1", headers={"apikey": KEY})
    assert (response.status_code, response.json()["code"]) == (400, "PGRST108")


async def test_a_proxy_refuses_a_long_url(users: PostgrestStandin, http: httpx.AsyncClient) -> None:
    users.url_max = 60
    for number, status in ((3, 200), (30, 414)):
        query = f"id=in.({','.join(['1'] * number)})"
        response = await http.get(f"{users.url}/rest/v1/users?{query}", headers={"apikey": KEY})
        assert response.status_code == status


async def test_the_first_year_has_four_digits(users: PostgrestStandin) -> None:
    row = users.insert("users", {"id": 1, "updated_at": "0001-01-01T00:00:00.5+00:00"})
    assert row["updated_at"] == "0001-01-01T00:00:00.5+00:00"


async def test_a_json_column_keeps_bytes_as_they_are_written(
    supabase: PostgrestStandin, http: httpx.AsyncClient
) -> None:
    supabase.create_table("raw", {"id": "int", "what": "json"})
    supabase.insert("raw", {"id": 1, "what": rb'{"b":  1.50, "a": "\ud83d"}'})
    supabase.insert("raw", {"id": 2, "what": {"b": 1}})
    response = await http.get(f"{supabase.url}/rest/v1/raw?order=id", headers={"apikey": KEY})
    assert response.content.split(b", \n ") == [
        rb'[{"id":1,"what":{"b":  1.50, "a": "\ud83d"}}',
        b'{"id":2,"what":{"b": 1}}]',
    ]


async def test_rows_are_found_by_composite_keys(supabase: PostgrestStandin, supabase_client: AsyncClient) -> None:
    supabase.create_table("parts", {"order_id": "bigint", "sku": "text", "n": "int"}, key=("order_id", "sku"))
    for order_id in (1, 2):
        supabase.insert_many("parts", [{"order_id": order_id, "sku": sku, "n": 1} for sku in ("a,b", "(c)", 'd"')])
    tree = r'and(order_id.eq.1,sku.eq."a,b"),and(order_id.eq.2,sku.eq."d\""),and(order_id.eq.2,sku.eq."(c)")'

    rows = await _read(supabase_client.table("parts").select("order_id,sku").or_(tree))

    assert sorted((row["order_id"], row["sku"]) for row in rows) == [(1, "a,b"), (2, "(c)"), (2, 'd"')]
    assert supabase.get("parts", (2, "(c)")) == {"order_id": 2, "sku": "(c)", "n": 1}


async def test_keyset_paging_with_ties_reads_every_row_once(
    users: PostgrestStandin, supabase_client: AsyncClient, clock: Clock
) -> None:
    for number in range(1, 101):
        users.insert("users", {"id": number, "name": "x"})
        if number % 30 == 0:
            clock.advance(microseconds=1)
    seen: list[int] = []
    after: dict[str, Any] | None = None
    while True:
        query = supabase_client.table("users").select("id,updated_at").order("updated_at").order("id").limit(7)
        if after is not None:
            at, key = after["updated_at"], after["id"]
            query = query.or_(f"updated_at.gt.{at},and(updated_at.eq.{at},id.gt.{key})")
        page = await _read(query)
        if not page:
            break
        seen += [row["id"] for row in page]
        after = page[-1]
    assert seen == list(range(1, 101))


async def test_order_puts_nulls_last_or_where_it_is_told(users: PostgrestStandin, supabase_client: AsyncClient) -> None:
    users.insert_many("users", [{"id": 1, "name": "a"}, {"id": 2}, {"id": 3, "name": "b"}])
    table = supabase_client.table("users")
    orders = [
        table.select("id").order("name"),
        table.select("id").order("name", desc=True),
        table.select("id").order("name", nullsfirst=True),
        table.select("id").order("name", desc=True, nullsfirst=False),
    ]
    assert [await _read_ids(order) for order in orders] == [
        [1, 3, 2],
        [2, 3, 1],
        [2, 1, 3],
        [3, 1, 2],
    ]


async def test_without_an_order_an_updated_row_comes_last(
    users: PostgrestStandin, supabase_client: AsyncClient
) -> None:
    users.insert_many("users", [{"id": 1}, {"id": 2}])
    users.update("users", 1, {"name": "x"})
    assert await _ids(supabase_client) == [2, 1]


async def test_answers_are_cut_at_max_rows_and_counted_in_full(
    users: PostgrestStandin, supabase_client: AsyncClient
) -> None:
    users.max_rows = 3
    users.insert_many("users", ({"id": number} for number in range(5)))
    answer = await supabase_client.table("users").select("id", count=CountMethod.exact).limit(4).execute()
    assert (len(answer.data), answer.count) == (3, 5)


async def test_hidden_rows_look_like_missing_ones(users: PostgrestStandin, supabase_client: AsyncClient) -> None:
    users.insert_many("users", [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
    users.hide("users", lambda row: row["name"] == "a")
    assert await _ids(supabase_client) == [2]
    assert await _ids(supabase_client, id="eq.1") == []
    users.unhide("users")
    assert await _ids(supabase_client) == [1, 2]


async def test_one_bad_key_fails_the_whole_list(users: PostgrestStandin, supabase_client: AsyncClient) -> None:
    users.insert("users", {"id": 1})
    with pytest.raises(APIError) as caught:
        await supabase_client.table("users").select("*").in_("id", [1, "two"]).execute()
    assert caught.value.code == "22P02"


async def test_columns_can_be_read_as_text_under_another_name(
    users: PostgrestStandin, supabase_client: AsyncClient
) -> None:
    users.insert("users", {"id": 1, "score": "12345678901234567890.50"})
    rows = await _read(supabase_client.table("users").select("number:id,score::text"))
    assert rows == [{"number": 1, "score": "12345678901234567890.50"}]


async def test_the_client_can_write_too(users: PostgrestStandin, supabase_client: AsyncClient) -> None:
    heard: list[bytes] = []
    users.listen(lambda webhook: heard.append(webhook.body))
    await supabase_client.table("users").insert([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]).execute()
    await supabase_client.table("users").upsert({"id": 2, "name": "c"}).execute()
    assert [json.loads(body)["type"] for body in heard] == ["INSERT", "INSERT", "UPDATE"]
    assert [row["name"] for row in users.rows("users")] == ["a", "c"]


CLIENT_ERRORS: list[tuple[Callable[[], errors.WireError], str | None]] = [
    (lambda: errors.unknown_table("public", "x", None), "PGRST205"),
    (lambda: errors.unknown_column("users", "x", []), "42703"),
    (lambda: errors.permission_denied("users", anonymous=False), "42501"),
    (errors.key_expired, "PGRST303"),
    (errors.statement_timeout, "57014"),
    (errors.no_schema_cache, "PGRST002"),
    (errors.pool_exhausted, "PGRST003"),
    (errors.invalid_api_key, None),
]


@pytest.mark.parametrize(("make", "code"), CLIENT_ERRORS)
async def test_an_error_reaches_the_client_with_its_code(
    users: PostgrestStandin,
    supabase_client: AsyncClient,
    make: Callable[[], errors.WireError],
    code: str | None,
) -> None:
    users.faults.answer(make().reply, times=1)
    with pytest.raises(APIError) as caught:
        await supabase_client.table("users").select("*").execute()
    assert caught.value.code == code
    assert await _ids(supabase_client) == []


async def test_a_key_of_another_project_is_refused_by_the_gateway(supabase: PostgrestStandin) -> None:
    async with httpx.AsyncClient() as transport:
        options = AsyncClientOptions(httpx_client=transport, postgrest_client_retry=False)
        client = await create_async_client(supabase.url, "sb_secret_of_another", options=options)
        with pytest.raises(APIError) as caught:
            await client.table("users").select("*").execute()
    assert (caught.value.code, caught.value.message) == (None, "Invalid API key")


async def test_an_unreadable_filter_is_refused_like_postgrest_does(
    users: PostgrestStandin, http: httpx.AsyncClient
) -> None:
    for query in ("id=2", "id=like2", "id=is.two", "id=in.1", "or=(id.eq.1", "or=id", "order=id.up"):
        response = await http.get(f"{users.url}/rest/v1/users?{query}", headers={"apikey": KEY})
        assert (response.status_code, response.json()["code"]) == (400, "PGRST100"), query


async def test_the_names_of_the_state_are_checked_when_it_is_written(users: PostgrestStandin) -> None:
    with pytest.raises(KeyError):
        users.insert("nowhere", {"id": 1})
    with pytest.raises(KeyError):
        users.update("users", 9, {"name": "x"})
    with pytest.raises(errors.WireError):
        users.insert("users", {"id": 1, "nocol": 1})
    with pytest.raises(ValueError, match="no column nokey"):
        users.create_table("bad", {"id": "int"}, key=("nokey",))
    assert isinstance(errors.terminated().reply, Reply)
