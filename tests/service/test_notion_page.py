"""docs/notion.md holds: its blocks are run, its events are taken as it says, its reasons are those of the code."""

import hashlib
import hmac
import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from hookbridge.cli.main import app
from hookbridge.config import NotionConfig, Settings
from hookbridge.settings import load
from hookbridge.sources.notion import payloads
from hookbridge.sources.notion.places import Places
from hookbridge.sources.source import Delivery
from hookbridge.standins import NotionStandin
from tests.support.books import settled
from tests.support.commands import REPOSITORY, command
from tests.support.curl import CurlRequest, parse_curl
from tests.support.running import ADMIN_TOKEN, JSON, Running, running

TEXT = (REPOSITORY / "docs" / "notion.md").read_text()
LISTED = "e8d4b0a1-c7f2-4a9e-8f2d-5c3b1a6e9f4d"
WEBHOOKS = "/api/v1/webhooks/notion"


def _blocks(language: str) -> list[str]:
    return [
        re.sub(r"^  ", "", block, flags=re.MULTILINE) if block.startswith("  ") and language == "sh" else block
        for block in re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    ]


INIT, SHOW_TOKEN, FORGET_TOKEN, SEVERAL_SECRETS = _blocks("sh")
DATABASE, STANDALONE, STATIC, BODIES, SLOW = _blocks("toml")
(GUIDE,) = _blocks("json")


async def _initialised(
    folder: Path, notion: NotionStandin, more: str = "", secret: str = "", **environ: str
) -> Settings:
    """Do what the page says first, with this database and this Notion."""
    variable, _, *words = shlex.split(INIT)
    name, _, shown = variable.partition("=")
    assert (name, shown) == ("NOTION_TOKEN", "ntn_…")
    database = next(iter(notion.databases))
    words = [database if word == LISTED.replace("-", "") else word for word in words]
    ran = await command(folder, *words, NOTION_TOKEN="ntn_standin")
    assert ran.code == 0, ran
    config = folder / "config.toml"
    (block,) = re.findall(r"^\[\[notion.databases\]\]\nid = .*\n", config.read_text(), re.MULTILINE)
    assert block == DATABASE.replace(LISTED.replace("-", ""), database)
    config.write_text(config.read_text() + more)
    env = (folder / ".env").read_text()
    (made,) = re.findall(r"^WEBHOOK_SECRET=(.*)$", env, re.MULTILINE)
    env = env.replace(f"WEBHOOK_SECRET={made}", secret.strip().replace("whsec_…", made) or f"WEBHOOK_SECRET={made}")
    (folder / ".env").write_text(re.sub(r"(?<=^HOOKBRIDGE_ADMIN_TOKEN=).+$", ADMIN_TOKEN, env, flags=re.MULTILINE))
    here = {"HOOKBRIDGE_NOTION__BASE_URL": notion.url, "HOOKBRIDGE_SERVER__PORT": "0"}
    return load(None, {**here, "HOOKBRIDGE_RECONCILE__ENABLED": "false", **environ}, folder)


def _asked(block: str, folder: Path) -> CurlRequest:
    """Give the request of a block's curl, with the token that its shell finds in .env."""
    found = subprocess.run(
        ["sh", "-c", f'{SHOW_TOKEN.splitlines()[0]}\necho "$token"'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return parse_curl(block.splitlines()[-1].replace(" -s ", " ").replace("$token", found.stdout.strip()))


async def _operator(service: Running, block: str, folder: Path) -> tuple[int, Any]:
    asked = _asked(block, folder)
    async with service.http.request(asked.method, asked.path, headers=asked.headers) as answer:
        return answer.status, await answer.json() if answer.status == 200 else None


async def _post(service: Running, body: bytes, headers: Mapping[str, str]) -> int:
    return (await service.http.post(WEBHOOKS, data=body, headers=headers)).status


async def _rejected(service: Running) -> list[tuple[str, str]]:
    found = await (await service.get("/api/v1/rejected")).json()
    return [(one["reason"], one["message"]) for one in found["rejected"]]


async def test_from_init_over_the_handshake_to_signed_events(tmp_path: Path) -> None:
    async with NotionStandin(verification_token="secret_of_the_subscription") as notion:
        database = notion.create_database("Tasks", {"Name": "title"})
        (source,) = notion.data_source_ids(database)
        heard: list[Any] = []
        notion.listen(heard.append)
        page = notion.create_page(source, {"Name": "Write the page"})
        (event,) = heard
        async with running(await _initialised(tmp_path, notion)) as service:
            assert (await _operator(service, SHOW_TOKEN, tmp_path))[0] == 404
            assert await _post(service, event.body, event.headers) == 401

            handshake = notion.handshake()
            assert await _post(service, handshake.body, handshake.headers) == 200
            status, token = await _operator(service, SHOW_TOKEN, tmp_path)
            assert (status, token["verification_token"]) == (200, "secret_of_the_subscription")
            assert (token["confirmed"], token["learnt_from"]) == (False, "127.0.0.1")

            assert await _post(service, event.body, JSON) == 401
            assert await _post(service, event.body + b" ", event.headers) == 401
            assert await _post(service, event.body, event.headers) == 202
            assert await settled(service) == {"received": 1, "applied": 1}
            found = await service.get(f"/api/v1/records/notion/{database}/{page}")
            assert (await found.json())["data"]["properties"]["Name"]["title"][0]["plain_text"] == "Write the page"

            assert await _post(service, handshake.body, handshake.headers) == 409
            assert await _rejected(service) == [
                ("handshake_refused", "A verification token is known already"),
                ("invalid_signature", "the signature does not match the body"),
                ("invalid_signature", "the request is not signed"),
                ("invalid_signature", "no verification token of Notion is known yet"),
            ]
            assert (await _operator(service, FORGET_TOKEN, tmp_path))[0] == 204
            assert await _post(service, event.body, event.headers) == 401
            assert await _post(service, handshake.body, handshake.headers) == 200


async def test_the_first_handshake_is_kept_where_nothing_is_verified_and_every_event_is_taken(tmp_path: Path) -> None:
    async with NotionStandin() as notion:
        notion.create_database("Tasks", {})
        settings = await _initialised(tmp_path, notion, VERIFY_WEBHOOK_SIGNATURES="false")
        async with running(settings, process=False) as service:
            handshake = notion.handshake()
            for expected in (200, 409):
                assert await _post(service, GUIDE.encode(), JSON) == 202
                assert await _post(service, handshake.body, handshake.headers) == expected


async def test_a_fixed_header_is_taken_beside_the_secret_that_init_made(tmp_path: Path) -> None:
    async with NotionStandin() as notion:
        notion.create_database("Tasks", {})
        settings = await _initialised(tmp_path, notion, STATIC, SEVERAL_SECRETS)
        plain = SEVERAL_SECRETS.strip().rpartition(",")[2]
        assert settings.secrets.webhook_secrets[1:] == (plain,)
        body = GUIDE.encode()
        signed = hmac.digest(plain.encode(), body, hashlib.sha256).hex()
        async with running(settings, process=False) as service:
            for header in (
                {"X-Webhook-Signature": plain},
                {"Authorization": f"Bearer {plain}"},
                {"X-Webhook-Signature": signed},
            ):
                assert await _post(service, body, {**JSON, **header}) == 202
            assert await _post(service, body, {**JSON, "X-Webhook-Signature": "another"}) == 401


async def test_a_plain_secret_is_missing_where_every_secret_is_a_standard_one(tmp_path: Path) -> None:
    async with NotionStandin() as notion:
        notion.create_database("Tasks", {})
        async with running(await _initialised(tmp_path, notion), process=False) as service:
            assert await _post(service, GUIDE.encode(), {**JSON, "X-Webhook-Signature": "0" * 64}) == 401
            assert await _rejected(service) == [("invalid_signature", "there is no secret for X-Webhook-Signature")]


def _decoded(type_: str, parent: Mapping[str, str], config: NotionConfig) -> Any:  # noqa: ANN401  an event
    entity = {"id": "a1b2c3d4-e5f6-4890-abcd-ef1234567890", "type": type_.partition(".")[0]}
    envelope = {"id": "1", "type": type_, "entity": entity, "data": {"parent": parent}}
    delivery = payloads.decode({}, json.dumps(envelope).encode(), Places(config, readable=True))
    assert isinstance(delivery, Delivery)
    (event,) = delivery.events
    return event


IN_A_DATABASE = {"type": "database", "id": LISTED}


def _rows() -> list[tuple[str, str]]:
    table = TEXT.partition("| type | is taken as |\n|---|---|\n")[2].partition("\n\n")[0]
    return [
        (type_, meaning.strip(" `|"))
        for types, meaning in re.findall(r"^\| (.*?) \| (.*)$", table, re.MULTILINE)
        for type_ in re.findall(r"`([a-z_.]+)`", types)
    ]


@pytest.mark.parametrize(("type_", "meaning"), [*_rows(), ("page.of_the_future", "update")])
def test_an_event_is_taken_as_the_page_says(type_: str, meaning: str) -> None:
    event = _decoded(type_, IN_A_DATABASE, NotionConfig())
    if meaning.startswith("ignored: it "):
        assert event.ignored == f"{type_} {meaning.removeprefix('ignored: it ')}"
    else:
        assert (event.type, event.ignored) == (meaning, None)


def test_pages_outside_of_databases_are_taken_where_it_says_so() -> None:
    workspace = {"type": "workspace", "id": "w"}
    ignored = _decoded("page.created", workspace, NotionConfig()).ignored
    assert f"`{ignored}`" in TEXT
    config = msgspec.convert(tomllib.loads(STANDALONE)["notion"], NotionConfig)
    event = _decoded("page.created", workspace, config)
    assert (event.record.table, event.ignored) == ("pages", None)


def test_the_reasons_of_the_table_are_those_of_the_code() -> None:
    code = "".join(path.read_text() for path in (REPOSITORY / "hookbridge").rglob("*.py"))
    table = TEXT.partition("| what you see | why | what to do |")[2]
    reasons = [one for one in re.findall(r"`([^`]+)`", table) if " " in one and not one.startswith(("./", "GET "))]
    assert len(reasons) >= 8
    assert [one for one in reasons if one not in code] == []


def test_the_same_body_is_the_same_event_only_with_a_timestamp() -> None:
    def identity(**more: str) -> bytes | None:
        body = json.dumps(json.loads(GUIDE) | more).encode()
        delivery = payloads.decode({}, body, Places(NotionConfig(), readable=True))
        assert isinstance(delivery, Delivery)
        return delivery.events[0].identity

    assert identity() is None
    assert identity(timestamp="2026-01-01T15:00:00Z") is not None
    assert identity(timestamp="2026-01-01T15:00:00Z") == identity(timestamp="2026-01-01T15:00:00Z")
    assert identity(timestamp="2026-01-01T15:00:00Z") != identity(timestamp="2026-01-01T15:00:01Z")


def test_the_gap_of_a_database_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(DATABASE + SLOW)
    first, second = load(None, {}, tmp_path).config.notion.databases
    assert (first.poll_seconds, second.poll_seconds) == (None, 600)


def test_bodies_are_asked_for_by_a_setting(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(BODIES + SLOW)
    first, second = load(None, {}, tmp_path).config.notion.databases
    assert (first.content, second.content) == (True, False)


def test_the_commands_of_both_pages_exist_with_their_options() -> None:
    pages = TEXT + (REPOSITORY / "docs" / "supabase.md").read_text()
    shown = set(re.findall(r"\./scripts/run ([a-z][^`\n]*)", pages))
    assert len(shown) >= 8
    assert "python -m hookbridge" not in pages
    for line in shown:
        known: Any = typer.main.get_command(app)
        words = shlex.split(line)
        while hasattr(known, "commands"):
            known = known.commands[words.pop(0)]
        options = {option for parameter in known.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
