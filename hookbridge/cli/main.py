"""The command line as typer sees it: ``serve``, which is also what runs when no command is named."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hookbridge.cli import (
    alerts,
    backup,
    check,
    demo,
    destinations,
    events,
    init,
    lanes,
    listen,
    migrate,
    notion_token,
    poll,
    reconcile,
    records,
    send,
    sign,
    stats,
    store_sql,
    tail,
    token,
    trigger_sql,
    verify,
)
from hookbridge.cli.command import ConfigOption
from hookbridge.cli.ending import Commands, program
from hookbridge.cli.serve import serve
from hookbridge.errors import ConfigError

# typer joins lines that no empty line parts.
EPILOG = """
Examples:

  ./scripts/run                    serves with ./config.toml, if any

  ./scripts/run --port 9000        on another port

  ./scripts/run --config my.toml   with other settings

Settings: config.toml < .env beside it < environment (HOOKBRIDGE_<SECTION>__<KEY>) < options.
Secrets stand in the environment or .env: SUPABASE_URL, SUPABASE_KEY, NOTION_TOKEN, WEBHOOK_SECRET, …

Exit codes: 0 stopped, 1 crashed, 2 cannot start. Of the other commands: 0 done, 1 the answer is no, 2 it could not be
done, 130 ended by Ctrl-C, 141 nobody read the output to its end.
"""

app = typer.Typer(
    name="hookbridge",
    cls=Commands,
    epilog=EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on, instead of the configured one.")]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port", min=0, max=65535, help="Port to listen on, instead of the configured one; 0 is any free one."
    ),
]
ServeJsonOption = Annotated[bool, typer.Option("--json", help="Write the log as JSON, also on a terminal.")]


def _version(wanted: bool) -> None:
    if wanted:
        from hookbridge import __version__

        typer.echo(f"hookbridge {__version__}")
        raise typer.Exit


VersionOption = Annotated[bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)]


@app.callback(invoke_without_command=True)
def hookbridge(
    context: typer.Context,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    as_json: ServeJsonOption = False,
    version: VersionOption = False,  # noqa: ARG001  its callback has printed and left
) -> None:
    """Keep a copy and a search index true to Supabase tables and Notion databases.

    Without a command it serves.
    """
    if context.invoked_subcommand is None:
        raise typer.Exit(serve(config, host, port, as_json=as_json))
    options = {"config": config, "host": host, "port": port, "as_json": as_json or None}
    given = {name: value for name, value in options.items() if value is not None}
    context.default_map = _defaults(context, context.invoked_subcommand, given)


def _defaults(context: typer.Context, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Let an option before the command count as one after it.

    Gives the options as defaults of this command, or of each in the group.  Raises ConfigError for what it lacks.
    """
    command: Any = getattr(context.command, "commands", {})[name]
    members: dict[str, Any] = getattr(command, "commands", {})
    taken = [{parameter.name for parameter in one.params} for one in members.values() or [command]]
    missing = [option for option in options if not all(option in names for names in taken)]
    if missing:
        problems = [f"--{option.removeprefix('as_')}: {name} does not take it" for option in missing]
        raise ConfigError(problems, hint=f"{program()} {name} --help")
    return {name: options | dict.fromkeys(members, options)}


@app.command("serve", epilog=EPILOG)
def serve_command(
    config: ConfigOption = None, host: HostOption = None, port: PortOption = None, as_json: ServeJsonOption = False
) -> None:
    """Receive webhooks and process them until Ctrl-C or SIGTERM."""
    raise typer.Exit(serve(config, host, port, as_json=as_json))


app.command("init", epilog=init.EPILOG)(init.init)
app.command("demo", epilog=demo.EPILOG)(demo.demo)
app.command("check", epilog=check.EPILOG)(check.check)
app.command("backup", epilog=backup.EPILOG)(backup.backup)
app.command("verify", epilog=verify.EPILOG)(verify.verify)
app.command("reconcile", epilog=reconcile.EPILOG)(reconcile.reconcile)
app.command("poll", epilog=poll.EPILOG)(poll.poll)
app.command("store-sql", epilog=store_sql.EPILOG)(store_sql.store_sql)
app.command("migrate", epilog=migrate.EPILOG)(migrate.migrate)
app.command("trigger-sql", epilog=trigger_sql.EPILOG)(trigger_sql.trigger_sql)
app.command("send", epilog=send.EPILOG)(send.send)
app.command("sign", epilog=sign.EPILOG)(sign.sign)
app.command("tail", epilog=tail.EPILOG)(tail.tail)
app.command("listen", epilog=listen.EPILOG)(listen.listen)
app.command("token", epilog=token.EPILOG)(token.token)
app.command("notion-token", epilog=notion_token.EPILOG)(notion_token.notion_token)
app.command("stats", epilog=stats.EPILOG)(stats.stats)
app.command("pause", epilog=lanes.PAUSE_EPILOG)(lanes.pause)
app.command("resume", epilog=lanes.RESUME_EPILOG)(lanes.resume)
app.add_typer(alerts.app, name="alerts")
app.add_typer(destinations.app, name="destinations")
app.add_typer(events.app, name="events")
app.add_typer(records.app, name="records")
