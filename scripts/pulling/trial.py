"""One run: the database with its tables and outbox, a Data API before it, the service, the writers, and what happens.

Either the service and the database are struck while the writers work, or the Data API is away for as long as they do.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import signal
import sqlite3
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
import asyncpg
import msgspec

from hookbridge.demo.postgres import Postgres, postgres
from hookbridge.sources.supabase.trigger import Pull, Trigger, install
from scripts.programs import free_port, start
from scripts.pulling.away import Told, paced
from scripts.pulling.writers import COMMON, SETTING_UP, Writer, own_table, refused
from tests.support.postgrest import PostgrestOnPostgres, data_api

KEY = "sb_secret_of_the_trial"
TOKEN = secrets.token_urlsafe(24)
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
PATIENCE_SECONDS = 1800.0
LOOK_SECONDS = 1.0

Way = Literal["data_api", "database"]


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to try."""

    changes: int = 50_000
    writers: int = 8
    kills: int = 10
    stops: int = 5
    away_seconds: float = 0.0
    """For so long the Data API is away, and nothing is struck."""
    rows: int = 200
    """In the table that is a writer's own, at most."""
    way: Way = "data_api"
    seed: int = 1


class Result(msgspec.Struct, kw_only=True):
    """What was found."""

    seed: int
    way: str
    seconds: float = 0.0
    transactions: int = 0
    """Of the writers, committed."""
    changes: int = 0
    """Rows that those wrote."""
    lost_to_stops: int = 0
    """Transactions that a stop of the database ended."""
    refused: dict[str, int] = {}
    """Transactions that the database refused, by SQLSTATE."""
    kills: int = 0
    stops: int = 0
    away_seconds: float = 0.0
    said: list[str] = []
    """What ``/readyz`` told of taking while the Data API was away."""
    told_at_last: bool = False
    """Whether it was told as down, with a remedy, when the Data API came back."""
    waited: int = 0
    """Messages in the outbox at that moment."""
    taken_seconds: float = 0.0
    """From then until the outbox was empty."""
    applied_seconds: float = 0.0
    """From then until nothing was open here either."""
    events: int = 0
    duplicates: int = 0
    overtaken: int = 0
    """Events that came behind a later one of their record."""
    rows: int = 0
    differing: int = 0
    """Rows without an equal copy, and copies without a row."""

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        if self.away_seconds and not (self.told_at_last and self.waited == self.changes):
            return False
        return self.events > 0 and not (self.differing or self.overtaken or self.refused)


def names(options: Options) -> tuple[str, ...]:
    """Name the tables."""
    return (COMMON, *(own_table(number) for number in range(1, options.writers + 1)))


class Trial:
    """The parts of one run."""

    def __init__(self, folder: Path, options: Options, server: Postgres, api: PostgrestOnPostgres) -> None:
        self._folder = folder
        self._options = options
        self._server = server
        self._api = api
        self._port = free_port()
        self._random = random.Random(options.seed)  # noqa: S311  moments, not secrets
        self._struck = False
        self._log = folder / "service.log"
        self._process: asyncio.subprocess.Process | None = None
        self.result = Result(seed=options.seed, way=options.way)
        self.writers = [
            Writer(number, server.url, options.seed, options.rows) for number in range(1, options.writers + 1)
        ]
        database = server.url if options.way == "database" else ""
        tables = "".join(TABLE.format(name=name) for name in names(options))
        (folder / "config.toml").write_text(CONFIG.format(port=self._port) + tables)
        (folder / ".env").write_text(ENV.format(url=api.url, key=KEY, token=TOKEN, database=database))

    async def serve(self) -> None:
        """Start the service, and return when it answers."""
        with self._log.open("ab") as log:
            self._process = await start(
                (sys.executable, "-m", "hookbridge", "serve", "--config", self._folder / "config.toml"),
                stdin=DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        async with aiohttp.ClientSession() as http, asyncio.timeout(PATIENCE_SECONDS):
            while not await self._answers(http):  # noqa: ASYNC110  another process
                await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()

    async def _answers(self, http: aiohttp.ClientSession) -> bool:
        try:
            async with http.get(f"http://127.0.0.1:{self._port}/readyz", headers=ADMIN) as answer:
                return all(one["state"] == "following" for one in (await answer.json())["tables"])
        except (aiohttp.ClientError, OSError):
            return False

    def _changes(self) -> int:
        return sum(one.changes for one in self.writers)

    async def write(self, tell: Callable[[str], None]) -> None:
        """Let the writers work, and strike meanwhile."""
        most = self._options.changes

        async def more() -> bool:
            return self._changes() < most or not self._struck

        async with asyncio.TaskGroup() as group:
            for writer in self.writers:
                group.create_task(writer.write(more))
            await self._strike(most, tell)
            self._struck = True

    async def write_without_api(self, tell: Callable[[str], None]) -> None:
        """Let the writers work while the Data API takes no connection, and look at what is told of that."""
        options, result, told = self._options, self.result, Told()
        began = time.monotonic()
        more = paced(self._changes, options.changes, options.away_seconds)
        async with self._api.down(), self._http() as http, asyncio.TaskGroup() as group:
            writing = [group.create_task(writer.write(more)) for writer in self.writers]
            while time.monotonic() - began < options.away_seconds or not all(one.done() for one in writing):
                await asyncio.sleep(LOOK_SECONDS)
                told.look(await _asked(http, "/readyz"))
            result.away_seconds = round(time.monotonic() - began, 1)
            result.said, result.told_at_last = told.said, told.is_down
            result.waited = await self._waiting()
        tell(f"the Data API was away for {result.away_seconds} s, and {result.waited} changes wait")

    async def _strike(self, most: int, tell: Callable[[str], None]) -> None:
        blows = ["kill"] * self._options.kills + ["stop"] * self._options.stops
        self._random.shuffle(blows)
        for number, blow in enumerate(blows, start=1):
            at = most * (number - self._random.random() / 2) / (len(blows) + 1)
            while self._changes() < at:  # noqa: ASYNC110  the writers have no time to tell
                await asyncio.sleep(0.01)
            tell(f"{self._changes()} of {most} changes: {blow}")
            if blow == "kill":
                await self.end(signal.SIGKILL)
                await self.serve()
                self.result.kills += 1
            else:
                await self._server.stop("immediate")
                await self._server.start()
                self.result.stops += 1

    async def all_taken(self) -> None:
        """Wait until nothing waits there, and nothing is open here."""
        began = time.monotonic()
        async with self._http() as http, asyncio.timeout(PATIENCE_SECONDS):
            while await self._waiting():  # noqa: ASYNC110  another process
                await asyncio.sleep(0.1)
            taken = time.monotonic() - began
            while (stats := await _asked(http, "/api/v1/webhooks/stats"))["books"]["open"]:  # noqa: ASYNC110  another process
                await asyncio.sleep(0.1)
        self.result.duplicates = stats["duplicates"]
        if self.result.away_seconds:
            self.result.taken_seconds, self.result.applied_seconds = round(taken, 1), round(time.monotonic() - began, 1)

    def _http(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(f"http://127.0.0.1:{self._port}", headers=ADMIN)

    async def _waiting(self) -> int:
        """Count the messages in the outbox."""
        sql = await asyncpg.connect(self._server.url)
        try:
            return int(await sql.fetchval("select count(*) from hookbridge_webhooks.changes"))
        finally:
            await sql.close()

    async def judge(self) -> None:
        """Compare the copies with the table, and look at the order in which events came."""
        sql = await asyncpg.connect(self._server.url)
        try:
            truth = {
                f"public.{name}:{one['id']}": one["n"]
                for name in names(self._options)
                for one in await sql.fetch(f"select id, n from {name}")  # noqa: S608  a name of ours
            }
        finally:
            await sql.close()
        result = self.result
        result.rows = len(truth)
        result.transactions, result.changes = sum(one.transactions for one in self.writers), self._changes()
        result.lost_to_stops = sum(one.lost for one in self.writers)
        result.refused = refused(self.writers)
        copies, result.events, result.overtaken = await asyncio.to_thread(
            _kept, self._folder / "data" / "hookbridge.db"
        )
        result.differing = len(truth.items() ^ copies.items())


async def _asked(http: aiohttp.ClientSession, path: str) -> Any:  # noqa: ANN401  any JSON
    async with http.get(path) as answer:
        return await answer.json()


def _kept(file: Path) -> tuple[dict[str, int], int, int]:
    """Give the copies, the number of pulled events, and how many of them came behind a later one of their record."""
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    copies = {
        f"{table}:{id_}": msgspec.json.decode(data)["n"]
        for table, id_, data in database.execute(
            "SELECT table_name, record_id, data FROM copies WHERE data IS NOT NULL"
        )
    }
    latest: dict[str, int] = {}
    events = overtaken = 0
    for record, type_, body in database.execute(
        "SELECT record, type, body FROM events WHERE origin = 'pull' ORDER BY id"
    ):
        message = msgspec.json.decode(body)
        n = message["old_record" if type_ == "delete" else "record"]["n"]
        events += 1
        overtaken += n < latest.get(record, 0)
        latest[record] = n
    database.close()
    return copies, events, overtaken


CONFIG = """
[server]
port = {port}

[reconcile]
poll_seconds = 86400.0
poll_seconds_max = 86400.0
sweep_seconds = 86400.0
"""

TABLE = """
[[supabase.tables]]
name = "{name}"
pull = true
"""

ENV = """
SUPABASE_URL={url}
SUPABASE_KEY={key}
SUPABASE_DB_URL={database}
HOOKBRIDGE_ADMIN_TOKEN={token}
"""

ROLES = """
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
"""


@asynccontextmanager
async def _project(folder: Path, options: Options) -> AsyncIterator[tuple[Postgres, PostgrestOnPostgres]]:
    # On disk what is said to be: an immediate stop is a crash to the server.
    async with postgres(folder, {"max_connections": "60", "fsync": "on"}) as server:
        sql = await asyncpg.connect(server.url)
        await sql.execute(ROLES + SETTING_UP)
        for name in names(options):
            await sql.execute(f"create table if not exists {name} (like {COMMON} including all)")
            await sql.execute(f"grant all on {name} to service_role")
            await sql.execute(install(Trigger(table=name, pull=Pull())))
        await sql.close()
        async with data_api(server.url, KEY) as api:
            yield server, api


async def run(folder: Path, options: Options, tell: Callable[[str], None]) -> Result:
    """Make everything, strike it, wait until it is quiet, and judge."""
    began = time.monotonic()
    (folder / "postgres").mkdir()
    async with _project(folder / "postgres", options) as (server, api):
        trial = Trial(folder, options, server, api)
        try:
            await trial.serve()
            await (trial.write_without_api(tell) if options.away_seconds else trial.write(tell))
            await trial.all_taken()
            await trial.judge()
        finally:
            await trial.end(signal.SIGTERM)
    trial.result.seconds = round(time.monotonic() - began, 1)
    return trial.result
