"""docs/changes.md: its consumer runs as it stands, and has in the end what the copies have."""

import asyncio
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from hookbridge.store.contract import Store
from hookbridge.store.values import Span
from tests.support.events import copy, key
from tests.support.processes import REPOSITORY
from tests.support.running import make_settings, running
from tests.support.waiting import wait_until

READ_TOKEN = "read-token-for-tests"
(CONSUMER,) = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "changes.md").read_text(), re.DOTALL)


async def put(store: Store, name: str, data: bytes | None, read_at: float = 50.0) -> None:
    read = copy(key(name), await store.ticket(), data, fingerprint=(data or b"").ljust(16), read_at=read_at)
    await store.put(read, None, exclusive=False)


def known(file: Path) -> dict[str, str]:
    """What the consumer has."""
    with closing(sqlite3.connect(file)) as mine:
        try:
            return dict(mine.execute("SELECT name, data FROM records"))
        except sqlite3.OperationalError:
            return {}


async def test_its_consumer_has_what_the_copies_have_also_after_its_place_was_gone(tmp_path: Path, engine: str) -> None:
    async with asyncio.timeout(60), running(make_settings(tmp_path, secrets={"read_token": READ_TOKEN})) as bridge:
        store = bridge.service.store
        environment = {"HOOKBRIDGE_URL": bridge.url, "HOOKBRIDGE_READ_TOKEN": READ_TOKEN}
        file = tmp_path / "mine.db"

        async def until(expected: dict[str, str]) -> None:
            consumer = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", CONSUMER), cwd=tmp_path, env=environment
            )
            await wait_until(lambda: known(file) == expected)
            consumer.kill()
            await consumer.wait()

        for name in "abc":
            await put(store, name, b'{"now": 1}')
        users = "supabase:public.users:"
        await until({f"{users}{name}": '{"now": 1}' for name in "abc"})
        await put(store, "a", None, read_at=5.0)
        await put(store, "b", b'{"now": 2}')
        # It does not hear of the first one: that is forgotten before it comes again.
        assert await store.remove_tombstones(Span(0.0, 10.0), 10) == 1
        await until({f"{users}b": '{"now": 2}', f"{users}c": '{"now": 1}'})
        await put(store, "c", None)
        await until({f"{users}b": '{"now": 2}'})
