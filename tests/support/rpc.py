"""`POST /rest/v1/rpc/<name>` before a real Postgres: the functions are really called, by the role of the key.

A function is found in a cache, as PostgREST has one: it is filled at the first call, and again after
`notify pgrst, 'reload schema'`, and is asked by the names of the parameters.  PostgREST hears of that a moment later;
here the next call knows of it.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self

import asyncpg
import msgspec

from hookbridge.standins.postgrest import errors
from hookbridge.standins.postgrest.keys import ANON
from hookbridge.standins.wire import Reply

LOST = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError, OSError)
_FUNCTIONS = """
select n.nspname as schema, p.proname as name, coalesce(p.proargnames, '{}') as parameters,
       array(select format_type(t, null) from unnest(p.proargtypes) t) as types,
       coalesce((select split_part(c, '=', 2) from unnest(p.proconfig) c
                 where c like 'default_transaction_isolation=%'), 'read committed') as isolation
from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = any($1)
"""
_STATUSES = {"42883": 404, "42P01": 404, "25006": 405, "57P01": 503, "P0001": 400, "23503": 409, "23505": 409}
_STATUSES_OF_CLASSES = {
    **dict.fromkeys(("09", "25", "2D", "38", "39", "3B", "40", "54", "55", "57", "58", "F0", "HV", "P0"), 500),
    **dict.fromkeys(("08", "53"), 503),
    **dict.fromkeys(("0L", "0P", "28"), 403),
}
"""https://docs.postgrest.org/en/stable/references/errors.html#http-status-codes; what is not here is 400."""


class _Function(msgspec.Struct, frozen=True, kw_only=True):
    types: Mapping[str, str]
    isolation: str


_Cache = dict[tuple[str, str, frozenset[str]], _Function]


class Rpc:
    """The functions of some schemas of one database."""

    def __init__(self, url: str, schemas: tuple[str, ...] = ("public",)) -> None:
        self.schemas = schemas
        self._url = url
        self._cache: _Cache | None = None
        self._listening: asyncpg.Connection | None = None
        self._hearing = asyncio.Lock()
        self._pool: asyncpg.Pool | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.terminate()
        if self._listening is not None:
            self._listening.terminate()

    async def call(self, role: str, schema: str, name: str, body: bytes) -> Reply:
        """Call a function; raises WireError with what PostgREST answers to what cannot be."""
        if schema not in self.schemas:
            raise errors.unknown_schema(schema, self.schemas)
        try:
            arguments = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        except msgspec.DecodeError:
            raise errors.error(400, "PGRST102", "Empty or invalid json") from None
        try:
            pool, cache = await self._ready()
            function = cache.get((schema, name, frozenset(arguments)))
            if function is None:
                raise errors.unknown_function(schema, name, sorted(arguments))
            text = await _called(pool, role, f"{_quoted(schema)}.{_quoted(name)}", function, body)
        except LOST:
            raise errors.no_schema_cache() from None
        except asyncpg.PostgresError as error:
            raise _refused(error, anonymous=role == ANON) from None
        return Reply(status=200, body=text.encode(), headers={"Content-Type": errors.JSON_TYPE})

    async def _ready(self) -> tuple["asyncpg.Pool", _Cache]:
        async with self._hearing:
            return await self._filled()

    async def _filled(self) -> tuple["asyncpg.Pool", _Cache]:
        if self._pool is None:
            self._pool = await asyncpg.create_pool(self._url, min_size=0, max_size=4)
        if self._listening is None or self._listening.is_closed():
            listening: asyncpg.Connection = await asyncpg.connect(self._url)
            await listening.add_listener("pgrst", self._forget)
            self._listening, self._cache = listening, None
        await self._listening.execute("select 1")  # what was told before comes before its answer
        if self._cache is None:
            cache: _Cache = {}
            for row in await self._pool.fetch(_FUNCTIONS, list(self.schemas)):
                types = dict(zip(row["parameters"], row["types"], strict=False))
                cache[row["schema"], row["name"], frozenset(types)] = _Function(types=types, isolation=row["isolation"])
            self._cache = cache
        return self._pool, self._cache

    def _forget(self, *_: object) -> None:
        self._cache = None


async def _called(pool: "asyncpg.Pool", role: str, name: str, function: _Function, body: bytes) -> str:
    columns = ", ".join(f"{_quoted(parameter)} {type_}" for parameter, type_ in function.types.items())
    given = ", ".join(f"{_quoted(parameter)} => given.{_quoted(parameter)}" for parameter in function.types)
    statement = f"select {name}({given})::text from json_to_record($1) as given({columns})"
    if not function.types:
        statement = f"select {name}()::text where $1::json is not null"
    async with pool.acquire() as connection, connection.transaction(isolation=function.isolation.replace(" ", "_")):
        await connection.execute(f"set local role {_quoted(role)}")
        text: str = await connection.fetchval(statement, (body or b"{}").decode())
        return text


def _refused(error: asyncpg.PostgresError, *, anonymous: bool) -> errors.WireError:
    code = str(error.sqlstate)
    status = _STATUSES.get(code, _STATUSES_OF_CLASSES.get(code[:2], HTTPStatus.BAD_REQUEST))
    if code == "42501":
        status = HTTPStatus.UNAUTHORIZED if anonymous else HTTPStatus.FORBIDDEN
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    return errors.error(int(status), code, error.message, details=error.detail, hint=error.hint, headers=headers)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
