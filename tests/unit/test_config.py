"""What a user writes, and what becomes of it: precedence, mistakes, secrets."""

import os
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from hookbridge.config import Config, Section, Settings
from hookbridge.errors import ConfigError
from hookbridge.settings import admin_token, load

ROOT = Path(__file__).parents[2]
KEY = "sb_secret_planted"
ONE = "the-first-secret-of-two"
STANDARD = "whsec_bm8gb25lIGd1ZXNzZXMgdGhpcw"
OTHER = "whsec_bm8gb25lIGd1ZXNzZXMgdGhhdA=="
SIGNED = {"VERIFY_WEBHOOK_SIGNATURES": "true", "WEBHOOK_SECRET": ONE}
DATABASE = "e8d4b0a1c7f24a9e8f2d5c3b1a6e9f4d"
IN_FILE = "TOKEN_FILE: expected the path of a file that holds the secret"
SUPABASE = {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_KEY": KEY}


def loaded(folder: Path, toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    (folder / "config.toml").write_text(toml)
    return load(None, environ or {}, folder)


def problems(folder: Path, toml: str = "", environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, toml, environ)
    assert caught.value.hint
    assert KEY not in str(caught.value)
    return caught.value.problems


# The shipped file and the structs


def blocks(section: Section) -> dict[str, type[msgspec.Struct]]:
    """The keys of a section that hold blocks, with the struct of one block."""
    found = {}
    for key, type_ in get_type_hints(type(section)).items():
        info = msgspec.inspect.type_info(type_)
        if isinstance(info, msgspec.inspect.VarTupleType) and isinstance(info.item_type, msgspec.inspect.StructType):
            found[key] = info.item_type.cls
    return found


def test_the_shipped_file_shows_every_key_with_its_default() -> None:
    written = tomllib.loads((ROOT / "config.toml").read_text())
    config = Config()
    sections = [name for name in config.__struct_fields__ if name not in blocks(config)]
    assert list(written) == sections
    for name, section in ((name, getattr(config, name)) for name in sections):
        plain = [key for key in section.__struct_fields__ if key not in blocks(section)]
        values = {key: getattr(section, key) for key in plain}
        assert written[name] == {key: list(one) if isinstance(one, tuple) else one for key, one in values.items()}, name


def test_the_shipped_files_commented_blocks_show_every_key_of_a_block_and_are_valid() -> None:
    # An example is a commented line that is TOML, "# name = …" or "# [[…]]"; prose is neither.
    example = re.compile(r"^# (?=\[\[|[a-z_]+ = )", re.MULTILINE)
    written = tomllib.loads(example.sub("", (ROOT / "config.toml").read_text()))
    shown = msgspec.convert(written, Config)
    for name, block in blocks(shown).items():
        assert set(written[name][0]) == set(block.__struct_fields__), f"[[{name}]]"
    for name in written.keys() - blocks(shown).keys():
        for key, block in blocks(getattr(shown, name)).items():
            assert set(written[name][key][0]) == set(block.__struct_fields__), f"[[{name}.{key}]]"


def test_the_shipped_files_load_as_the_defaults() -> None:
    settings = load(ROOT / "config.toml", {}, Path("/"))
    assert settings.config == Config()
    assert settings.path == ROOT / "config.toml"


def test_every_variable_of_the_shipped_env_example_is_known(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(re.sub(r"(?m)^#(?=[A-Z_]+=)", "", example) + "SUPABASE_KEY=k\n")
    settings = load(None, {"HOOKBRIDGE_ADMIN_TOKEN": "one-token-for-all-nodes"}, tmp_path)
    assert settings.store_url.startswith("postgresql://hookbridge:")
    assert settings.secrets.redis_url == "redis://localhost:6379/0"
    assert settings.config.processing.max_attempts == 5


# Precedence and places


def test_without_any_file_the_defaults_hold_and_paths_are_relative_to_the_working_folder(tmp_path: Path) -> None:
    settings = load(None, {}, tmp_path)
    assert settings.config == Config()
    assert settings.path is None
    assert settings.data_file == tmp_path / "data" / "hookbridge.db"


def test_a_named_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"other\.toml: there is no such file"):
        load(Path("other.toml"), {}, tmp_path)


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "my.toml").write_text('[store]\npath = "here.db"')
    settings = load(Path("etc/my.toml"), {}, tmp_path)
    assert settings.data_file == tmp_path / "etc" / "here.db"
    assert settings.folder == tmp_path / "etc"


def test_an_absolute_path_stays_as_it_is(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[store]\npath = "/srv/hookbridge.db"')
    assert settings.data_file == Path("/srv/hookbridge.db")


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HOOKBRIDGE_SERVER__PORT=2\nHOOKBRIDGE_SERVER__HOST=two\n")
    toml = '[server]\nport = 1\nhost = "one"\nmax_body_bytes = 1'
    server = loaded(tmp_path, toml, {"HOOKBRIDGE_SERVER__PORT": "3"}).config.server
    assert (server.port, server.host, server.max_body_bytes) == (3, "two", 1)


def test_an_empty_variable_takes_back_what_dotenv_says(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NOTION_TOKEN=secret\n")
    assert loaded(tmp_path, environ={"NOTION_TOKEN": ""}).secrets.notion_token == ""


def test_dotenv_values_are_taken_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("export WEBHOOK_SECRET='a${HOME}$b#c and more of it'  # a comment\n")
    assert loaded(tmp_path).secrets.webhook_secrets == ("a${HOME}$b#c and more of it",)


def test_files_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NOTION_TOKEN=secret\n", encoding="utf-8-sig")
    settings = loaded(tmp_path, "\ufeff[server]\nport = 1")
    assert (settings.config.server.port, settings.secrets.notion_token) == (1, "secret")


@pytest.mark.parametrize("written", ['["a", "b"]', "a,b", " a , b ,"])
def test_a_list_comes_as_json_or_separated_by_commas(written: str) -> None:
    from hookbridge.settings.values import from_text

    assert from_text(written, tuple[str, ...]) == ("a", "b")


def test_blocks_can_come_from_the_environment_as_json(tmp_path: Path) -> None:
    environ = {"HOOKBRIDGE_SUPABASE__TABLES": '[{"name": "users", "key": ["a", "b"]}]'}
    (table,) = loaded(tmp_path, environ=environ).config.supabase.tables
    assert (table.schema, table.name, table.key) == ("public", "users", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("YES", True), ("1", True), ("false", False), ("no", False), ("0", False)]
)
def test_the_guides_switch_takes_these_words(tmp_path: Path, text: str, value: object) -> None:
    environ = {"VERIFY_WEBHOOK_SIGNATURES": text, "WEBHOOK_SECRET": ONE}
    assert loaded(tmp_path, environ=environ).config.signatures.verify is value


def test_the_switchs_two_names_may_not_contradict_each_other(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("VERIFY_WEBHOOK_SIGNATURES=false\n")
    (problem,) = problems(tmp_path, environ={"HOOKBRIDGE_SIGNATURES__VERIFY": "true", "WEBHOOK_SECRET": ONE})
    assert problem.startswith("VERIFY_WEBHOOK_SIGNATURES: HOOKBRIDGE_SIGNATURES__VERIFY says something else")


@pytest.mark.parametrize("text", ["1", "yes", "TRUE"])
def test_the_switchs_two_names_may_say_the_same_in_other_words(tmp_path: Path, text: str) -> None:
    environ = {"VERIFY_WEBHOOK_SIGNATURES": "true", "HOOKBRIDGE_SIGNATURES__VERIFY": text, "WEBHOOK_SECRET": ONE}
    assert loaded(tmp_path, environ=environ).config.signatures.verify


# Mistakes


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[server]\nport = "abc"', 'config.toml: [server] port: expected an integer from 0 to 65535, got "abc"'),
        ("[server]\nport = 70000", "config.toml: [server] port: expected an integer from 0 to 65535, got 70000"),
        ("[server]\nprot = 1", "config.toml: [server] prot: unknown key (did you mean port?)"),
        ("[sever]", "config.toml: [sever]: unknown section (did you mean server?)"),
        ("server = 1", "config.toml: server: expected a section [server], got 1"),
        ("[signatures]\nverify = 1", "config.toml: [signatures] verify: expected true or false, got 1"),
        ('[logging]\nlevel = "loud"', 'config.toml: [logging] level: expected "debug" or "error" or'),
        ("[processing]\nworkers = 0", "config.toml: [processing] workers: expected an integer greater than 0, got 0"),
        (
            "[retention]\ntombstone_days = 0.01",
            "config.toml: [retention] tombstone_days: expected a number of at least 0.0104167",
        ),
        (
            "[retention]\ntombstone_hours = 24.0",
            "config.toml: [retention] tombstone_hours: is gone; tombstone_days, in days, has its place",
        ),
        ("[cache]\ntimeout_seconds = inf", "config.toml: [cache] timeout_seconds: expected a number greater than 0"),
        ("[cache]\ntimeout_seconds = nan", "config.toml: [cache] timeout_seconds: expected a number greater than 0"),
        ('[store]\npath = ""', 'config.toml: [store] path: expected a text that is not empty, got ""'),
        ("[store]\npath = 2026-01-01", "config.toml: [store] path: expected a text that is not empty, got"),
        ('[supabase]\ntables = "users"', "config.toml: [supabase] tables: expected a list of blocks"),
        ("[[supabase.tables]]\nindex = []", "config.toml: [supabase] tables[1] name: missing, expected a text"),
        (
            '[[supabase.tables]]\nname = "users"\nkeys = ["id"]',
            "config.toml: [supabase] tables[1] keys: unknown key (did you mean key?)",
        ),
        ("[server]\nport =\n", "config.toml: not TOML: Invalid value (at line 2"),
        ('[notion]\nurl = "x"', "config.toml: [notion] url: unknown key"),
        ('[supabase]\nurl = "x"', "as SUPABASE_URL"),
        (
            '[supabase]\nkey = "sb_secret_planted"',
            "unknown key; secrets stand in the environment or .env, as SUPABASE_KEY",
        ),
        ('[notion]\napi_key = "sb_secret_planted"', "[notion] api_key: unknown key; secrets stand in the environment"),
        ('[cache]\nredis_url = "redis://:sb_secret_planted@h"', "as REDIS_URL"),
        ('supabase_key = "sb_secret_planted"', "config.toml: [supabase_key]: unknown section; secrets stand"),
        ('[server]\nallowed_hosts = ["a.example", "http://a"]', "allowed_hosts: expected a host's name or address"),
        ('[server]\nallowed_hosts = ["a:evil"]', 'expected a host\'s name or address, got "a:evil"'),
        ('[server]\ntrusted_proxies = ["10.0.0.0/8", "nginx"]', 'such as 10.0.0.0/8, got "nginx"'),
        ('[server]\ntrusted_proxies = ["10.0.0.1/8"]', "trusted_proxies: expected an address, or a network"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_what_was_expected(tmp_path: Path, toml: str, problem: str) -> None:
    found = problems(tmp_path, toml)
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"HOOKBRIDGE_SERVER__PORT": "abc"}, 'HOOKBRIDGE_SERVER__PORT: expected an integer from 0 to 65535, got "abc"'),
        ({"HOOKBRIDGE_SERVER__PROT": "1"}, "unknown variable (did you mean HOOKBRIDGE_SERVER__PORT?)"),
        ({"HOOKBRIDGE_RETENTION__TOMBSTONE_HOURS": "24"}, "HOURS: is gone; tombstone_days, in days, has its place"),
        ({"HOOKBRIDGE_ADMIN_TOKN": "x"}, "unknown variable (did you mean HOOKBRIDGE_ADMIN_TOKEN?)"),
        ({"VERIFY_WEBHOOK_SIGNATURES": "maybe"}, 'VERIFY_WEBHOOK_SIGNATURES: expected true or false, got "maybe"'),
        ({"HOOKBRIDGE_SUPABASE__TABLES": "users"}, "HOOKBRIDGE_SUPABASE__TABLES: expected a list of blocks"),
        ({"HOOKBRIDGE_SUPABASE__TABLES": "[{"}, "HOOKBRIDGE_SUPABASE__TABLES: expected a list of blocks"),
        ({"HOOKBRIDGE_CACHE__TIMEOUT_SECONDS": "inf"}, "expected a number greater than 0"),
        (
            {"HOOKBRIDGE_SUPABASE__TABLES": '[{"name": "users"}, {"name": "x", "kee": ["id"]}]'},
            "HOOKBRIDGE_SUPABASE__TABLES[2] kee: unknown key (did you mean key?)",
        ),
        (
            {"HOOKBRIDGE_SUPABASE__TABLES": '[{"name": 1}]'},
            "HOOKBRIDGE_SUPABASE__TABLES[1] name: expected a text that is not empty, got 1",
        ),
        (
            {"HOOKBRIDGE_NOTION__DATABASES": '[{"id": "x", "poll_seconds": 1e400}]'},
            "HOOKBRIDGE_NOTION__DATABASES: expected a list of blocks",
        ),
    ],
)
def test_a_mistake_in_a_variable_is_named(tmp_path: Path, environ: dict[str, str], problem: str) -> None:
    (found,) = problems(tmp_path, environ=environ)
    assert problem in found


def test_variables_of_tests_and_of_others_are_left_alone(tmp_path: Path) -> None:
    environ = {
        "HOOKBRIDGE_TEST_DATABASE_URL": "x",
        "HOOKBRIDGE_URL": "http://elsewhere",
        "PATH": "/bin",
        "HOOKBRIDGE": "x",
    }
    assert loaded(tmp_path, environ=environ).config == Config()


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("what is this\nNOTION_TOKEN=with space\n")
    toml = '[server]\nport = "abc"\nprot = 1\n[[supabase.tables]]\n[nothing]'
    found = problems(tmp_path, toml, {"HOOKBRIDGE_X": "1", "SUPABASE_URL": "ftp://x", "WEBHOOK_SECRET": "whsec_?"})
    assert [problem.split(" ")[0] for problem in found] == [
        ".env:",
        "config.toml:",
        "config.toml:",
        "config.toml:",
        "config.toml:",
        "HOOKBRIDGE_X:",
        "NOTION_TOKEN:",
        "SUPABASE_URL:",
        "SUPABASE_KEY:",
        "WEBHOOK_SECRET:",
    ]
    assert found[0] == ".env: line 1: expected NAME=value"


@pytest.mark.parametrize("name", ["config.toml", ".env"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"# \xff\n")
    with pytest.raises(ConfigError, match=rf"{name}: .*not UTF-8"):
        load(None, {}, tmp_path)


# Secrets


def test_secrets_come_from_the_environment_and_from_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"WEBHOOK_SECRET={ONE}, another one of two words ,\nHOOKBRIDGE_ADMIN_TOKEN={ONE}-2\n"
    )
    secrets = loaded(tmp_path, environ={**SUPABASE, "NOTION_WEBHOOK_SECRET": "secret_of-notion"}).secrets
    assert secrets.webhook_secrets == (ONE, "another one of two words")
    assert secrets.notion_webhook_secrets == ("secret_of-notion",)
    assert (secrets.supabase_url, secrets.supabase_key) == (SUPABASE["SUPABASE_URL"], KEY)
    assert secrets.admin_token == f"{ONE}-2"


def test_a_secret_can_come_from_a_file_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret-of-a-file\n")
    environ = {"NOTION_TOKEN_FILE": "token", "HOOKBRIDGE_ADMIN_TOKEN_FILE": str(tmp_path / "token")}
    secrets = loaded(tmp_path, environ=environ).secrets
    assert (secrets.notion_token, secrets.admin_token) == ("secret-of-a-file", "secret-of-a-file")


@pytest.mark.parametrize(
    ("dotenv", "environ", "expected"),
    [
        ("NOTION_TOKEN=of-dotenv\n", {"NOTION_TOKEN_FILE": "token"}, "of-the-file"),
        ("NOTION_TOKEN_FILE=token\n", {"NOTION_TOKEN": "of-the-environment"}, "of-the-environment"),
        ("NOTION_TOKEN_FILE=token\n", {"NOTION_TOKEN": ""}, ""),
        ("NOTION_TOKEN_FILE=token\n", {}, "of-the-file"),
    ],
)
def test_a_secret_of_the_environment_wins_over_dotenv_however_each_is_given(
    tmp_path: Path, dotenv: str, environ: dict[str, str], expected: str
) -> None:
    (tmp_path / "token").write_text("of-the-file")
    (tmp_path / ".env").write_text(dotenv)
    assert loaded(tmp_path, environ=environ).secrets.notion_token == expected


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://:p%40ss@host:6380/1", "unix:///run/valkey.sock?db=1"])
def test_what_redis_takes_is_taken(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, environ={"REDIS_URL": url}).secrets.redis_url == url


def test_secrets_do_not_show_in_their_repr(tmp_path: Path) -> None:
    assert KEY not in repr(loaded(tmp_path, environ=SUPABASE))


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"NOTION_TOKEN": KEY, "NOTION_TOKEN_FILE": "x"}, "NOTION_TOKEN: set it or NOTION_TOKEN_FILE, not both"),
        ({"NOTION_TOKEN_FILE": KEY}, f"NOTION_{IN_FILE}: No such file or directory"),
        ({"NOTION_TOKEN_FILE": "empty"}, f"NOTION_{IN_FILE}: it is empty"),
        ({"NOTION_TOKEN_FILE": "latin"}, f"NOTION_{IN_FILE}: its content is not UTF-8"),
        ({"NOTION_TOKEN_FILE": f"{KEY}\0"}, f"NOTION_{IN_FILE}: no path has such characters"),
        ({"NOTION_TOKEN_FILE": "."}, f"NOTION_{IN_FILE}: it is a folder"),
        ({"NOTION_TOKEN": f"{KEY}é"}, "NOTION_TOKEN: expected printable ASCII"),
        ({"SUPABASE_URL": "https://x"}, "SUPABASE_KEY: missing"),
        ({"SUPABASE_KEY": KEY}, "SUPABASE_URL: missing"),
        ({"SUPABASE_URL": "x.supabase.co", "SUPABASE_KEY": KEY}, "SUPABASE_URL: expected an http or https URL"),
        ({"SUPABASE_URL": "https://", "SUPABASE_KEY": KEY}, "SUPABASE_URL: expected an http or https URL"),
        ({"SUPABASE_URL": "http://[x", "SUPABASE_KEY": KEY}, "SUPABASE_URL: expected an http or https URL"),
        (
            {"SUPABASE_URL": "https://x.supabase.co/rest/v1/", "SUPABASE_KEY": KEY},
            "SUPABASE_URL: expected the project's URL, without /rest/v1",
        ),
        ({"REDIS_URL": KEY}, "REDIS_URL: expected a URL such as redis://"),
        ({"REDIS_URL": f"http://:{KEY}@localhost:6379"}, "REDIS_URL: expected a URL such as redis://"),
        ({"REDIS_URL": f"redis://:{KEY}@localhost:none"}, "REDIS_URL: expected a URL such as redis://"),
        ({"WEBHOOK_SECRET": f"whsec_{KEY}"}, "WEBHOOK_SECRET: secret starts with whsec_, and must go on in base64"),
        ({"WEBHOOK_SECRET": "whsec_é"}, "WEBHOOK_SECRET: secret starts with whsec_, and must go on in base64"),
        ({"VERIFY_WEBHOOK_SIGNATURES": "true"}, "VERIFY_WEBHOOK_SIGNATURES: on, but there is no secret to verify with"),
        ({"HOOKBRIDGE_SIGNATURES__STATIC_TOKEN": "true"}, "static_token: on, but WEBHOOK_SECRET"),
    ],
)
def test_a_wrong_secret_is_refused_and_not_shown(tmp_path: Path, environ: dict[str, str], problem: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"\xff")
    (found,) = problems(tmp_path, environ=environ)
    assert problem in found


@pytest.mark.parametrize(
    ("written", "secrets"),
    [
        (f"v1,{STANDARD}", (STANDARD,)),
        (f"v1,{STANDARD}|v1,{OTHER}", (STANDARD, OTHER)),
        (f"{STANDARD} | {OTHER}", (STANDARD, OTHER)),
        (f"{ONE}, v1,{STANDARD}", (ONE, STANDARD)),
        (f"v1,{STANDARD},{ONE}", (STANDARD, ONE)),
        ("a plain one with | in it", ("a plain one with | in it",)),
    ],
)
def test_secrets_are_taken_as_supabase_shows_those_of_its_hooks(
    tmp_path: Path, written: str, secrets: tuple[str, ...]
) -> None:
    assert loaded(tmp_path, environ={"WEBHOOK_SECRET": written}).secrets.webhook_secrets == secrets


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"WEBHOOK_SECRET": "planted"}, "WEBHOOK_SECRET: secret has 7 bytes"),
        ({"WEBHOOK_SECRET": f"{ONE},v1"}, "WEBHOOK_SECRET: secret 2 of 2 has 2 bytes"),
        ({"WEBHOOK_SECRET": f"v1,planted,{ONE},"}, "WEBHOOK_SECRET: secret 1 of 3 has 2 bytes"),
        ({"WEBHOOK_SECRET": "whsec_cGxhbnRlZA"}, "WEBHOOK_SECRET: secret has 7 bytes when it is decoded"),
        ({"WEBHOOK_SECRET": f"v1,{STANDARD}|v1,whsec_cGxhbnRlZA=="}, "secret 2 of 2 has 7 bytes when it is decoded"),
        ({"NOTION_WEBHOOK_SECRET": "planted"}, "NOTION_WEBHOOK_SECRET: secret has 7 bytes"),
        ({"HOOKBRIDGE_ADMIN_TOKEN": "planted"}, "HOOKBRIDGE_ADMIN_TOKEN: secret has 7 bytes"),
        ({"HOOKBRIDGE_ADMIN_TOKEN_FILE": "short"}, "HOOKBRIDGE_ADMIN_TOKEN: secret has 7 bytes"),
    ],
)
def test_a_secret_that_can_be_guessed_is_refused_by_its_place_and_never_shown(
    tmp_path: Path, environ: dict[str, str], problem: str
) -> None:
    (tmp_path / "short").write_text("planted\n")
    found = "; ".join(problems(tmp_path, environ=environ))
    assert problem in found
    assert "planted" not in found
    assert "cGxhbnRlZA" not in found


# What tools and editors do to a value on its way


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'"{ONE}"', "the quotes around it"),
        (f"'{ONE}'", "the quotes around it"),
        (f"\u201c{ONE}\u201d", "typographic quotes"),
        (f"\u2018{ONE}", "typographic quotes"),
        (f"{ONE}\u200b", "invisible characters"),
        (f"\ufeff{ONE}", "invisible characters"),
        (f"{ONE[:5]}\u2060{ONE[5:]}", "invisible characters"),
        (f'\u200b"{ONE}"', "invisible characters"),
        (f"{ONE}\u00ad", "invisible characters"),
        (f'"{ONE}', "a quote stands at one end"),
        (f"{ONE}'", "a quote stands at one end"),
    ],
)
@pytest.mark.parametrize("name", ["WEBHOOK_SECRET", "NOTION_WEBHOOK_SECRET", "HOOKBRIDGE_SERVER__HOST", "REDIS_URL"])
def test_a_value_that_is_not_as_it_was_meant_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    found = problems(tmp_path, environ={name: text})
    assert any(one.startswith(f"{name}: ") and problem in one for one in found)
    assert ONE not in "; ".join(one for one in found if "SERVER__HOST" not in one and "REDIS_URL" not in one)


@pytest.mark.parametrize("end", ["\r", "\r\n", " \t", "\n\n"])
def test_white_space_around_a_value_is_no_part_of_it(tmp_path: Path, end: str) -> None:
    (tmp_path / "secret").write_bytes(f"{ONE}{end}".encode())
    for environ in ({"WEBHOOK_SECRET": f" {ONE}{end}"}, {"WEBHOOK_SECRET_FILE": "secret"}):
        assert loaded(tmp_path, environ=environ).secrets.webhook_secrets == (ONE,)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"WEBHOOK_SECRET={ONE}", "it begins with a name and ="),
        (f"export WEBHOOK_SECRET = {ONE}", "it begins with a name and ="),
        (f'"{ONE}"', "the quotes around it"),
        (f"{ONE}\nNOTION_TOKEN=x", "it has more than one line"),
        (f"{ONE}\u200b\n", "invisible characters"),
    ],
)
def test_a_file_that_holds_more_than_the_secret_is_refused(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "secret").write_text(content)
    (found,) = problems(tmp_path, environ={"WEBHOOK_SECRET_FILE": "secret"})
    assert problem in found
    assert ONE not in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f'{ONE},"{ONE}"', "secret 2 of 2: the quotes around it"),
        (f"'{ONE}', {ONE}", "secret 1 of 2: the quotes around it"),
        (f"WEBHOOK_SECRET={ONE}", "it begins with a name and ="),
        (f"export WEBHOOK_SECRETS={ONE}", "it begins with a name and ="),
    ],
)
def test_each_of_several_secrets_is_looked_at(tmp_path: Path, text: str, problem: str) -> None:
    found = "; ".join(problems(tmp_path, environ={"WEBHOOK_SECRET": text}))
    assert problem in found
    assert ONE not in found


@pytest.mark.parametrize("secret", ["JBSWY3DPEHPK3PXPJBSWY3DP====", "QUJDREVGR0hJSktMTU5PUA==", "A_B=====0123456789a"])
def test_padding_is_no_line_of_an_env_file(tmp_path: Path, secret: str) -> None:
    assert loaded(tmp_path, environ={"WEBHOOK_SECRET": secret}).secrets.webhook_secrets == (secret,)


# What is no file


@pytest.mark.parametrize("name", [".env", "config.toml", "secret"])
@pytest.mark.parametrize("what", ["a folder", "a pipe", "a link to nothing"])
def test_what_is_there_and_no_file_is_an_error_and_never_absent(tmp_path: Path, name: str, what: str) -> None:
    make: dict[str, Callable[[Path], object]] = {
        "a folder": Path.mkdir,
        "a pipe": os.mkfifo,
        "a link to nothing": lambda path: path.symlink_to(tmp_path / "nowhere"),
    }
    make[what](tmp_path / name)
    with pytest.raises(ConfigError) as caught:
        load(None, {"WEBHOOK_SECRET_FILE": "secret"} if name == "secret" else {}, tmp_path)
    (problem,) = caught.value.problems
    assert ("WEBHOOK_SECRET_FILE" if name == "secret" else name) in problem


def test_a_standard_secret_may_come_without_its_padding(tmp_path: Path) -> None:
    assert loaded(tmp_path, environ={"WEBHOOK_SECRET": STANDARD}).secrets.webhook_secrets == (STANDARD,)


def test_verification_with_a_secret_of_either_kind_is_fine(tmp_path: Path) -> None:
    assert loaded(tmp_path, environ=SIGNED).config.signatures.verify
    assert loaded(
        tmp_path, "[signatures]\nverify = true", {"NOTION_WEBHOOK_SECRET": "secret_of-notion"}
    ).config.signatures.verify


# What no value shows by itself


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        (
            '[[supabase.tables]]\nname = "users"\n[[supabase.tables]]\nname = "users"\nschema = "public"',
            "[[supabase.tables]]: public.users is listed twice",
        ),
        (
            'notion.databases = [{id="A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1"}, {id="a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1"}]',
            "[[notion.databases]]: a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1 is listed twice",
        ),
        ('[notion]\nbase_url = "notion"', '[notion] base_url: expected an http or https URL, got "notion"'),
        (
            '[[cache.keys]]\nsource = "supabase"\ntable = "users"\ntemplates = ["user:{id}"]',
            "[[cache.keys]]: there are keys to delete, but REDIS_URL, the cache they lie in, is not set",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path: Path, toml: str, problem: str) -> None:
    assert problems(tmp_path, toml) == [problem]


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[[supabase.tables]]\nname = "a:b"', 'tables[1] name: expected a table\'s name without a colon, got "a:b"'),
        ('[[supabase.tables]]\nname = "a\\nb"', "tables[1] name: expected a table's name without a colon"),
        (
            '[[supabase.tables]]\nname = "x"\n[[supabase.tables]]\nname = "y"\nschema = "a.b"',
            'tables[2] schema: expected a schema\'s name without a dot or a colon, got "a.b"',
        ),
        (
            f'[[supabase.tables]]\nname = "{"x" * 250}"',
            "tables[1] name: expected at most 255 characters with its schema",
        ),
        (
            '[[supabase.tables]]\nname = "x"\nkey = ["id", "at", "id"]',
            'tables[1] key: the column "id" is named twice',
        ),
        (
            f'[[notion.databases]]\nid = "https://www.notion.so/ws/Tasks-{DATABASE}?v={"1" * 32}"',
            f"; the id in it is {DATABASE}",
        ),
        (
            '[[notion.databases]]\nid = "my tasks"',
            'databases[1] id: expected 32 hexadecimal digits, with or without dashes, got "my tasks"',
        ),
        (
            '[[cache.keys]]\nsource = "notion"\ntable = "https://www.notion.so/x"\ntemplates = ["a"]',
            "[[cache.keys]] table: expected a table's name, or the id of a Notion database",
        ),
        ('[notion]\napi_version = "2022-06-28"', "api_version: expected 2025-09-03 or a later version"),
        ('[notion]\napi_version = "2026-13-01"', "api_version: expected 2025-09-03 or a later version"),
    ],
)
def test_a_name_that_names_nothing_is_refused(tmp_path: Path, toml: str, problem: str) -> None:
    (found,) = problems(tmp_path, toml, {"NOTION_TOKEN": "ntn_x", "REDIS_URL": "redis://localhost"})
    assert problem in found


@pytest.mark.parametrize("id_", [DATABASE, DATABASE.upper(), "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"])
def test_a_notion_id_is_taken_in_each_of_its_forms(tmp_path: Path, id_: str) -> None:
    loaded(tmp_path, f'[[notion.databases]]\nid = "{id_}"', {"NOTION_TOKEN": "ntn_x"})


def test_without_a_token_a_database_may_have_the_name_that_its_senders_use(tmp_path: Path) -> None:
    loaded(tmp_path, '[[notion.databases]]\nid = "database-id"')


@pytest.mark.parametrize("template", ["user:{id", "user:{}", "user:{id!r}", "user:{id:>5}", "id}"])
def test_a_cache_key_that_is_no_template_is_refused(tmp_path: Path, template: str) -> None:
    toml = f'[[cache.keys]]\nsource = "supabase"\ntable = "users"\ntemplates = ["{template}"]'
    (found,) = problems(tmp_path, toml, {"REDIS_URL": "redis://localhost"})
    assert found.startswith(f'[[cache.keys]]: "{template}" is no template')


def test_a_lease_must_be_longer_than_all_attempts_of_a_change(tmp_path: Path) -> None:
    # 3 attempts of 10 s reading and 1 s cache, and waits of 2 and 4 seconds.
    toml = (
        "[supabase]\ntimeout_seconds = 10\n[notion]\ntimeout_seconds = 5\n[cache]\ntimeout_seconds = 1\n"
        "[processing]\nlease_seconds = {}"
    )
    (found,) = problems(tmp_path, toml.format("39"))
    assert found.startswith("[processing] lease_seconds: expected more than 39, ")
    assert loaded(tmp_path, toml.format("39.5")).config.processing.lease_seconds == 39.5


def test_handlers_count_towards_the_lease_and_the_default_has_room_for_them(tmp_path: Path) -> None:
    loaded(tmp_path, '[handlers]\nmodule = "my_handlers"')
    (found,) = problems(tmp_path, '[handlers]\nmodule = "my_handlers"\ntimeout_seconds = 1000')
    assert "lease_seconds" in found


@pytest.mark.parametrize("attempts", ["5000", "1000000000000"])
def test_attempts_without_end_are_refused_at_once(tmp_path: Path, attempts: str) -> None:
    for multiplier in ("2.0", "1.0"):
        (found,) = problems(
            tmp_path, f"[processing]\nmax_attempts = {attempts}\nretry_multiplier = {multiplier}\nlease_seconds = 9"
        )
        assert "lease_seconds: expected more than" in found


@pytest.mark.parametrize("line", ["VERIFY_WEBHOOK_SIGNATURES", "export WEBHOOK_SECRET", "anything"])
def test_a_name_alone_in_an_env_file_is_a_mistake(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"SUPABASE_URL=\n{line}\n")
    with pytest.raises(ConfigError) as error:
        load(None, {}, tmp_path)
    assert error.value.problems == [".env: line 2: expected NAME=value"]


def test_a_nodes_name_is_its_own_or_the_machines_with_the_port() -> None:
    assert Settings(folder=Path()).node_name == f"{socket.gethostname()}:8080"
    named = msgspec.convert({"node": {"name": "one"}, "server": {"port": 0}}, Config)
    assert Settings(config=named, folder=Path()).node_name == "one"
    free = msgspec.convert({"server": {"port": 0}}, Config)
    assert Settings(config=free, folder=Path()).node_name == "", "the port that it takes is not known yet"


def test_fingerprints_tell_tokens_apart_and_are_the_same_on_every_machine() -> None:
    known = "a-token-of-operators-1"
    assert admin_token.fingerprint(known) == admin_token.fingerprint(known)
    assert admin_token.fingerprint(known) != admin_token.fingerprint("a-token-of-operators-2")
    assert known not in admin_token.fingerprint(known)
    assert admin_token.fingerprint("a-token") == "ab1cdecb09609fbb1c3bf40e7beb340b"
