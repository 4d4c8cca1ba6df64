"""A Supabase project on a real Postgres: the user's tables, Vault, pg_cron, and pg_net, which a test lets run."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from aiohttp import ClientSession

from hookbridge.sources.supabase.trigger import Pull, Trigger, install, uninstall
from tests.support.postgres import database

SETTING_UP = Path(__file__).parents[1] / "trigger" / "supabase.sql"
SECRET = "a plain secret for tests"
STANDARD_SECRET = "whsec_" + "c2VjcmV0IGJ5dGVzIG9mIHRoZSB0ZXN0cyAuLi4uLg=="


class Request:
    """What pg_net was given to send."""

    def __init__(self, row: asyncpg.Record) -> None:
        self.id: int = row["id"]
        self.url: str = row["url"]
        self.headers: dict[str, str] = json.loads(row["headers"])
        self.body: bytes = row["body"]

    @property
    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Project:
    """The project's database, as its owner sees it."""

    def __init__(self, sql: asyncpg.Connection, url: str) -> None:
        self.sql = sql
        self.url = url

    async def install(self, service_url: str, table: str = "users", **more: Any) -> None:  # noqa: ANN401
        await self.sql.execute(install(Trigger(table=table, url=service_url, **more)))

    async def pull(self, table: str = "users", *, key: tuple[str, ...] = ("id",), **how: Any) -> None:  # noqa: ANN401
        """Let hookbridge take the table's changes."""
        await self.sql.execute(install(Trigger(table=table, key=key, pull=Pull(**how))))

    async def take_changes(self, most: int = 500, lease_seconds: float = 60.0, store: str = "a store") -> Any:  # noqa: ANN401
        """What the Data API answers to `rpc/hookbridge_take`."""
        return json.loads(await self.sql.fetchval("select hookbridge_take($1, $2, $3)", most, lease_seconds, store))

    async def done(self, *messages: dict[str, Any]) -> int:
        """Say that messages have been taken; gives how many were there."""
        removed: int = await self.sql.fetchval("select hookbridge_done($1)", [message["id"] for message in messages])
        return removed

    async def uninstall(self, table: str = "users", schema: str = "public") -> None:
        await self.sql.execute(uninstall(schema, table))

    async def keep_secret(self, secret: str) -> None:
        await self.sql.execute("select vault.create_secret($1, 'hookbridge_webhook_secret')", secret)

    async def queued(self) -> list[Request]:
        """What waits for pg_net, in the order in which it was given."""
        return [Request(row) for row in await self.sql.fetch("select * from net.http_request_queue order by id")]

    async def take(self) -> list[Request]:
        """Take all that waits out of the queue, as pg_net does before it sends."""
        return sorted(
            (Request(row) for row in await self.sql.fetch("delete from net.http_request_queue returning *")),
            key=lambda request: request.id,
        )

    async def run_pg_net(self, *, http: ClientSession) -> list[int]:
        """Send all that waits, with its bytes and headers; gives the statuses of the answers."""
        statuses = []
        for request in await self.take():
            headers = {**request.headers, "Accept": "*/*", "User-Agent": "pg_net/0.20.4"}
            async with http.post(request.url, data=request.body, headers=headers) as answer:
                await self.answer(request, status=answer.status)
            statuses.append(answer.status)
        return statuses

    async def answer(self, request: Request, *, status: int | None, error: str | None = None) -> None:
        """Note a request's answer where pg_net notes it."""
        await self.sql.execute(
            "insert into net._http_response (id, status_code, error_msg) values ($1, $2, $3)",
            *(request.id, status, error),
        )

    async def deliver(self) -> int:
        """What pg_cron calls every few seconds."""
        handed_over: int = await self.sql.fetchval("select hookbridge_webhooks.deliver()")
        return handed_over

    async def time_passes(self) -> None:
        """Every message of the outbox becomes due."""
        await self.sql.execute("update hookbridge_webhooks.outbox set due_at = now() - interval '1 second'")

    async def waiting(self) -> list[asyncpg.Record]:
        """The messages that have not arrived yet."""
        rows: list[asyncpg.Record] = await self.sql.fetch("select * from hookbridge_webhooks.outbox order by id")
        return rows


@asynccontextmanager
async def project(server_url: str) -> AsyncIterator[Project]:
    """A new project on this server."""
    async with database(server_url) as url:
        sql: asyncpg.Connection = await asyncpg.connect(url)
        try:
            await sql.execute(SETTING_UP.read_text())
            yield Project(sql, url)
        finally:
            await sql.close()
