"""A start that is cut off leaves nothing that keeps the next one from starting."""

from pathlib import Path

from hookbridge.service import Service
from tests.support.running import make_settings


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("admin-token*")]


async def opened(folder: Path) -> str:
    service = await Service.open(make_settings(folder, secrets={"admin_token": ""}))
    try:
        return service.admin_token
    finally:
        await service.store.close()


async def test_an_admin_token_that_was_half_written_is_made_anew(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "admin-token.unfinished").write_text("ha")
    token = await opened(tmp_path)
    assert len(token) > 40
    assert names(data) == ["admin-token"]
    assert (data / "admin-token").stat().st_mode & 0o777 == 0o600
    assert await opened(tmp_path) == token
