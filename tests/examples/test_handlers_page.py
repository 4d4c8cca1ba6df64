"""docs/handlers.md: its handler and its tests run as they stand, and each change is what a handler is really given."""

import doctest
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

import msgspec

from hookbridge.model import Change
from tests.support.books import send, settled
from tests.support.followed import sources
from tests.support.handling import Handling
from tests.support.processes import REPOSITORY
from tests.support.running import running, with_secrets

PAGE = (REPOSITORY / "docs" / "handlers.md").read_text()


def blocks(language: str, text: str = PAGE) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_field_of_a_change_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    fields = {one.name for one in msgspec.structs.fields(Change)}
    asked = {name for name, value in vars(Change).items() if isinstance(value, property)}
    assert (len(rows), set(rows)) == (len(set(rows)), fields | asked)


def test_its_handler_passes_its_tests(tmp_path: Path) -> None:
    for block in blocks("python"):
        if (named := re.match(r"# (\w+\.py)", block)) is not None:
            (tmp_path / named[1]).write_text(block)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, "4 passed" in ran.stdout) == (0, True), ran.stdout


def shows(block: str, change: Change) -> None:
    """Run what the page shows of a change."""
    test = doctest.DocTestParser().get_doctest(block, {"change": change}, "docs/handlers.md", None, None)
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert test.examples
    assert not said, "".join(said)


async def test_each_change_of_a_row_is_what_the_page_shows(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    section = PAGE.partition("### A row is inserted")[2].partition("### A page of Notion")[0]
    section = re.sub(r"\busers\b", user.table, section)
    async with sources() as both:
        both.supabase.create_table(user.table, {"id": "bigint", "name": "text", "email": "text"})
        async with running(with_secrets(both.settings(tmp_path, handlers=user.section), notion_token="")) as service:
            for webhook, shown in zip(blocks("json", section), blocks("pycon", section), strict=True):
                body = json.loads(webhook)
                if body["type"] == "INSERT":
                    both.supabase.insert(user.table, body["record"])
                elif body["type"] == "UPDATE":
                    both.supabase.update(user.table, 42, body["record"])
                else:
                    both.supabase.delete(user.table, 42)
                await send(service, body)
                await settled(service)
                shows(shown, user.module.calls[-1])
    assert [one.type for one in user.module.calls] == ["insert", "update", "delete"]


async def test_each_change_of_a_page_is_what_the_page_shows(tmp_path: Path) -> None:
    user = Handling(tmp_path)
    section = PAGE.partition("### A page of Notion")[2].partition("\n## ")[0]
    async with sources() as both:
        text = (tmp_path / f"{user.name}.py").read_text()
        (tmp_path / f"{user.name}.py").write_text(
            text.replace(f'"supabase", table="{user.table}"', f'"notion", table="{both.database}"')
        )
        page = str(uuid.uuid4())
        quiet = {"enabled": False}
        async with running(both.settings(tmp_path, handlers=user.section, reconcile=quiet)) as service:
            for webhook, shown in zip(blocks("json", section), blocks("pycon", section), strict=True):
                body = json.loads(webhook.replace("DATABASE", both.database).replace("PAGE", page))
                if body["event_type"] == "insert":
                    both.notion.create_page(both.data_source, {"Name": "Write the plan"}, page_id=page)
                elif body["event_type"] == "update":
                    both.notion.update_page(page, {"Name": "Read the plan"})
                else:
                    both.notion.trash(page)
                await send(service, body, source="notion")
                await settled(service)
                shows(shown, user.module.calls[-1])
    assert [one.type for one in user.module.calls] == ["insert", "update", "delete"]
