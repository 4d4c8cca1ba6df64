"""A setting in which everything is right, and what a test makes wrong in it before the doctor looks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hookbridge.config import Settings
from hookbridge.doctor import Examined, Finding, examine
from tests.support.followed import Sources
from tests.support.running import ADMIN_TOKEN, with_secrets

SECRET = "a plain secret of the scene"
NOWHERE = "http://127.0.0.1:9"
"""A port that nobody listens on (RFC 863)."""


class Scene:
    """Both sources and the settings, until they are looked at."""

    def __init__(self, sources: Sources, folder: Path) -> None:
        self.supabase = sources.supabase
        self.notion = sources.notion
        self.database = sources.database
        self.folder = folder
        self.sections: dict[str, dict[str, Any]] = {"signatures": {"verify": True}}
        self.secrets: dict[str, Any] = {"webhook_secrets": (SECRET,)}
        self.server_url = NOWHERE
        self.server_expected = False
        self.database_url = ""
        self.publishable_key = ""
        self.admin_token: str | None = ADMIN_TOKEN
        self._sources = sources

    def set(self, section: str, **keys: object) -> None:
        self.sections.setdefault(section, {}).update(keys)

    @property
    def settings(self) -> Settings:
        return with_secrets(self._sources.settings(self.folder, databases=None, **self.sections), **self.secrets)

    async def findings(self, now: Callable[[], float] | None = None) -> dict[str, Finding]:
        """What the doctor finds, by what was looked at."""
        what = Examined(
            settings=self.settings,
            server_url=self.server_url,
            server_expected=self.server_expected,
            admin_token=self.admin_token,
            database_url=self.database_url,
            publishable_key=self.publishable_key,
        )
        found = examine(what) if now is None else examine(what, now=now)
        return {one.check: one async for one in found}


def states(found: dict[str, Finding], *wanted: str) -> dict[str, str]:
    return {name: one.message for name, one in found.items() if one.state in wanted}


def expect(finding: Finding, state: str, cause: str, remedy: str) -> None:
    assert (finding.state, cause in finding.message, remedy in finding.hint) == (state, True, True), finding
