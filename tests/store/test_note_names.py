"""Notes are found under the names that older versions gave them.

A name that changes needs a line here, and a schema step of every engine that renames what is stored under the old one.
"""

from pathlib import Path

import pytest

from hookbridge.store import note_names
from tests.support.engines import opened_file
from tests.support.files import older_file

NOW = {
    "starts": note_names.STARTS,
    "checked": note_names.CHECKED,
    "notion-verification-token": note_names.NOTION_TOKEN,
    "runs": note_names.RUNS,
    "index": note_names.INDEX,
    "leftovers": note_names.LEFTOVERS,
    "alerts": note_names.ALERTS,
    "migration": note_names.MIGRATION,
    "paused:supabase": note_names.paused("supabase"),
    "paused:notion": note_names.paused("notion"),
    "poll:supabase:public.users": note_names.poll("supabase", "public.users"),
    "sweep:notion:t": note_names.sweep("notion", "t"),
    "pull": note_names.PULL,
    "sweep-asked:supabase:public.users": note_names.asked_sweep("supabase", "public.users"),
    "destination:search": note_names.destination("search"),
    "destination-word:search": note_names.word_on_destination("search"),
    "destination-wanted:search": note_names.wanted("search"),
}
"""As they are on disk since the newest schema step that names one."""

FORMER = [
    (7, "held:supabase", note_names.paused("supabase")),
    (7, "held:notion", note_names.paused("notion")),
]
"""The newest schema that still had the name, the name, and what it is called now."""


def test_notes_have_the_names_that_are_on_disk() -> None:
    assert {name: name for name in NOW} == NOW


@pytest.mark.parametrize(("version", "former", "name"), FORMER)
async def test_what_an_older_version_noted_is_found_under_its_name_of_today(
    tmp_path: Path, version: int, former: str, name: str
) -> None:
    path = tmp_path / "hookbridge.db"
    with older_file(path, version) as older:
        older.execute("INSERT INTO notes VALUES (?, 'why')", (former,))
    store = await opened_file(path)
    assert (await store.note(name), await store.note(former)) == ("why", None)
    await store.close()
