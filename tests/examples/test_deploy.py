"""The systemd unit and the compose file say what is so: paths, variables, times, exit codes."""

import configparser
import fnmatch
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from hookbridge.cli.serve import CANNOT_START
from hookbridge.config import Config
from tests.support.commands import command
from tests.support.examples import EXAMPLES, run
from tests.support.processes import REPOSITORY, process

DEPLOY = EXAMPLES / "deploy"
SHUTDOWN_SECONDS = Config().server.shutdown_deadline_seconds


@pytest.fixture
def unit() -> configparser.SectionProxy:
    """The unit's [Service]."""
    # systemd adds up a key that stands there twice; here the last one counts.
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=False)
    parser.read(DEPLOY / "hookbridge.service")
    assert parser.sections() == ["Unit", "Service", "Install"]
    return parser["Service"]


async def test_the_units_command_serves_with_the_units_files(unit: configparser.SectionProxy, tmp_path: Path) -> None:
    program, *arguments = unit["ExecStart"].split()
    assert (program, arguments[:2]) == ("/opt/hookbridge/bin/python", ["-m", "hookbridge"])
    assert arguments[2:] == ["--config", "/etc/hookbridge/config.toml"]
    name, _, value = unit["Environment"].partition("=")
    (tmp_path / "config.toml").write_bytes((REPOSITORY / "config.toml").read_bytes())
    data = tmp_path / "state" / value.rpartition("/")[2]
    async with process(tmp_path, {name: str(data)}) as service:
        assert service.said("Listening")
        assert data.exists()


async def test_the_units_commands_find_the_token_beside_the_data_file(
    unit: configparser.SectionProxy, tmp_path: Path
) -> None:
    written = (DEPLOY / "hookbridge.service").read_text()
    called = re.search(r"^#   (systemd-run (?:.*\\\n#)*.*)$", written, re.MULTILINE)
    assert called
    assert f"-E {unit['Environment']} " in called[1]
    assert f"-p EnvironmentFile={unit['EnvironmentFile']} " in called[1]
    words = called[1].partition("-m hookbridge ")[2].split()
    config = tmp_path / "config.toml"
    config.write_bytes((REPOSITORY / "config.toml").read_bytes())
    environ = {"HOOKBRIDGE_STORE__PATH": str(tmp_path / "state" / "hookbridge.db"), "HOOKBRIDGE_ADMIN_TOKEN": ""}
    async with process(tmp_path, environ) as service:
        asked = [str(config) if word == "/etc/hookbridge/config.toml" else word for word in words]
        ran = await command(tmp_path, *asked, "--json", stdin=b"", HOOKBRIDGE_URL=str(service.url), **environ)
        assert ran.code == 0, ran.err
        (tmp_path / "state" / "admin-token").write_text("another-token-than-the-services")
        listing = await command(tmp_path, "events", "list", stdin=b"", HOOKBRIDGE_URL=str(service.url), **environ)
        assert (listing.code, "admin token" in listing.err) == (2, True), "it was the token of that file"


def test_the_files_that_its_first_lines_install_are_in_the_clone() -> None:
    lines = re.findall(r"^#   (.*(?:install -m|-r) .*)$", (DEPLOY / "hookbridge.service").read_text(), re.MULTILINE)
    named = [re.search(r"(?:-r|install -m \d+) (\S+)", line) for line in lines]
    files = [found[1] for found in named if found]
    assert len(files) == len(lines) == 5
    for file in files:
        assert (REPOSITORY / file).is_file(), file


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
async def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    # It looks for the program, which is installed nowhere here.
    unit = tmp_path / "hookbridge.service"
    written = (DEPLOY / "hookbridge.service").read_text()
    unit.write_text(written.replace("/opt/hookbridge/bin/python", sys.executable))
    code, said = await run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)
    assert (code, [line for line in said.splitlines() if "hookbridge.service" in line]) == (0, [])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
async def test_systemd_finds_the_unit_hardly_exposed(tmp_path: Path) -> None:
    # Of 100: 12 with the lines of its last part, 84 without them; each version of systemd counts a little otherwise.
    unit = tmp_path / "hookbridge.service"
    unit.write_bytes((DEPLOY / "hookbridge.service").read_bytes())
    code, said = await run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", unit)
    if "unrecognized option" in said:
        pytest.skip("this systemd-analyze does not look at files (before version 250)")
    assert code == 0, said


def test_the_unit_leaves_time_for_the_end_and_does_not_repeat_a_wrong_start(unit: configparser.SectionProxy) -> None:
    assert int(unit["TimeoutStopSec"]) > SHUTDOWN_SECONDS
    assert int(unit["RestartPreventExitStatus"]) == CANNOT_START
    assert unit["Environment"].endswith(f"/var/lib/{unit['StateDirectory']}/hookbridge.db")
    assert unit["WorkingDirectory"] == f"/var/lib/{unit['StateDirectory']}"


@pytest.fixture
def compose() -> dict[str, object]:
    """The compose file's one service."""
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert list(document["volumes"]) == ["data"]
    (service,) = document["services"].values()
    found: dict[str, object] = service
    return found


def test_the_compose_files_paths_are_those_of_the_clone_and_the_image(compose: dict[str, object]) -> None:
    build = compose["build"]
    assert isinstance(build, dict)
    context = (DEPLOY / build["context"]).resolve()
    assert context == REPOSITORY
    image = (context / build["dockerfile"]).read_text()
    assert 'VOLUME ["/data"]' in image
    assert "EXPOSE 8080" in image
    assert compose["ports"] == ["127.0.0.1:8080:8080"]
    volumes = compose["volumes"]
    assert isinstance(volumes, list)
    assert volumes[0] == "data:/data"
    settings, inside, _ = volumes[1].split(":")
    assert (DEPLOY / settings).resolve() == REPOSITORY / "config.toml"
    assert inside == "/data/config.toml"


KNOWN: dict[str, type] = {
    "build": dict,
    "env_file": list,
    "environment": dict,
    "volumes": list,
    "ports": list,
    "read_only": bool,
    "tmpfs": str,
    "cap_drop": list,
    "security_opt": list,
    "logging": dict,
    "stop_grace_period": str,
    "restart": str,
}
"""Keys of a service as the Compose specification has them (https://github.com/compose-spec/compose-spec)."""


def test_every_key_of_the_compose_file_is_one_of_the_specification(compose: dict[str, object]) -> None:
    document = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(document) == {"services", "volumes"}
    assert {name: type(value) for name, value in compose.items()} == {name: KNOWN[name] for name in compose}
    assert compose["build"] == {"context": "../../..", "dockerfile": "Containerfile"}
    assert compose["env_file"] == [{"path": "../../../.env", "required": False}]
    assert compose["restart"] in {"no", "always", "on-failure", "unless-stopped"}
    assert compose["security_opt"] == ["no-new-privileges:true"]
    assert compose["cap_drop"] == ["ALL"]
    variables = compose["environment"]
    assert isinstance(variables, dict)
    for name in variables:
        section, _, key = name.removeprefix("HOOKBRIDGE_").lower().partition("__")
        assert hasattr(getattr(Config(), section), key), name


async def has_compose() -> bool:
    return shutil.which("docker") is not None and (await run("docker", "compose", "version"))[0] == 0


async def test_compose_itself_takes_the_file() -> None:
    if not await has_compose():
        pytest.skip("docker compose is not installed")
    code, said = await run("docker", "compose", "-f", DEPLOY / "compose.yaml", "config", "--quiet")
    assert code == 0, said


def test_the_compose_file_leaves_time_for_the_end(compose: dict[str, object]) -> None:
    assert int(str(compose["stop_grace_period"]).removesuffix("s")) > SHUTDOWN_SECONDS


def test_the_compose_file_bounds_the_log_that_the_daemon_keeps(compose: dict[str, object]) -> None:
    # https://docs.docker.com/engine/logging/drivers/json-file/: without max-size there is no bound at all.
    logging = compose["logging"]
    assert isinstance(logging, dict)
    assert logging["driver"] == "json-file"
    sizes = {name: re.fullmatch(r"(\d+)(m?)", str(value)) for name, value in logging["options"].items()}
    assert {name: found and found[2] for name, found in sizes.items()} == {"max-size": "m", "max-file": ""}
    assert all(isinstance(value, str) for value in logging["options"].values()), "Compose takes no numbers there"


def survives(rules: str, path: str) -> bool:
    """Whether a path is sent to the build: the last rule that matches it, or a folder above it, decides.

    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    kept = True
    for line in rules.splitlines():
        if not (rule := line.strip()) or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!").strip("/")
        above = ["/".join(path.split("/")[:end]) for end in range(1, path.count("/") + 2)]
        names = [pattern, pattern.removeprefix("**/")]
        last_parts = [one.rpartition("/")[2] for one in above] if pattern.startswith("**/") else []
        if any(fnmatch.fnmatchcase(one, name) for one in [*above, *last_parts] for name in names):
            kept = rule.startswith("!")
    return kept


@pytest.mark.parametrize("ignore", [".containerignore", ".dockerignore"])
def test_whatever_the_containerfile_copies_is_sent_to_the_build_and_nothing_else(ignore: str) -> None:
    rules = (REPOSITORY / ignore).read_text()
    copies = re.findall(r"^COPY ((?!--from).*)$", (REPOSITORY / "Containerfile").read_text(), re.MULTILINE)
    sources = [source for copy in copies for source in copy.split()[:-1]]
    assert "README.md" in sources
    for source in sources:
        path = REPOSITORY / source
        inside = [path / "__init__.py", *path.rglob("*.sql"), *path.rglob("*.txt")] if source.endswith("/") else [path]
        assert all(survives(rules, str(one.relative_to(REPOSITORY))) for one in inside), source
    kept = {one.name for one in REPOSITORY.iterdir() if survives(rules, one.name)}
    assert kept == {source.strip("/") for source in sources}
    assert not survives(rules, "hookbridge/__pycache__/config.cpython-311.pyc")
    assert not survives(rules, "tests/README.md")
