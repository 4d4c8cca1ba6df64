"""Notion: does it answer, does it take the token and the version, and is each database shared with the integration.

It asks as the service does, by the same client and with the same budget of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hookbridge.config import NotionConfig, Settings
from hookbridge.doctor.finding import Finding, Findings, broken, failed, ok, skipped, warning
from hookbridge.errors import ContentRefused, SourceError, SourceRefused, SourceUnavailable
from hookbridge.model import Columns
from hookbridge.names import dashed
from hookbridge.settings.checks import API_VERSION_MIN
from hookbridge.sources.notion.budget import Budget, Urgency
from hookbridge.sources.notion.changes import NO_SOURCES, NO_SOURCES_HINT
from hookbridge.sources.source import unordered

if TYPE_CHECKING:
    from hookbridge.sources.notion.client import NotionClient

CHECK = "notion"
VERSION_HINT = f'set [notion] api_version to "{API_VERSION_MIN}" or leave it out'
REACHABLE_HINT = "check the network and [notion] base_url; Notion's own state is on https://www.notion-status.com"


async def look(settings: Settings, now: Callable[[], float]) -> Findings:
    """Look at the integration and every configured database."""
    config, token = settings.config.notion, settings.secrets.notion_token
    if not token:
        yield skipped(CHECK, "no token: its webhooks are applied unverified", "set NOTION_TOKEN")
        return
    from hookbridge.sources.notion.client import NotionClient  # noqa: PLC0415  imports the SDK

    budget = Budget(config.requests_per_second)
    client = NotionClient(config, token, budget, unordered, clock=now)
    try:
        integration = await _integration(client, config)
        yield integration
        if integration.state == "failed":
            yield skipped(f"{CHECK} databases", "Notion has to answer first")
            return
        if not config.databases:
            yield skipped(f"{CHECK} databases", "none is listed, so none is polled", "list [[notion.databases]]")
        for database in config.databases:
            yield await _database(client, dashed(database.id), content=database.content)
    finally:
        await client.close()
        await budget.close()


async def _integration(client: NotionClient, config: NotionConfig) -> Finding:
    try:
        await client.me()
    except SourceRefused as error:
        return failed(CHECK, error.message, "set NOTION_TOKEN to the integration's token (notion.so/my-integrations)")
    except SourceUnavailable as error:
        return broken(CHECK, error, REACHABLE_HINT)
    except SourceError as error:
        return broken(CHECK, error, VERSION_HINT)
    return ok(CHECK, f"answers, takes the token and the API version {config.api_version}")


async def _database(client: NotionClient, id_: str, *, content: bool) -> Finding:
    check = f"{CHECK} {id_}"
    some: tuple[Columns, ...] = ()
    try:
        found = await client.database(id_, Urgency.READ)
        # The settings may name a data source where a database is expected.
        sources = (id_,) if found is None else found.data_sources
        for source in sources:
            if (listing := await client.query(source, Urgency.READ, limit=1)) is None:
                return _not_shared(check)
            some += listing.pages
    except SourceUnavailable as error:
        return broken(check, error, REACHABLE_HINT)
    except SourceError as error:
        return broken(check, error, "correct its id in [[notion.databases]]")
    if not sources:
        return failed(check, NO_SOURCES, NO_SOURCES_HINT)
    if content and (refused := await _refusal_of_bodies(client, some)) is not None:
        return warning(check, f"its pages are copied without their bodies: {refused.message}", refused.hint)
    return ok(check, "shared with the integration and readable")


async def _refusal_of_bodies(client: NotionClient, pages: Sequence[Columns]) -> ContentRefused | None:
    """Say why bodies are not given, by that of one page; None where they are, and where none could be asked for."""
    for page in pages[:1]:
        try:
            await client.markdown(str(page["id"]), Urgency.READ)
        except ContentRefused as error:
            return error
        except SourceError:
            pass  # this page's own failure, or Notion's: what is asked next tells
    return None


def _not_shared(check: str) -> Finding:
    return failed(
        check,
        "there is no such database, or it is not shared with the integration",
        "in Notion, open the database, … > Connections, and add the integration; or correct its id",
    )
