"""docs/deploy.md: its commands are run, or held against the unit, the compose file and the Containerfile."""

import os
import re
import shutil
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from hookbridge.cli.main import app
from hookbridge.config import Config
from tests.support.commands import command
from tests.support.examples import EXAMPLES, run
from tests.support.processes import REPOSITORY, process
from tests.support.proxies import PAGE, replaced
from tests.support.waiting import wait_until

DEPLOY = EXAMPLES / "deploy"
UNIT = (DEPLOY / "hookbridge.service").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONTAINERFILE = (REPOSITORY / "Containerfile").read_text()
EVENT = {"event_type": "insert", "source": "supabase", "table_name": "users", "record_id": "1", "data": {"id": 1}}
SHELL = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def blocks(chapter: str, way: str = "") -> list[str]:
    """The shell blocks of a chapter; of one way of running, those that say so in their first line."""
    text = PAGE.partition(f"\n## {chapter}\n")[2].partition("\n## ")[0]
    return [one for one in SHELL.findall(text) if one.startswith(f"# {way}" if way else "")]


def lines(text: str) -> list[str]:
    """Commands one by one, those of several lines put together."""
    whole = text.replace("\\\n", " ")
    return [" ".join(line.split()) for line in whole.splitlines() if line.strip() and not line.startswith("#")]


def records(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        found: int = connection.execute("SELECT count(*) FROM copies").fetchone()[0]
        return found


async def with_a_backup(folder: Path) -> None:
    """Follow the page in a clone: a service with one record, and the backup of it."""
    (line,) = lines(blocks("Backup and restore", "a clone")[0])
    script, *words = line.split()
    assert script == "./scripts/run"
    async with process(folder) as service:
        assert (await service.post("/api/v1/webhooks/supabase", EVENT)).status == 202

        async def applied() -> bool:
            return (await service.get("/api/v1/records/supabase/users/1")).status == 200

        await wait_until(applied)
        ran = await command(folder, *words)
        assert ran.code == 0, ran.err
        service.terminate()
        assert await service.ended() == 0


@pytest.mark.parametrize("umask", [0o022, 0o002])
async def test_a_clone_is_restored_by_the_commands_that_the_page_shows(tmp_path: Path, umask: int) -> None:
    await with_a_backup(tmp_path)
    file = tmp_path / "data" / "hookbridge.db"
    file.write_bytes(b"damaged")
    *commands, start = lines(blocks("Backup and restore", "a clone")[1])
    assert start == "./scripts/run"
    before = os.umask(umask)
    try:
        code, said = await run("sh", "-euc", f"cd {tmp_path}\n" + "\n".join(commands))
    finally:
        os.umask(before)
    assert code == 0, said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with process(tmp_path) as service:
        assert (await service.get("/api/v1/records/supabase/users/1")).status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")
async def test_under_systemd_what_is_restored_belongs_to_the_service(tmp_path: Path) -> None:
    await with_a_backup(tmp_path)
    data, owner = tmp_path / "data", 61234 if os.geteuid() == 0 else os.geteuid()
    os.chown(data, owner, -1)
    stop, *commands, start = lines(blocks("Backup and restore", "systemd")[1])
    assert (stop, start) == ("systemctl stop hookbridge", "systemctl start hookbridge")
    where = {"/var/lib/hookbridge": str(data), "/root/hookbridge-backup.db": str(tmp_path / "hookbridge-backup.db")}
    code, said = await run("sh", "-euc", replaced("\n".join(commands), where))
    assert code == 0, said
    file = data / "hookbridge.db"
    assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (owner, 0o600)
    assert records(file) == 1


async def test_in_a_container_what_is_restored_is_written_by_the_service_and_readable_by_it_alone(
    tmp_path: Path,
) -> None:
    await with_a_backup(tmp_path)
    stop, restore, start = lines(blocks("Backup and restore", "container")[1])
    assert (stop, start) == ("docker compose stop", "docker compose up -d")
    inside = re.search(r"--entrypoint sh hookbridge -c '(.*)' <hookbridge-backup\.db$", restore)
    assert inside
    data = tmp_path / "data"
    shell = f"cd {tmp_path}\nsh -c '{replaced(inside[1], {'/data': str(data)})}' <hookbridge-backup.db"
    code, said = await run("sh", "-euc", shell)
    assert code == 0, said
    assert sorted(path.name for path in data.iterdir() if path.name.startswith("hookbridge")) == ["hookbridge.db"]
    assert stat.S_IMODE((data / "hookbridge.db").stat().st_mode) == 0o600
    assert records(data / "hookbridge.db") == 1


def test_the_containers_paths_user_and_name_are_those_of_the_image_and_the_compose_file() -> None:
    assert set(COMPOSE["services"]) == {"hookbridge"}
    assert "USER 10001:10001" in CONTAINERFILE
    assert "| its user | yours | one that systemd makes | 10001 |" in PAGE
    assert "HOOKBRIDGE_STORE__PATH=/data/hookbridge.db" in CONTAINERFILE
    assert 'ENTRYPOINT ["python", "-m", "hookbridge"]' in CONTAINERFILE, "`run hookbridge backup` adds to it"
    assert "hookbridge() { docker compose exec hookbridge python -m hookbridge " in PAGE
    (file,) = re.findall(r"^export COMPOSE_FILE=(.*)$", PAGE, re.MULTILINE)
    assert (REPOSITORY / file).samefile(DEPLOY / "compose.yaml")
    inside = set(re.findall(r"(?:/data|hookbridge:/data)/[\w.*-]+", "\n".join(blocks("Backup and restore"))))
    assert inside == {"/data/backup.db", "hookbridge:/data/backup.db", "/data/hookbridge.db*", "/data/hookbridge.db"}
    log = COMPOSE["services"]["hookbridge"]["logging"]["options"]
    kept = int(log["max-size"].removesuffix("m")) * int(log["max-file"])
    assert f"`docker compose logs`; at most {kept} MB are kept" in PAGE


def test_systemds_paths_and_settings_are_those_of_the_unit() -> None:
    (shown,) = blocks("Three ways to run it", "systemd")
    called = re.search(r"^#   (systemd-run (?:.*\\\n#)*.*)$", UNIT, re.MULTILINE)
    assert called
    words = lines(called[1].replace("\\\n#", " "))[0].replace("stats ", '"$@" ')
    assert words in " ".join(shown.replace("\\\n", " ").split())
    (directory,) = re.findall(r"^StateDirectory=(\w+)$", UNIT, re.MULTILINE)
    for place in (f"/var/lib/{directory}", f"/var/lib/private/{directory}", "/etc/hookbridge", "/opt/hookbridge"):
        assert place in blocks("Uninstalling", "systemd")[0]


def test_an_upgrade_installs_as_the_units_first_lines_did() -> None:
    installing = re.findall(r"^#   (/opt/hookbridge/bin/python -m pip .*)$", UNIT, re.MULTILINE)
    assert len(installing) == 3
    assert [line for line in lines(blocks("Upgrading", "systemd")[0]) if " pip " in line] == installing


def test_a_tunnel_ends_at_the_port_that_is_listened_on() -> None:
    (tunnels,) = blocks("A tunnel for a try")
    server = Config().server
    assert all(str(server.port) in line for line in lines(tunnels))
    assert set(re.findall(r"127\.0\.0\.1|localhost(?=:)", tunnels)) == {server.host}
    assert f"port {server.port} of your machine" in PAGE


def test_every_command_of_the_page_is_one() -> None:
    known: dict[str, Any] = {str(one.name): one for one in app.registered_commands}
    shown = re.findall(r"\./scripts/run ([a-z][a-z-]*)", PAGE)
    for block in SHELL.findall(PAGE):
        shown += re.findall(r"(?:^|-- |--no-deps )hookbridge ([a-z][a-z-]*)", block, re.MULTILINE)
    assert {"backup", "check", "verify", "trigger-sql", "init"} <= set(shown)
    assert set(shown) <= set(known)


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no shell")
async def test_every_block_is_what_a_shell_takes() -> None:
    found = SHELL.findall(PAGE)
    assert len(found) > 15
    for block in found:
        code, said = await run("sh", "-nc", block)
        assert (code, said) == (0, ""), block
