"""The handler module, in the service of a user who named it in the configuration."""

import json
import shutil
from pathlib import Path

from tests.support.books import event, hint, send, settled
from tests.support.examples import EXAMPLES
from tests.support.processes import process
from tests.support.waiting import wait_until

LINE = 'module = "my_handlers"'


async def test_the_handlers_do_what_they_say(tmp_path: Path) -> None:
    assert f"[handlers]\n{LINE}" in (EXAMPLES / "README.md").read_text()
    shutil.copy(EXAMPLES / "handlers" / "my_handlers.py", tmp_path)
    (tmp_path / "config.toml").write_text(f"[handlers]\n{LINE}\n")
    profile = tmp_path / "profiles" / "1.json"
    async with process(tmp_path, {"HOOKBRIDGE_PROCESSING__RETRY_DELAY_SECONDS": "0"}) as service:
        for name in ("Ada", "Grace"):
            await send(service, hint(1, data={"name": name, "email": "a@example.com"}))
            await settled(service)
            assert json.loads(profile.read_text()) == {"name": name, "email": "a@example.com"}

        await send(service, hint(1, event_type="delete"))
        await settled(service)
        assert not profile.exists()

        without = await send(service, hint(2, data={"name": "Nobody"}))
        await settled(service)
        told = await event(service, without)
        assert told["outcome"] == "dead"
        assert "supabase:public.users:2 has no email" in json.dumps(told)

        await send(service, hint("p", table="d", source="notion"), source="notion")
        await wait_until(lambda: service.said("notion:d:p skipped"))
