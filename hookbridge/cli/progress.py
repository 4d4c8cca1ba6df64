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
        while backfilling := [table for table in service.reconciler.status() if table.state == "backfilling"]:
            for table in backfilling:
                name = f"{table.source} {table.table}"
                if name not in bars:
                    bars[name] = progress.add_task(name, total=table.total)
                progress.update(bars[name], completed=table.listed, total=table.total)
            await asyncio.sleep(REFRESH_SECONDS)
