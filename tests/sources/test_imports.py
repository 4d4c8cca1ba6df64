"""What is heavy is only imported for a source that has credentials."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("HOOKBRIDGE_", "SUPABASE_", "NOTION_", "WEBHOOK_", "VERIFY_", "REDIS_")
HEAVY = ("supabase", "notion_client", "redis")

# It opens the service as the command does, with the whole HTTP surface, and says what that imported.
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from hookbridge.service import Service
from hookbridge.settings import load
from hookbridge.web.server import bind, listening

async def main():
    settings = load(None, os.environ, Path.cwd())
    service = await Service.open(settings)
    work = asyncio.create_task(service.run())
    async with listening(service, bind(settings.config.server)):
        print(*sorted(sys.modules))
    await service.stop()
    await work

asyncio.run(main())
"""


def imported(folder: Path, **environ: str) -> set[str]:
    """Which of the heavy packages a service with this environment imports."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    given = {
        "PYTHONPATH": str(ROOT),
        "HOOKBRIDGE_SERVER__PORT": "0",
        "HOOKBRIDGE_ADMIN_TOKEN": "admin-token-for-tests",
        **environ,
    }
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env={**inherited, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = process.stdout.split()
    assert "hookbridge.service" in modules
    return {name for name in HEAVY if name in modules}


def test_a_service_without_credentials_imports_no_client(tmp_path: Path) -> None:
    assert imported(tmp_path) == set()


@pytest.mark.parametrize(
    ("environ", "client"),
    [
        ({"SUPABASE_URL": "http://127.0.0.1:9", "SUPABASE_KEY": "sb_secret_k"}, "supabase"),
        ({"NOTION_TOKEN": "ntn_t"}, "notion_client"),
        ({"REDIS_URL": "redis://127.0.0.1:9"}, "redis"),
    ],
)
def test_only_the_client_that_is_configured_is_imported(tmp_path: Path, environ: dict[str, str], client: str) -> None:
    assert imported(tmp_path, **environ) == {client}
