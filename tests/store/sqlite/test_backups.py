"""A backup goes on with a feed of its own, each time that it is restored."""

import shutil
from pathlib import Path

from hookbridge.store.sqlite import back_up
from tests.support.engines import opened_file
from tests.support.events import copy, key
from tests.support.files import older_file

BEFORE_IDS = 14


async def feed_of(path: Path) -> tuple[str, int]:
    """The id of a file's feed, and its newest place."""
    store = await opened_file(path)
    try:
        ends = await store.feed_ends()
        return ends.id, ends.newest
    finally:
        await store.close()


async def test_whatever_is_restored_goes_on_with_another_feed_and_the_file_itself_does_not(tmp_path: Path) -> None:
    path = tmp_path / "hookbridge.db"
    store = await opened_file(path)
    await store.put(copy(key(1), await store.ticket()), None, exclusive=False)
    back_up(path, tmp_path / "backup.db")  # while it runs
    await store.close()
    ours = await feed_of(path)
    back_up(path, tmp_path / "later.db")
    restored = [ours, await feed_of(path)]
    for name in ("backup.db", "backup.db", "later.db"):
        shutil.copy(tmp_path / name, tmp_path / "restored.db")
        restored.append(await feed_of(tmp_path / "restored.db"))
        (tmp_path / "restored.db").unlink()
    assert restored[0] == restored[1]
    assert len({id_ for id_, _ in restored}) == 4
    assert {newest for _, newest in restored} == {1}


async def test_a_file_from_before_feeds_had_ids_is_copied_and_has_one_after_the_start(tmp_path: Path) -> None:
    path = tmp_path / "hookbridge.db"
    with older_file(path, BEFORE_IDS):
        pass
    back_up(path, tmp_path / "backup.db")
    ids = {(await feed_of(one))[0] for one in (path, tmp_path / "backup.db")}
    assert len(ids) == 2
    assert "" not in ids
