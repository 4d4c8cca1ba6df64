"""The README, followed to the letter: its commands, its curls, its handler; and how a started service ends."""

import asyncio
import contextlib
import os
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.support.commands import command
from tests.support.postgrest import data_api
from tests.support.processes import REPOSITORY, process
from tests.support.project import project
from tests.support.running import ADMIN
from tests.support.waiting import wait_until

UPDATE = {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": "1", "data": {"id": 1}}
README = (REPOSITORY / "README.md").read_text()
COMMANDS = (REPOSITORY / "docs" / "commands.md").read_text()


def block(language: str, containing: str) -> str:
    """The fenced block of this language that contains a text."""
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in text]
    assert len(found) == 1, f"the README has {len(found)} blocks with {containing!r}"
    return str(found[0])


def first_event() -> list[list[str]]:
    """The commands of the block "Your first event", as words."""
    lines = [line.partition("#")[0].split() for line in block("sh", "./scripts/run init").splitlines()]
    assert all(words[0] == "./scripts/run" for words in lines), lines
    return [words[1:] for words in lines]


async def test_the_first_event_of_the_readme_is_sent_signed_and_found(tmp_path: Path) -> None:
    init, serve, send, token = first_event()
    assert serve == []
    ours = {"HOOKBRIDGE_ADMIN_TOKEN": ""}  # init writes one
    written = await command(tmp_path, *init, stdin=b"", **ours)
    assert written.code == 0, written.err
    async with process(tmp_path, ours) as service:
        there = {**ours, "HOOKBRIDGE_URL": service.url}
        sent = await command(tmp_path, *send, stdin=b"", **there)
        assert (sent.code, "202 Accepted event 1" in sent.out, "applied" in sent.out) == (0, True, True), sent.out
        shown = await command(tmp_path, *token, "--show", stdin=b"", **there)
        link = shown.out.split()[1]
        assert link.startswith(f"{service.url}/#token=")
        admin = {"Authorization": f"Bearer {link.partition('=')[2]}"}
        event = await (await service.get("/api/v1/events/1", admin)).json()
        assert (event["outcome"], event["verification"], event["origin"]) == ("applied", "skipped", "webhook")


async def test_five_minutes_to_a_table_whose_changes_are_fetched(tmp_path: Path, postgres_url: str) -> None:
    """What the README says, done to a real database with a Data API before it, without an address of ours."""
    async with project(postgres_url) as database, data_api(database.url, "sb_secret_1") as api:
        (tmp_path / "config.toml").write_text(block("toml", "pull = true"))
        (tmp_path / ".env").write_text(f"SUPABASE_URL={api.url}\nSUPABASE_KEY=sb_secret_1\n")
        words = block("sh", "--pull").split()
        printed = await command(tmp_path, *words[1:], stdin=b"")
        assert (words[0], printed.code) == ("./scripts/run", 0)
        await database.sql.execute(printed.out)
        async with process(tmp_path) as service:
            await wait_until(lambda: service.said("Backfill complete"))
            await database.sql.execute("insert into users (id, name) values (1, 'Ada')")

            async def is_seen() -> bool:
                answer = await service.get("/api/v1/events?origin=pull&outcome=applied")
                return len((await answer.json())["events"]) == 1

            await wait_until(is_seen)
            record = await (await service.get("/api/v1/records/supabase/users/1")).json()
            assert (record["data"]["name"], record["verified"]) == ("Ada", True)


async def test_the_handler_of_the_readme_is_called(tmp_path: Path) -> None:
    (tmp_path / "my_handlers.py").write_text(block("python", "@bridge.on"))
    (tmp_path / "config.toml").write_text('[handlers]\nmodule = "my_handlers"\n')
    async with process(tmp_path) as service:
        body = {
            "event_type": "update",
            "source": "supabase",
            "table_name": "users",
            "record_id": "1",
            "data": {"id": 1},
        }
        assert (await service.post("/api/v1/webhooks/supabase", body)).status == 202
        await wait_until(lambda: service.said("supabase:public.users:1 was None and is {'id': 1}"))


def test_the_tables_of_the_readme_are_a_valid_configuration(tmp_path: Path) -> None:
    from hookbridge.settings import load

    (tmp_path / "config.toml").write_text(block("toml", "[[notion.databases]]"))
    settings = load(tmp_path / "config.toml", {}, tmp_path)
    assert [table.name for table in settings.config.supabase.tables] == ["users"]
    assert len(settings.config.notion.databases) == 1


def test_what_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (REPOSITORY / target).exists(), target
    assert len(README.splitlines()) < 150


def test_every_command_that_the_readme_shows_is_one() -> None:
    shown = set(re.findall(r"\./scripts/run ([a-z][a-z-]*)", README))
    assert shown >= {"init", "demo", "send", "token", "check", "tail", "verify", "trigger-sql", "notion-token"}
    assert shown <= {chapter.split()[0] for chapter in re.split(r"^## ", COMMANDS, flags=re.MULTILINE)[1:]}


SCRIPTS = sorted(path.name for path in (REPOSITORY / "scripts").iterdir() if path.is_file() and "." not in path.name)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_explains_itself(script: str) -> None:
    done = subprocess.run([REPOSITORY / "scripts" / script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT", "SIGHUP"])
async def test_a_signal_ends_it_cleanly_and_a_second_one_changes_nothing(tmp_path: Path, signal: str) -> None:
    import signal as signals

    async with process(tmp_path) as service:
        number = getattr(signals, signal)
        ended = asyncio.create_task(service.ended())
        while not ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(service.pid, number)
            await asyncio.wait({ended}, timeout=0.01)
        assert await ended == 0
        assert service.said("Stopped")
        assert not any("Traceback" in str(line) for line in service.log)


async def test_what_was_started_with_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    import signal as signals

    before = signals.signal(signals.SIGHUP, signals.SIG_IGN)  # a child keeps it
    try:
        async with process(tmp_path) as service:
            service.send(signals.SIGHUP)
            async with service.http.get("/healthz") as answer:
                assert answer.status == 200
            service.terminate()
            assert await service.ended() == 0
    finally:
        signals.signal(signals.SIGHUP, before)


async def test_the_start_says_what_an_operator_wants_to_know(tmp_path: Path) -> None:
    async with process(tmp_path) as service:
        line = service.said("Listening")
        assert line is not None
        assert line["without_credentials"] == ["supabase", "notion"]
        assert line["signatures"] == "not verified"
        assert line["data"] == str(tmp_path / "data" / "hookbridge.db")
        assert line["docs"] == service.url + "/docs"


async def test_a_crash_of_the_machinery_ends_with_exit_code_1(tmp_path: Path) -> None:
    """A bug that is planted from outside: the lanes cannot run."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Planted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'hookbridge.web.server':\n"
        "            import hookbridge.pipeline.lanes as lanes\n"
        "            async def broken(self): raise RuntimeError('planted')\n"
        "            lanes.Lane._watch = broken\n"
        "sys.meta_path.insert(0, Planted())\n"
    )
    async with process(tmp_path, {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}) as service:
        assert await service.ended() == 1
        crash = service.said("Crashed; every acknowledged event is in the data file")
        assert crash is not None
        assert "planted" in crash["exception"]


async def test_nothing_of_an_sdk_is_imported_without_credentials(tmp_path: Path) -> None:
    (tmp_path / "my_handlers.py").write_text(
        "import sys, atexit\n"
        "from hookbridge import bridge\n"
        "@bridge.on('supabase')\n"
        "async def tell(change):\n"
        "    print('imported', [name for name in ('supabase', 'notion_client', 'redis') if name in sys.modules])\n"
    )
    (tmp_path / "config.toml").write_text('[handlers]\nmodule = "my_handlers"\n')
    async with process(tmp_path, {"SUPABASE_URL": "", "SUPABASE_KEY": "", "NOTION_TOKEN": ""}) as service:
        body = {
            "event_type": "update",
            "source": "supabase",
            "table_name": "users",
            "record_id": "1",
            "data": {"id": 1},
        }
        await service.post("/api/v1/webhooks/supabase", body)
        await wait_until(lambda: service.said("imported []"))
        assert (await service.get("/api/v1/events", ADMIN)).status == 200
        assert msgspec.json.decode(await (await service.get("/healthz")).read())["status"] == "ok"
