"""The options that name events: their filters, and how many of them."""

from __future__ import annotations

from typing import Annotated

import typer

from hookbridge.model import Origin, Outcome

RecordOption = Annotated[str | None, typer.Option("--record", help="Only the record with this id.")]
TypeOption = Annotated[str | None, typer.Option("--type", help="Only insert, update or delete.")]
OriginOption = Annotated[Origin | None, typer.Option("--origin", help="Only what came this way.")]
OutcomeOption = Annotated[Outcome | None, typer.Option("--outcome", help="Only what ended so.")]
TextOption = Annotated[str | None, typer.Option("--text", help="Only what mentions all these words.")]
ReasonOption = Annotated[
    str | None, typer.Option("--reason", help="Only what ended for this reason; numbers in it do not count.")
]
SinceOption = Annotated[str | None, typer.Option("--since", help="Only what came at this time (ISO 8601) or later.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Only what came before this time (ISO 8601).")]
IdsArgument = Annotated[list[int] | None, typer.Argument(help="The events' numbers; without them, by filter.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only count what matches.")]
AllOption = Annotated[bool, typer.Option("--all", help="All of them, without a filter.")]
ManyOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="So many at most, newest first; all that match without it.")
]
BehindOption = Annotated[int | None, typer.Option("--cursor", min=1, help="Go on with events older than this one.")]


def given(**filters: object) -> dict[str, str]:
    """Give the filters that were given, by the API's names."""
    return {name: str(value) for name, value in filters.items() if value is not None}
