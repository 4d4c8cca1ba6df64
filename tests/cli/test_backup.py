"""`backup`: whatever happens meanwhile, what it leaves is whole and its owner's alone."""

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.support.commands import command, environment
from tests.support.processes import Process, process
from tests.support.waiting import wait_until

MOUNTING = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
SUPABASE = "/api/v1/webhooks/supabase"


async def send(service: Process, number: int) -> None:
    event = {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": str(number)}
    assert (await service.post(SUPABASE, event | {"data": {"id": number}})).status == 202


async def applied(service: Process, number: int) -> None:
    async def there() -> bool:
        return (await service.get(f"/api/v1/records/supabase/users/{number}")).status == 200

    await wait_until(there)


def records(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found: int = connection.execute("SELECT count(*) FROM copies").fetchone()[0]
        return found


def names(folder: Path, prefix: str = "") -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(prefix))


@pytest.mark.parametrize("umask", [0o022, 0o000])
async def test_a_running_service_is_copied_whole_and_only_the_owner_can_read_it(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        async with process(tmp_path) as service:
            for number in range(3):
                await send(service, number)
                await applied(service, number)
            ran = await command(tmp_path, "backup", "copy.db", "--json")
            assert ran.code == 0, ran.err
            await send(service, 4)  # what a copy leaves behind must not count as damage
    finally:
        os.umask(before)
    copy = tmp_path / "copy.db"
    assert ran.lines == [{"file": str(copy), "bytes": copy.stat().st_size}]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert names(tmp_path, "copy") == ["copy.db"]
    assert records(copy) == 3


async def test_a_service_that_stands_still_is_copied_and_nothing_is_left_beside_its_file(tmp_path: Path) -> None:
    async with process(tmp_path) as service:
        await send(service, 1)
        await applied(service, 1)
        service.terminate()
        assert await service.ended() == 0
    there = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    ran = await command(tmp_path, "backup", "copy.db")
    assert (ran.code, "copy.db" in ran.out) == (0, True), ran.err
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == there
    assert records(tmp_path / "copy.db") == 1


async def test_what_a_crash_left_in_the_log_is_in_the_copy(tmp_path: Path) -> None:
    async with process(tmp_path) as service:
        await send(service, 1)
        await applied(service, 1)
        service.kill()
        await service.ended()
    assert (await command(tmp_path, "backup", "copy.db")).code == 0
    assert records(tmp_path / "copy.db") == 1


@pytest.mark.parametrize("kind", ["file", "link to nowhere", "folder"])
async def test_what_is_there_is_kept(tmp_path: Path, kind: str) -> None:
    await served(tmp_path)
    target = tmp_path / "copy.db"
    if kind == "file":
        target.write_text("kept")
    elif kind == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nowhere")
    ran = await command(tmp_path, "backup", "copy.db")
    assert (ran.code, "copy.db is there already" in ran.err) == (2, True), ran.err
    assert kind != "file" or target.read_text() == "kept"
    assert not (tmp_path / "nowhere").exists()


async def test_without_a_data_file_none_is_made(tmp_path: Path) -> None:
    ran = await command(tmp_path, "backup", "copy.db")
    assert (ran.code, "There is no data file at" in ran.err, "--config" in ran.err) == (2, True, True)
    assert names(tmp_path) == []


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    await served(tmp_path)
    ran = await command(tmp_path, "backup", "elsewhere/copy.db")
    assert (ran.code, "Cannot write elsewhere/copy.db: No such file or directory" in ran.err) == (2, True), ran.err


@pytest.mark.parametrize("want", ["of room for so large a file", "of room on the disk"])
async def test_a_copy_that_finds_no_room_is_what_the_error_names_and_not_the_data_file(
    tmp_path: Path, want: str
) -> None:
    await served(tmp_path)
    (tmp_path / "small").mkdir()
    if want == "of room for so large a file":
        words = ["sh", "-c", 'ulimit -f 64 && exec "$0" "$@"']
    elif can_mount():
        words = [*MOUNTING, 'mount -t tmpfs -o size=64k none small && exec "$0" "$@"']
    else:
        pytest.skip("no disk can be mounted here")
    process = await asyncio.create_subprocess_exec(
        *(*words, sys.executable, "-B", "-m", "hookbridge", "backup", "small/copy.db"),
        cwd=tmp_path,
        env=environment({}),
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert (process.returncode, b"Cannot write small/copy.db: " in said) == (2, True), said
    assert b"on a disk with room for it" in said
    assert names(tmp_path / "small") == []


def can_mount() -> bool:
    tried = [*MOUNTING, "mount -t tmpfs none /tmp"]
    return bool(shutil.which("unshare")) and subprocess.run(tried, capture_output=True, check=False).returncode == 0


async def test_a_damaged_file_makes_no_copy(tmp_path: Path) -> None:
    await served(tmp_path)
    file = tmp_path / "data" / "hookbridge.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * 4096 + whole[8192:])
    ran = await command(tmp_path, "backup", "copy.db")
    assert ran.code == 2, ran.out
    assert names(tmp_path, "copy") == []


async def served(folder: Path) -> None:
    """Leave the data file of a service that has stopped."""
    async with process(folder) as service:
        service.terminate()
        assert await service.ended() == 0


async def test_what_is_restored_goes_on_where_the_copy_was_made(tmp_path: Path) -> None:
    async with process(tmp_path) as service:
        await send(service, 1)
        await applied(service, 1)
        assert (await command(tmp_path, "backup", "copy.db")).code == 0
        await send(service, 2)
        await applied(service, 2)
        service.terminate()
        await service.ended()
    for name in names(tmp_path / "data", "hookbridge.db"):
        (tmp_path / "data" / name).unlink()
    (tmp_path / "copy.db").rename(tmp_path / "data" / "hookbridge.db")
    async with process(tmp_path) as service:
        assert (await service.get("/api/v1/records/supabase/users/1")).status == 200
        assert (await service.get("/api/v1/records/supabase/users/2")).status == 404
        books = msgspec.json.decode(await (await service.get("/api/v1/webhooks/stats")).read())["books"]
        assert (books["received"], books["applied"]) == (1, 1)
