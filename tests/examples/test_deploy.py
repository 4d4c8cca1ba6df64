"""The systemd unit and the compose file say what is so: paths, variables, times, exit codes."""

import configparser
from pathlib import Path

import pytest
import yaml

from hookbridge.cli.serve import CANNOT_START
from hookbridge.config import Config
from tests.support.examples import EXAMPLES
from tests.support.processes import REPOSITORY, process

DEPLOY = EXAMPLES / "deploy"
SHUTDOWN_SECONDS = Config().server.shutdown_deadline_seconds


@pytest.fixture
def unit() -> configparser.SectionProxy:
    """The unit's [Service]."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
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


def test_the_compose_file_leaves_time_for_the_end(compose: dict[str, object]) -> None:
    assert int(str(compose["stop_grace_period"]).removesuffix("s")) > SHUTDOWN_SECONDS
