"""An alert in words, and in the form of whoever takes it.

Invariants: it has no secret that this process knows, and nothing that a source or a receiver has said: those quote
records.  What is markup to a chat is not; nobody is mentioned; it is no longer than a chat takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from hookbridge.alerts.deciding import Told
from hookbridge.api.alerts import AlertMessage, AlertProblem, AlertType
from hookbridge.api.health import Problem
from hookbridge.clock import epoch_time, time_of
from hookbridge.names import one_line
from hookbridge.observe.redaction import without_secrets
from hookbridge.settings.alerts import Form
from hookbridge.verdict import lasting

PROBLEMS_MAX = 50
"""So many are in one alert; the first ones are the worst."""

SLACK_CHARACTERS = 3500
"""Slack asks for less than 4,000 characters, and cuts at 40,000."""
DISCORD_CHARACTERS = 2000
"""Discord refuses what is longer; it counts as JavaScript does."""

_MARKUP_OF_DISCORD = re.compile(r"[\\*_~`|>#\[\]()<@]")
_SUPPRESS_EMBEDS = 4

_encode = msgspec.json.Encoder().encode


def message(
    type_: AlertType,
    told: Told,
    problems: Sequence[Problem],
    *,
    node: str,
    nodes: Sequence[str],
    now: float,
    until: float | None = None,
) -> AlertMessage:
    """Say it: what people were told before, what is wrong now, or until when it was.

    ``nodes`` are those that there are, of several.
    """
    shown = tuple(_problem(one) for one in problems[:PROBLEMS_MAX])
    text = without_secrets(one_line(f"{_who(node)} {_said(type_, told, shown, nodes, until or now)}"))
    return AlertMessage(type=type_, at=time_of(now), since=epoch_time(told.since), node=node, text=text, problems=shown)


def trial(node: str, now: float) -> AlertMessage:
    """Say that nothing is wrong: somebody looks whether alerts come."""
    text = f"{_who(node)} sends a test: alerts come here. Nothing is wrong, and nothing is to be done."
    return AlertMessage(type="test", at=time_of(now), since=None, node=node, text=text)


def _who(node: str) -> str:
    return f"hookbridge ({node})" if node else "hookbridge"


def _said(type_: AlertType, told: Told, problems: Sequence[AlertProblem], nodes: Sequence[str], until: float) -> str:
    lasts = lasting(max(until - told.since, 0.0)) if told.since is not None else ""
    match type_:
        case "healthy":
            there = f" Nodes that are there: {', '.join(nodes)}." if nodes else ""
            untold = " Nobody could be told of that before." if told.waiting is not None else ""
            return f"is healthy again, after {lasts}. What was wrong: {told.what}.{untold}{there}"
        case "worse":
            return f"is worse: {_first(problems, told)}."
        case "reminder":
            return f"has not been healthy for {lasts}: {_first(problems, told)}."
        case _:
            return f"is not healthy: {_first(problems, told)}."


def _first(problems: Sequence[AlertProblem], told: Told) -> str:
    """Give the first problem that is news, or the worst."""
    news = (one.text for one in problems if one.level == "bad" and one.kind not in told.bad)
    return next(news, problems[0].text)


def _problem(one: Problem) -> AlertProblem:
    text, todo = (without_secrets(one_line(text)) for text in (one.text, one.remedy))
    return AlertProblem(level=one.level, kind=without_secrets(one_line(one.kind)), text=text, todo=todo)


# Forms


def body(said: AlertMessage, form: Form) -> bytes:
    """Write it in a form."""
    if form == "slack":
        # https://api.slack.com/docs/message-formatting: three characters are escaped, and the rest is no markup.
        text = _lines(said, _escaped_for_slack, SLACK_CHARACTERS)
        return _encode({"text": text, "mrkdwn": False})
    if form == "discord":
        # https://discord.com/developers/docs/resources/webhook#execute-webhook
        text = _lines(said, _escaped_for_discord, DISCORD_CHARACTERS)
        return _encode({"content": text, "allowed_mentions": {"parse": []}, "flags": _SUPPRESS_EMBEDS})
    return _encode(said)


def _escaped_for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped_for_discord(text: str) -> str:
    return _MARKUP_OF_DISCORD.sub(r"\\\g<0>", text)


def _lines(said: AlertMessage, escape: Callable[[str], str], most: int) -> str:
    """Give its lines, as many as fit."""
    where = "Why: the dashboard, or /readyz with the admin token."
    lines = [escape(f"• {one.text}. {one.todo}") for one in said.problems]
    end = [escape(where)] if lines else []
    kept, left = [escape(said.text)], most
    left -= _length([*kept, *end, _more(len(lines))])
    for number, line in enumerate(lines):
        left -= _length([line])
        if left < 0:
            kept.append(_more(len(lines) - number))
            break
        kept.append(line)
    return "\n".join([*kept, *end])


def _more(number: int) -> str:
    return f"• … and {number} more"


def _length(lines: Iterable[str]) -> int:
    """Count them with the ends of lines, as Discord does: a character beyond the first plane is two."""
    return sum(len(line.encode("utf-16-le")) // 2 + 1 for line in lines)
