"""``pause``, ``resume``: hold the lane of one source, and let it go on."""

from __future__ import annotations

from hookbridge.api.lanes import LaneState
from hookbridge.cli.command import ConfigOption, JsonOption, SourceArgument, UrlOption, print_answer, service_at

PAUSE_EPILOG = """
Examples:

  ./scripts/run pause notion   its webhooks go on being stored

It lasts until `resume`, restarts included.

Exit codes: 0 done, 2 it could not be asked for.
"""
RESUME_EPILOG = """
Examples:

  ./scripts/run resume notion   what has waited is processed now

Exit codes: 0 done, 2 it could not be asked for.
"""


def pause(
    source: SourceArgument, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None
) -> None:
    """Hold a source's lane; its webhooks go on being stored."""
    _do(source, "pause", as_json=as_json, config=config, url=url)


def resume(
    source: SourceArgument, as_json: JsonOption = False, config: ConfigOption = None, url: UrlOption = None
) -> None:
    """Let a paused lane go on."""
    _do(source, "resume", as_json=as_json, config=config, url=url)


def _do(source: str, verb: str, *, as_json: bool, config: ConfigOption, url: UrlOption) -> None:
    with service_at(config, url) as api:
        lane = api.ask("POST", f"/api/v1/sources/{source}/{verb}", LaneState)
    why = f" ({lane.reason})" if lane.reason else ""
    print_answer(lane, f"{source} is {lane.state}{why}", as_json=as_json)
