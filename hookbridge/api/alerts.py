"""Alerts: what people are sent when it is not healthy, and how telling them goes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from hookbridge.api.fields import Time, means

AlertType = Literal["unhealthy", "worse", "reminder", "healthy", "test"]


class AlertProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What needs somebody."""

    level: Literal["warn", "bad"]
    kind: str
    text: str
    todo: str


class AlertMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent as JSON; chats get its text and problems as lines."""

    type: AlertType
    at: datetime
    since: datetime | None
    """Since when it is not healthy, or was not."""
    node: str
    """Of several: the one that tells."""
    text: str
    problems: tuple[AlertProblem, ...] = ()


class BeatState(msgspec.Struct, frozen=True, kw_only=True):
    """How the beats go that somebody elsewhere misses when they end."""

    url: Annotated[
        str, means("Where they go: without path and query, which may be secret.", "https://beats.example.com")
    ]
    beat_at: Annotated[Time | None, means("When the last one was taken.")]
    failures: Annotated[int, means("How many in a row were not taken.", 0)]
    reason: Annotated[str | None, means("Why the last one was not taken; null where it was.", None)]


class AlertsState(msgspec.Struct, frozen=True, kw_only=True):
    """How telling people goes, whichever node does it."""

    url: Annotated[
        str | None,
        means(
            "Where people are told: without path and query, which may be secret; null where they are not.",
            "https://chat.example.com",
        ),
    ]
    form: Annotated[Literal["json", "slack", "discord"], means("What is sent.", "slack")]
    told: Annotated[Literal["healthy", "unhealthy"], means("What people were told last, or are to be told.", "healthy")]
    since: Annotated[Time | None, means("Since when it is not healthy, as they were told; null: it is.", None)]
    sent: Annotated[int, means("Alerts that were taken.", 2)]
    sent_at: Annotated[Time | None, means("When the last one was taken.")]
    waiting: Annotated[bool, means("Whether an alert waits to be taken.", False)]
    failures: Annotated[int, means("How often it was not taken.", 0)]
    reason: Annotated[str | None, means("Why it was not taken; null where none waits.", None)]
    next_try_at: Annotated[Time | None, means("When it is tried again; null where none waits.", None)]
    beat: Annotated[
        BeatState | None, means("The beats, on the node that sends them; null on others and where there are none.")
    ]
