"""What a user writes of destinations, and what becomes of it; which addresses are called; when one is tried again."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from hookbridge.config import Secrets
from hookbridge.errors import ConfigError
from hookbridge.outgoing import wait_seconds
from hookbridge.outgoing.addresses import refusal
from hookbridge.settings import load

SECRET = "whsec_bm8gb25lIGd1ZXNzZXMgdGhpcw=="
OTHER = "whsec_bm8gb25lIGd1ZXNzZXMgdGhhdA=="
BLOCK = """
[[destinations]]
name = "search"
url = "https://example.com/changes"
secret = "{env:SEARCH_SECRET}"
"""
KNOWN = {"SEARCH_SECRET": SECRET}


def secrets(folder: Path, toml: str, environ: Mapping[str, str]) -> Secrets:
    (folder / "config.toml").write_text(toml)
    return load(None, environ, folder).secrets


def problems(folder: Path, toml: str, environ: Mapping[str, str] = KNOWN) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        secrets(folder, toml, environ)
    assert "planted" not in str(caught.value)
    assert SECRET not in str(caught.value)
    return caught.value.problems


def listed(**keys: object) -> dict[str, str]:
    block: dict[str, object] = {"name": "search", "url": "https://example.com/changes", "secret": SECRET, **keys}
    return {"HOOKBRIDGE_DESTINATIONS": msgspec.json.encode([block]).decode()}


def test_names_of_variables_stand_for_what_those_hold(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    (tmp_path / ".env").write_text("HOOKBRIDGE_OF_SEARCH=in-dotenv\n")
    headers = 'headers = { Authorization = "Bearer {env:SEARCH_TOKEN}", X-Other = "{env:HOOKBRIDGE_OF_SEARCH}!" }'
    (one,) = secrets(tmp_path, BLOCK + headers, {**KNOWN, "SEARCH_TOKEN_FILE": "token"}).destinations
    assert one.secret == SECRET
    assert one.headers == {"Authorization": "Bearer from-a-file", "X-Other": "in-dotenv!"}
    assert (one.batch, one.types, one.start, one.allow_private) == (100, ("upsert", "delete"), "snapshot", True)
    assert SECRET not in repr(one)


def test_the_whole_list_can_come_from_the_environment_with_its_secrets(tmp_path: Path) -> None:
    environ = listed(secret=OTHER, tables=["supabase:users", "notion:*"])
    (one,) = secrets(tmp_path, BLOCK, environ).destinations
    assert (one.secret, one.tables) == (OTHER, ("supabase:users", "notion:*"))


MISTAKES = [
    ('name = "Search me"', "name: expected small letters"),
    ('url = "ftp://example.com"', "url: expected an http or https URL"),
    ('url = "https://example.com/#here"', "url: what is behind #"),
    ('url = "https://me:planted@example.com/"', "url: it holds a password"),
    (f'secret = "{OTHER}"', "secret: secrets do not stand in config.toml"),
    ('secret = "{env:NOT_THERE}"', "NOT_THERE: it is not set"),
    ('secret = "{env:SEARCH-SECRET}"', "secret: expected {env:NAME}"),
    ('url = "https://example.com/{ENV:SEARCH_SECRET}"', "url: expected {env:NAME}"),
    ('headers = { Authorization = "Bearer {env: SEARCH_SECRET}" }', 'headers "Authorization": expected {env:NAME}'),
    ('headers = { Authorization = "planted" }', 'headers "Authorization": secrets do not stand'),
    ('headers = { Webhook-Id = "1" }', 'headers "Webhook-Id": this header is hookbridge\'s own'),
    ('headers = { "a b" = "1" }', 'headers "a b": expected a header\'s name'),
    ('headers = { a = "\\n" }', 'headers "a": expected printable'),
    ("headers = { a = 1 }", "headers: expected a table of texts"),
    ('tables = ["users"]', 'tables: expected "supabase:users"'),
    ('tables = ["supabase:a*"]', 'tables: expected "supabase:users"'),
    ('types = ["insert"]', 'types: expected a list of "delete" and "upsert" with at least one'),
    ("batch = 501", "batch: expected an integer from 1 to 500"),
    ("timeout_seconds = 0", "timeout_seconds: expected a number greater than 0"),
    ("colour = 1", "colour: unknown key"),
]


@pytest.mark.parametrize(("line", "problem"), MISTAKES)
def test_a_mistake_is_named_and_shows_no_secret(tmp_path: Path, line: str, problem: str) -> None:
    key = line.partition(" ")[0]
    toml = "\n".join(one for one in BLOCK.splitlines() if not one.startswith(f"{key} ="))
    assert problem in "\n".join(problems(tmp_path, f"{toml}\n{line}"))


@pytest.mark.parametrize(
    ("secret", "problem"),
    [("planted-and-no-standard-secret", "secret: expected whsec_"), ("whsec_YWJj", "can be guessed")],
)
def test_a_secret_that_cannot_sign_is_refused(tmp_path: Path, secret: str, problem: str) -> None:
    (text,) = problems(tmp_path, BLOCK, {"SEARCH_SECRET": secret})
    assert problem in text


@pytest.mark.parametrize("user", ["me", "me:planted", ":planted"])
def test_credentials_are_said_once(tmp_path: Path, user: str) -> None:
    environ = listed(url=f"https://{user}@example.com/", headers={"authorization": "Bearer planted"})
    (text,) = problems(tmp_path, "", environ)
    assert "expected only one of both" in text
    whole = listed(url=f"https://{user}@example.com/a@b", headers={"X-Key": "planted"})
    assert secrets(tmp_path, "", whole).destinations
    other = listed(url="https://example.com/a@b", headers={"Authorization": "Bearer planted"})
    assert secrets(tmp_path, "", other).destinations


def test_a_name_stands_for_one_destination(tmp_path: Path) -> None:
    assert "[[destinations]]: search is there twice" in problems(tmp_path, BLOCK + BLOCK)


@pytest.mark.parametrize("text", ["planted", "[planted", '["planted"]', '[{"secret": "planted", "x": 1}]', '{"a": 1}'])
def test_what_is_no_list_of_destinations_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, "", {"HOOKBRIDGE_DESTINATIONS": text})


def test_a_section_in_the_place_of_blocks_is_refused_and_not_shown(tmp_path: Path) -> None:
    (text,) = problems(tmp_path, '[destinations]\nsecret = "planted"')
    assert text == "config.toml: destinations: expected a list of blocks, each with its own keys"


NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1::a9:fea9:fe00:0",
    "::ffff:0:169.254.169.254",
    "::169.254.169.254",
    "2001:0:102:304:0:0:5601:5601",
    "100.100.100.200",
    "fd00:ec2::254",
]


@pytest.mark.parametrize("address", NEVER)
def test_what_tells_machines_their_secrets_is_never_called(address: str) -> None:
    assert "never called" in (refusal(address, allow_private=True) or "")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "::1", "fd12::1", "fec0::1"])
def test_private_addresses_are_called_unless_that_is_forbidden(address: str) -> None:
    assert refusal(address, allow_private=True) is None
    assert "private" in (refusal(address, allow_private=False) or "")


def test_public_addresses_are_called() -> None:
    assert {refusal(one, allow_private=False) for one in ("93.184.216.34", "2606:2800:220:1::1")} == {None}


def test_gaps_between_attempts_grow_up_to_five_minutes() -> None:
    assert [wait_seconds(failures) for failures in (1, 2, 3, 4, 9, 10, 10_000)] == [0, 2, 4, 8, 256, 300, 300]
