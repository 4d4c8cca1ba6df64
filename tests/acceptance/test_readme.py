"""The README, followed to the letter: its commands, its curls, its handler; and how a started service ends."""

import asyncio
import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.support.processes import REPOSITORY, process
from tests.support.running import ADMIN, ADMIN_TOKEN
from tests.support.waiting import wait_until

UPDATE = {"event_type": "update", "source": "supabase", "table_name": "users", "record_id": "1", "data": {"id": 1}}
README = (REPOSITORY / "README.md").read_text()


def block(language: str, containing: str) -> str:
    """The fenced block of this language that contains a text."""
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in text]
    assert len(found) == 1, f"the README has {len(found)} blocks with {containing!r}"
    return str(found[0])


async def test_the_curls_of_the_readme_store_count_and_find(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin-token").write_text(ADMIN_TOKEN)
    async with process(tmp_path) as service:
        *first, search = block("sh", "lovelace").replace("http://127.0.0.1:8080", service.url).split("\ncurl ")
        sent = await shell("\ncurl ".join(first), tmp_path)
        assert '"status":"accepted"' in sent
        assert '"total_processed"' in sent

        async def found() -> bool:
            return "Ada [Lovelace]" in await shell("curl " + search, tmp_path)

        await wait_until(found)
        books = await (await service.get("/api/v1/webhooks/stats")).json()
        assert (books["verification"]["skipped"], books["books_balanced"]) == (1, True)


async def shell(text: str, folder: Path) -> str:
    done = await asyncio.create_subprocess_shell(text, cwd=folder, stdout=asyncio.subprocess.PIPE)
    out, _ = await done.communicate()
    return out.decode()


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


@pytest.mark.parametrize("script", ["run", "test", "bench", "lock"])
def test_every_script_explains_itself(script: str) -> None:
    done = subprocess.run([REPOSITORY / "scripts" / script, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
async def test_a_signal_ends_it_cleanly_and_a_second_one_changes_nothing(tmp_path: Path, signal: str) -> None:
    import signal as signals

    async with process(tmp_path) as service:
        number = getattr(signals, signal)
        service._process.send_signal(number)
        service._process.send_signal(number)
        assert await service.ended() == 0
        assert service.said("Stopped")
        assert not any("Traceback" in str(line) for line in service.log)


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
