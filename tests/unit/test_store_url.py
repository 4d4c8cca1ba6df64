"""The address of a Postgres store: where it may stand, what is one, and that its password is never shown."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from hookbridge.config import Settings
from hookbridge.errors import ConfigError, StartupError
from hookbridge.settings import load
from hookbridge.settings.store_url import VARIABLE, passwords, without_password
from hookbridge.store.opening import open_store

TOKEN = {"HOOKBRIDGE_ADMIN_TOKEN": "one-token-for-all-nodes"}
URL = "postgresql://hookbridge:planted@db.example.com:5432/postgres"


def loaded(folder: Path, toml: str = "", environ: Mapping[str, str] | None = None) -> Settings:
    (folder / "config.toml").write_text(toml)
    return load(None, TOKEN | dict(environ or {}), folder)


def problems(folder: Path, toml: str = "", environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, toml, environ)
    assert "planted" not in str(caught.value)
    return caught.value.problems


def test_without_an_address_the_data_is_in_the_file(tmp_path: Path) -> None:
    assert loaded(tmp_path).store_url == ""


def test_an_address_without_a_password_may_stand_in_the_file(tmp_path: Path) -> None:
    url = "postgresql://hookbridge@/postgres?host=/run/postgresql"
    assert loaded(tmp_path, f'[store]\nurl = "{url}"').store_url == url


def test_an_address_comes_from_the_environment_from_dotenv_or_from_a_file(tmp_path: Path) -> None:
    assert loaded(tmp_path, environ={VARIABLE: URL}).store_url == URL
    several = "postgresql://u:p@one.example:5432,two.example:5433/d?target_session_attrs=primary"
    assert loaded(tmp_path, environ={VARIABLE: several}).store_url == several
    (tmp_path / "url").write_text(URL + "\n")
    assert loaded(tmp_path, environ={f"{VARIABLE}_FILE": "url"}).store_url == URL
    (tmp_path / ".env").write_text(f"{VARIABLE}={URL}\n")
    assert loaded(tmp_path).store_url == URL


def test_an_address_of_the_environment_wins_over_the_files(tmp_path: Path) -> None:
    assert loaded(tmp_path, '[store]\nurl = "postgresql://other/postgres"', {VARIABLE: URL}).store_url == URL


@pytest.mark.parametrize(
    "url", [URL, "postgres://db.example.com/postgres?password=planted", "postgresql://:planted@h/d?sslmode=require"]
)
def test_a_password_in_config_toml_is_refused_with_where_it_belongs(tmp_path: Path, url: str) -> None:
    (problem,) = problems(tmp_path, f'[store]\nurl = "{url}"')
    assert problem.startswith("[store] url: it holds a password")
    assert VARIABLE in problem


@pytest.mark.parametrize(
    "url",
    [
        "db.example.com",
        "mysql://db.example.com/planted",
        "postgresql://",
        "postgresql:///planted",
        "postgresql://hookbridge:planted@db.example.com:port/postgres",
        "postgresql://hookbridge:planted@db.example.com:0/postgres",
        "postgresql://hookbridge:planted@db.example.com:65536/postgres",
        "postgresql://hookbridge:planted@db.example.com,/postgres",
        "postgresql://hookbridge:[planted]@db.example.com/postgres",
        "postgresql://hookbridge:planted @db.example.com/postgres",
        "postgresql://hookbridge:plan#ted@db.example.com/postgres",
        "postgresql://hookbridge:plan@ted@db.example.com/postgres",
        "postgresql://hookbridge:12/planted@db.example.com/postgres",
        "postgresql://hookbridge:12?planted@db.example.com/postgres",
        "postgresql://hookbridge:12?planted=@db.example.com/postgres",
        "postgresql://hookbridge@db.example.com/postgres?planted",
    ],
)
def test_what_is_no_address_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    (problem,) = problems(tmp_path, environ={VARIABLE: url})
    assert problem.startswith(f"{VARIABLE}: expected postgresql://USER:PASSWORD@HOST")
    (problem,) = problems(tmp_path, '[store]\nurl = "postgresql://"')
    assert problem.startswith("[store] url: expected postgresql://")


@pytest.mark.parametrize("where", ["file", "environment"])
def test_nodes_need_one_admin_token_and_are_told_how_to_make_it(tmp_path: Path, where: str) -> None:
    toml = '[store]\nurl = "postgresql://db.example.com/postgres"' if where == "file" else ""
    environ = {"HOOKBRIDGE_ADMIN_TOKEN": "", **({} if toml else {VARIABLE: URL})}
    (problem,) = problems(tmp_path, toml, environ)
    assert problem.startswith("HOOKBRIDGE_ADMIN_TOKEN: missing")
    assert "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'" in problem


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (URL, "postgresql://hookbridge@db.example.com:5432/postgres"),
        ("postgres://db.example.com/postgres", "postgres://db.example.com/postgres"),
        ("postgresql://u@/d?host=/run/pg&password=planted&port=6543", "postgresql://u@/d?host=/run/pg&port=6543"),
        ("postgresql://u@h/d?sslmode=require&password=planted", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://u:plan%40ted@[::1]:5432/d", "postgresql://u@[::1]:5432/d"),
        ("postgresql://u:[planted]@h/d", "postgresql://…"),
        ("postgresql://u:12/planted@h/d", "postgresql://…"),
        ("postgresql://u@h/d?passw%6frd=planted&sslmode=require", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://u@h/d?sslpassword=planted&host=/run/pg", "postgresql://u@h/d?host=/run/pg"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_a_password_is_known_as_it_is_written_and_as_it_is_meant() -> None:
    assert set(passwords("postgresql://u:a%40b@h/d?password=c%2Fd")) == {"a%40b", "a@b", "c%2Fd", "c/d"}
    assert passwords("postgresql://u@h/d?passfile=x") == ()
    assert set(passwords("postgresql://u@h/d?sslpassword=c%2Fd&passw%6frd=e")) == {"c%2Fd", "c/d", "e"}


async def test_without_the_extra_it_is_said_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StartupError, match="asyncpg") as caught:
        await open_store(loaded(tmp_path, environ={VARIABLE: URL}), lambda: 0.0)
    assert ".[postgres]" in caught.value.hint


async def test_an_address_that_the_driver_does_not_take_is_told_as_that(tmp_path: Path) -> None:
    url = "postgresql://hookbridge:planted@127.0.0.1:9/postgres?sslmode=bogus"
    with pytest.raises(StartupError, match="url cannot be used") as caught:
        await open_store(loaded(tmp_path, environ={VARIABLE: url}), lambda: 0.0)
    assert "planted" not in f"{caught.value} {caught.value.hint}"


async def test_a_server_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    url = "postgresql://hookbridge:planted@127.0.0.1:9/postgres"  # a port that nobody listens on (RFC 863)
    with pytest.raises(StartupError, match="cannot be reached") as caught:
        await open_store(loaded(tmp_path, environ={VARIABLE: url}), lambda: 0.0)
    assert caught.value.hint
    assert "planted" not in f"{caught.value} {caught.value.hint}"
