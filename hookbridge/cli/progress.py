"""The first load of each table as a bar on the terminal, beside the log's lines."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hookbridge.service import Service

REFRESH_SECONDS = 0.25


async def show_backfills(service: Service) -> None:
    """Show bars until every followed table is loaded; nothing when they are."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        while backfilling := [one for one in service.reconciler.status() if one.state == "backfilling"]:
            for one in backfilling:
                name = f"{one.source} {one.table}"
                if name not in bars:
                    bars[name] = progress.add_task(name, total=one.total)
                progress.update(bars[name], completed=one.listed, total=one.total)
            await asyncio.sleep(REFRESH_SECONDS)
