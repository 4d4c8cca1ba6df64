"""``init``: writes config.toml and .env with fresh secrets, asking only for what nobody else can know.

Invariants: a file that exists is replaced only with ``--force``; nothing is written that ``serve`` would refuse; .env
can be read by its owner alone, and no secret is printed.  It asks no source and starts nothing: ``check`` does.
"""

from __future__ import annotations

import re
import secrets
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hookbridge.cli.command import JsonOption, note, print_json, say
from hookbridge.cli.ending import FINE, NO, STOPPED, program
from hookbridge.config import Config
from hookbridge.errors import ConfigError, StartupError
from hookbridge.names import SCHEMA, full_name, split
from hookbridge.settings.secrets import is_http_url
from hookbridge.sources.signing import new_secret

EPILOG = """
Examples:

  ./scripts/run init   asks for the URL, the key and the token

  ./scripts/run init --table users --table orders   follows these tables

  ./scripts/run init --table users --pull   fetches changes; prints the SQL

  ./scripts/run init --database ID --content   follows pages with their text

  SUPABASE_URL=… SUPABASE_KEY=… ./scripts/run init   asks nothing

  ./scripts/run init --force   replaces both files, with new secrets

Each answer may be left empty: without credentials, what a webhook says is applied unverified. A file that exists is
kept. Nothing is asked when a source is given by option or variable, with --json, or when stdin is not a terminal.

Exit codes: 0 written, 1 both files are there already, 2 could not be written.
"""

ConfigFileOption = Annotated[
    Path | None, typer.Option("--config", help="The file to write; without it ./config.toml. .env lies beside it.")
]
SupabaseUrlOption = Annotated[
    str, typer.Option("--supabase-url", envvar="SUPABASE_URL", help="https://your-project.supabase.co")
]
SupabaseKeyOption = Annotated[
    str, typer.Option("--supabase-key", envvar="SUPABASE_KEY", help="A secret key (sb_secret_…) or service-role key.")
]
NotionTokenOption = Annotated[
    str, typer.Option("--notion-token", envvar="NOTION_TOKEN", help="The token of the integration.")
]
TablesOption = Annotated[
    list[str] | None, typer.Option("--table", help="A Supabase table to follow: name, or schema.name; may be repeated.")
]
PullOption = Annotated[
    bool,
    typer.Option(
        "--pull", help="Fetch the tables' changes from an outbox in their database: nothing has to reach hookbridge."
    ),
]
DatabasesOption = Annotated[
    list[str] | None, typer.Option("--database", help="The id of a Notion database to follow; may be repeated.")
]
ContentOption = Annotated[
    bool,
    typer.Option(
        "--content",
        help="Copy the text of its pages, too: one more request for each changed page; a first load of N takes N/3 s.",
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]

Answers = Mapping[str, str]
"""What was answered, by the name of its variable; empty where nothing was."""


def init(
    supabase_url: SupabaseUrlOption = "",
    supabase_key: SupabaseKeyOption = "",
    notion_token: NotionTokenOption = "",
    table: TablesOption = None,
    pull: PullOption = False,
    database: DatabasesOption = None,
    content: ContentOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
    config: ConfigFileOption = None,
) -> None:
    """Write config.toml and .env with fresh secrets."""
    file = config or Path("config.toml")
    files = (file, file.parent / ".env")
    to_write = [path for path in files if force or not path.exists()]
    answers: Answers = {"SUPABASE_URL": supabase_url, "SUPABASE_KEY": supabase_key, "NOTION_TOKEN": notion_token}
    if files[1] in to_write and not any(answers.values()) and not as_json and sys.stdin.isatty():
        try:
            answers = _ask_for_answers()
            pull = pull or (bool(answers["SUPABASE_URL"]) and _ask_for_pull())
            content = content or (bool(answers["NOTION_TOKEN"]) and _ask_for_content())
        except typer.Abort:
            print(file=sys.stderr)  # the question stands in its line
            note("Stopped: nothing is written")
            raise typer.Exit(STOPPED) from None
    ways = Ways(pull=pull, content=content)
    texts = {
        files[0]: config_text(table or (), database or (), ways),
        files[1]: env_text(answers, new_secrets()),
    }
    _check(texts[files[0]], answers, file)
    sql = installing(table or ()) if pull and to_write else ""
    for path in to_write:
        _write(path, texts[path])
    paste = "" if files[0] in to_write else "\n".join(followed(table or (), database or (), ways))
    steps = _steps(answers, table or (), ways, "" if config is None else f" --config {shlex.quote(str(config))}")
    _tell(files, to_write, answers, Told(steps=steps, paste=paste, sql=sql), as_json=as_json)
    raise typer.Exit(FINE if to_write else NO)


def _ask_for_answers() -> Answers:
    say("Each answer may be left empty (press Enter) and filled in later, in .env.")
    while (url := _answer("Supabase project URL")) and not is_http_url(url):
        say("This is no http or https URL, such as https://your-project.supabase.co")
    key = _answer("Supabase secret key (not shown)", hidden=True) if url else ""
    token = _answer("Notion integration token (not shown)", hidden=True)
    return {"SUPABASE_URL": url, "SUPABASE_KEY": key, "NOTION_TOKEN": token}


def _ask_for_pull() -> bool:
    say("Changes of tables can be fetched from an outbox in Supabase's database: nothing has to reach this machine,")
    say("and none is lost. Otherwise Supabase sends webhooks to an https address of yours.")
    return _answer("Fetch changes? y or n (Enter: y)").lower() not in ("n", "no")


def _ask_for_content() -> bool:
    say("The text of Notion's pages can be copied and searched, too. It costs one more request for each changed page;")
    say("a first load of N pages takes N/3 seconds behind everything else: an hour for 10,000.")
    return _answer("Copy the text of pages? y or n (Enter: n)").lower() in ("y", "yes")


def _answer(question: str, *, hidden: bool = False) -> str:
    answer: str = typer.prompt(question, default="", show_default=False, hide_input=hidden)
    return answer.strip()


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """How what is followed comes."""

    pull: bool = False
    """Whether the changes of tables are fetched."""
    content: bool = False
    """Whether the bodies of pages are copied."""


DEFAULT_WAYS = Ways()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done now."""

    steps: list[str]
    paste: str
    """What would stand in the settings if their file were not kept."""
    sql: str
    """For Supabase's editor."""


class NewSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """What is made up for this installation."""

    webhook: str
    admin: str


def new_secrets() -> NewSecrets:
    """Draw them: 256 bits each, the first in the form of Standard Webhooks, which every sender of ours can use."""
    return NewSecrets(webhook=new_secret(), admin=secrets.token_urlsafe(32))


def config_text(tables: Sequence[str], databases: Sequence[str], ways: Ways = DEFAULT_WAYS) -> str:
    """Give the text of config.toml: what is followed; everything else has its default."""
    blocks = followed(tables, (), ways) or [_commented(_table_block(SCHEMA, "users", pull=ways.pull))]
    example = _commented(_database_block("ID-OF-THE-DATABASE", content=ways.content))
    blocks += followed((), databases, ways) or [example]
    return "\n".join([_CONFIG_HEAD, *blocks])


def followed(tables: Sequence[str], databases: Sequence[str], ways: Ways) -> list[str]:
    """Give the blocks of what is followed."""
    blocks = [_table_block(*split(full_name(name)), pull=ways.pull) for name in tables]
    return blocks + [_database_block(id_, content=ways.content) for id_ in databases]


def installing(tables: Sequence[str]) -> str:
    """Give the SQL by which a database keeps the changes of these tables until they are fetched."""
    from hookbridge.sources.supabase.trigger import Pull, Trigger, install

    named = (split(full_name(name)) for name in tables)
    return "\n".join(install(Trigger(schema=schema, table=name, pull=Pull())) for schema, name in named)


_CONFIG_HEAD = """\
# hookbridge's configuration.  Every key that is not here has its default.  Secrets stand in .env.
# Precedence: this file < .env < environment; any key can be set as HOOKBRIDGE_<SECTION>__<KEY>.

[server]
host = "127.0.0.1"                    # "0.0.0.0" to be reached from other machines
port = 8080

[store]
path = "data/hookbridge.db"           # relative to the folder of this file

# What is followed: polled and swept, so that lost webhooks are found.  One block a table or database.
"""


_PULL = (
    "pull = true                           # its changes are fetched: run the SQL of trigger-sql --pull in Supabase\n"
)


def _table_block(schema: str, name: str, *, pull: bool) -> str:
    return (
        f"[[supabase.tables]]\nschema = {_toml(schema)}\nname = {_toml(name)}\n"
        'key = ["id"]                          # the key columns, in order\n'
        '# changed_at = "updated_at"           # the column that moves with every change, if there is one\n'
        + (_PULL if pull else f"# {_PULL}")
    )


def _database_block(id_: str, *, content: bool) -> str:
    bodies = "content = true                        # the text of its pages, too\n" if content else ""
    return f"[[notion.databases]]\nid = {_toml(id_)}\n{bodies}"


def _commented(block: str) -> str:
    return "".join(f"# {line.removeprefix('# ')}\n" for line in block.splitlines())


def _toml(text: str) -> str:
    """Write a text as TOML has it: as JSON does, but for one control character."""
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")


def env_text(answers: Answers, new: NewSecrets) -> str:
    """Give the text of .env: what was answered, and the fresh secrets."""
    given = {name: _variable(name, value) for name, value in answers.items()}
    return f"""\
# Secrets of this installation: keep this file to yourself.  The environment wins over it.

# --- Sources: without credentials, what a webhook says is applied unverified ---

{given["SUPABASE_URL"]}
{given["SUPABASE_KEY"]}
{given["NOTION_TOKEN"]}

# --- Webhooks are taken only when they are signed with this secret (Standard Webhooks, HMAC-SHA256) ---

VERIFY_WEBHOOK_SIGNATURES=true
WEBHOOK_SECRET={new.webhook}
# Notion's own verification token is learnt when the subscription is made; to set it by hand:
NOTION_WEBHOOK_SECRET=

# --- Bearer token of the admin API and the dashboard ---

HOOKBRIDGE_ADMIN_TOKEN={new.admin}
"""


_PLAIN = re.compile(r"[A-Za-z0-9_.:/@%+=~,?&-]+")


def _variable(name: str, value: str) -> str:
    if not value or _PLAIN.fullmatch(value):  # an empty one is as if it were not there
        return f"{name}={value}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{escaped}'"


def _check(text: str, answers: Answers, file: Path) -> None:
    """Refuse what ``serve`` would refuse.  Raises ConfigError."""
    import tomllib

    from hookbridge.settings.checks import check_together
    from hookbridge.settings.secrets import read_secrets
    from hookbridge.settings.sections import read_sections

    problems: list[str] = []
    found = read_secrets(answers, file.parent, problems)
    sections = read_sections(tomllib.loads(text), file.name, problems)
    if not problems:
        check_together(msgspec.structs.replace(Config(), **sections), found, problems)
    if problems:
        raise ConfigError(problems, hint=f"{program()} init --help")


def _write(file: Path, text: str) -> None:
    """Write one file whole.  Raises StartupError."""
    from hookbridge.settings.whole import write_whole

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text)
        if file.name != ".env":
            file.chmod(0o644)  # no secret stands here, and another user may run the service
    except OSError as error:
        raise StartupError(
            f"Cannot write {file}: {error.strerror}", hint="name a folder that can be written with --config"
        ) from None


def _tell(files: tuple[Path, Path], written: list[Path], answers: Answers, told: Told, *, as_json: bool) -> None:
    """Say what was done; the SQL first, which is long."""
    kept = [str(path) for path in files if path not in written]
    if as_json:
        done = {"written": [str(path) for path in written], "kept": kept}
        print_json({**done, "paste": told.paste, "sql": told.sql, "next": told.steps})
        return
    if told.sql:
        sys.stdout.write(f"{told.sql}\n")
    for path in written:
        say(f"written: {path}", style="green")
    for name in kept:
        say(f"kept, because it exists: {name}", style="yellow")
    if told.paste:
        say(f"put this into {files[0]}:")
        for line in told.paste.splitlines():
            say(f"  {line}")
    if not written:
        named = ", ".join(name for name, value in answers.items() if value) or "what is missing"
        say(f"try: put {named} into {files[1]} yourself, or {program()} init --force: new files and new secrets")
        return
    say("Next:")
    for number, step in enumerate(told.steps, start=1):
        say(f"  {number}. {step}")


def _steps(answers: Answers, tables: Sequence[str], ways: Ways, option: str) -> list[str]:
    here = f"{program()}{option}"
    steps = [
        f"{here}    serves, until Ctrl-C",
        f"{here} check    in another terminal: is everything set up?",
        f"{here} token    the link to the dashboard",
        f"{here} send supabase --wait    a signed event, from there to its end",
    ]
    if ways.pull:
        what = "the SQL above, for Supabase's editor" if tables else "SQL for Supabase's editor"
        steps += [
            f"{here} trigger-sql --table {shlex.quote(name)} --pull    {what}: it keeps its changes"
            for name in tables or ["users"]
        ]
    elif answers["SUPABASE_URL"]:
        steps.append(f"{here} trigger-sql --table users --url https://…    SQL that makes a table tell")
    if answers["NOTION_TOKEN"]:
        steps.append("in Notion: share each database with the integration (… > Connections)")
    return steps
