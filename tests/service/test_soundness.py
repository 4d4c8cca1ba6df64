"""A service whose data file is gone or damaged takes no webhook, and says so wherever somebody looks."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.books import hint, settled
from tests.support.metrics import scrape
from tests.support.running import Running, make_settings, running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.on("sqlite")  # its own: a file

HOOK = "/api/v1/webhooks/supabase"
PAGE_BYTES = 4096


def remove(data: Path) -> None:
    data.unlink()


def remove_log(data: Path) -> None:
    Path(f"{data}-wal").unlink()


def rename_folder(data: Path) -> None:
    data.parent.rename(data.parent.with_name("elsewhere"))


def cut(data: Path) -> None:
    os.truncate(data, PAGE_BYTES)


def scribble(data: Path) -> None:
    """Damage what is in the file and nothing of its size."""
    with data.open("r+b") as file:
        for page in range(1, data.stat().st_size // PAGE_BYTES):
            file.seek(page * PAGE_BYTES)
            file.write(b"\xa5" * PAGE_BYTES)


BLOWS = {
    "file removed": (remove, "cannot be found any more"),
    "log removed": (remove_log, "hookbridge.db-wal cannot be found any more"),
    "folder renamed": (rename_folder, "cannot be found any more"),
    "file cut short": (cut, "was cut short|damaged"),  # who looks first, or who reads first
    "pages damaged": (scribble, "damaged"),
}


async def readiness(client: Running, *, operator: bool) -> tuple[int, dict[str, Any]]:
    answer = await client.get("/readyz", None if operator else {})
    return answer.status, await answer.json()


async def prepared(tmp_path: Path) -> Path:
    """A data file with something in it, and nothing in its log."""
    settings = make_settings(tmp_path / "data")
    async with running(settings) as first:
        assert (await first.post(HOOK, hint(1))).status == 202
        await settled(first)
    return settings.data_file


@pytest.mark.parametrize(("blow", "reason"), BLOWS.values(), ids=BLOWS)
async def test_webhooks_are_refused_and_everybody_is_told_why_and_what_to_do(
    tmp_path: Path, blow: Callable[[Path], None], reason: str
) -> None:
    data = await prepared(tmp_path)
    async with running(make_settings(tmp_path / "data")) as client:
        assert (await readiness(client, operator=True))[1]["store_fault"] is None
        blow(data)

        async def refused() -> bool:
            return (await client.post(HOOK, hint(2))).status == 503

        await wait_until(refused)  # a page that is in memory is read from there
        answer = await client.post(HOOK, hint(3))
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
        for operator in (True, False):
            status, told = await readiness(client, operator=operator)
            assert (status, told["ready"], told["inbox_writable"]) == (503, False, False)
            assert re.search(reason, told["store_fault"]["reason"])
            assert "restore a backup" in told["store_fault"]["remedy"]
        seen = await scrape(client)
        assert (seen("store_sound"), seen("ready")) == (0, 0)
        assert (await client.get("/healthz")).status == 200


async def test_a_folder_that_is_put_back_is_used_again_and_has_everything(tmp_path: Path) -> None:
    data = await prepared(tmp_path)
    async with running(make_settings(tmp_path / "data")) as client:
        rename_folder(data)
        assert (await client.post(HOOK, hint(2))).status == 503
        data.parent.with_name("elsewhere").rename(data.parent)
        assert (await client.post(HOOK, hint(3))).status == 202
        assert (await scrape(client))("store_sound") == 1
    async with running(make_settings(tmp_path / "data")) as again:
        await settled(again)
        books = (await again.service.statistics()).books
        assert (books.received, books.applied) == (2, 2)


async def test_a_restart_with_a_sound_file_goes_on(tmp_path: Path) -> None:
    data = await prepared(tmp_path)
    backup = tmp_path / "backup.db"
    shutil.copy(data, backup)
    async with running(make_settings(tmp_path / "data")) as client:
        cut(data)
        assert (await client.post(HOOK, hint(2))).status == 503
    for file in data.parent.glob("hookbridge.db*"):
        file.unlink()
    shutil.copy(backup, data)
    async with running(make_settings(tmp_path / "data")) as again:
        assert (await again.post(HOOK, hint(2))).status == 202
        assert (await readiness(again, operator=False))[0] == 200
