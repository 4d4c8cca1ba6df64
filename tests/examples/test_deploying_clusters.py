"""The files for several nodes say what is so: paths, probes, times, users, and what docs/cluster.md says of them."""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from hookbridge.config import Config
from hookbridge.web.routes import ROUTES
from tests.examples.test_deploy import KNOWN, has_compose
from tests.support.examples import EXAMPLES, run
from tests.support.processes import REPOSITORY

DEPLOY = EXAMPLES / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "cluster.compose.yaml").read_text())
MANIFEST = (DEPLOY / "kubernetes.yaml").read_text()
KINDS = {one["kind"]: one for one in yaml.safe_load_all(MANIFEST)}
POD = KINDS["Deployment"]["spec"]["template"]
CONTAINERFILE = (REPOSITORY / "Containerfile").read_text()
PAGE = (REPOSITORY / "docs" / "cluster.md").read_text()
SHUTDOWN_SECONDS = Config().server.shutdown_deadline_seconds
PATHS = {route.path for route in ROUTES if route.access == "public"}
PORT = 8080
NODES = ("node-1", "node-2")


@pytest.fixture
def container() -> dict[str, Any]:
    """The container of a node in Kubernetes."""
    (found,) = POD["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("name", NODES)
def test_a_node_of_the_compose_file_is_the_clones_with_the_driver_of_postgres(name: str) -> None:
    node = COMPOSE["services"][name]
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    build = node["build"]
    assert set(build["args"]["EXTRAS"].split(",")) <= set(extras)
    assert "ARG EXTRAS" in CONTAINERFILE
    assert (DEPLOY / build["context"]).resolve() == REPOSITORY
    assert (REPOSITORY / build["dockerfile"]).is_file()
    settings, inside, mode = node["volumes"][0].split(":")
    assert ((DEPLOY / settings).resolve(), inside, mode) == (REPOSITORY / "config.toml", "/data/config.toml", "ro")
    ((env,),) = (node["env_file"],)
    assert (DEPLOY / env["path"]).resolve() == REPOSITORY / ".env"
    assert env["required"] is True, "without the store's URL each node would have a store of its own"
    assert int(str(node["stop_grace_period"]).removesuffix("s")) > SHUTDOWN_SECONDS
    assert set(node) <= {*KNOWN, "hostname"}
    assert node["hostname"] == name


def test_the_nodes_are_the_same_but_for_their_names() -> None:
    one, other = ({**COMPOSE["services"][name], "hostname": ""} for name in NODES)
    assert one == other
    assert set(COMPOSE["services"]) == {*NODES, "proxy"}
    assert "volumes" not in COMPOSE, "what they know is in Postgres"


def test_the_proxy_asks_each_node_whether_it_takes_webhooks() -> None:
    caddyfile = COMPOSE["configs"]["caddyfile"]["content"]
    (upstreams,) = re.findall(r"reverse_proxy (.*) \{", caddyfile)
    assert upstreams.split() == [f"{name}:{PORT}" for name in NODES]
    (path,) = re.findall(r"health_uri (\S+)", caddyfile)
    assert path in PATHS
    assert COMPOSE["services"]["proxy"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert COMPOSE["services"]["proxy"]["configs"] == [{"source": "caddyfile", "target": "/etc/caddy/Caddyfile"}]


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")
async def test_caddy_itself_takes_the_proxys_file(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(COMPOSE["configs"]["caddyfile"]["content"])
    code, said = await run("caddy", "validate", "--adapter", "caddyfile", "--config", file)
    assert code == 0, said


async def test_compose_itself_takes_the_file(tmp_path: Path) -> None:
    if not await has_compose():
        pytest.skip("docker compose is not installed")
    env = tmp_path / ".env"
    env.write_text("")
    copy = tmp_path / "a" / "b" / "c" / "compose.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((DEPLOY / "cluster.compose.yaml").read_bytes())
    code, said = await run("docker", "compose", "-f", copy, "config", "--quiet")
    assert code == 0, said


def test_kubernetes_asks_paths_that_there_are_and_restarts_nobody_for_the_database(container: dict[str, Any]) -> None:
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert {"/readyz", "/healthz"} <= PATHS
    assert container["ports"] == [{"name": "http", "containerPort": PORT}]
    assert f"EXPOSE {PORT}" in CONTAINERFILE
    assert KINDS["Service"]["spec"]["ports"][0]["targetPort"] == "http"


def test_a_pod_ends_only_when_nobody_sends_to_it_any_more_and_has_the_time_for_it(container: dict[str, Any]) -> None:
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep", "the image has it, and every version of Kubernetes runs it"
    probe = container["readinessProbe"]
    assert int(seconds) >= probe["periodSeconds"] * probe["failureThreshold"]
    assert POD["spec"]["terminationGracePeriodSeconds"] > int(seconds) + SHUTDOWN_SECONDS


def test_there_is_always_one_that_takes_webhooks() -> None:
    spec = KINDS["Deployment"]["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert 0 < KINDS["PodDisruptionBudget"]["spec"]["minAvailable"] < spec["replicas"]


def test_all_of_the_manifest_speaks_of_the_same_pods() -> None:
    labels = POD["metadata"]["labels"]
    assert KINDS["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert KINDS["Service"]["spec"]["selector"] == labels
    assert KINDS["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    (spread,) = POD["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels


def test_a_pod_has_the_images_user_and_nothing_to_write_but_tmp(container: dict[str, Any]) -> None:
    user = POD["spec"]["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}" in CONTAINERFILE
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
    assert set(mounts) == {"/data/config.toml", "/tmp"}
    assert "WORKDIR /data" in CONTAINERFILE, "where config.toml is looked for"
    assert {one["name"] for one in POD["spec"]["volumes"]} == {one["name"] for one in mounts.values()}


def test_the_commands_in_its_first_lines_make_what_it_names(container: dict[str, Any]) -> None:
    made = dict(re.findall(r"^#   kubectl create (secret generic|configmap) (\w+)", MANIFEST, re.MULTILINE))
    assert container["envFrom"] == [{"secretRef": {"name": made["secret generic"]}}]
    (config,) = (one["configMap"] for one in POD["spec"]["volumes"] if "configMap" in one)
    assert config == {"name": made["configmap"]}
    assert f"docker push {container['image']}\n" in MANIFEST
    applied = re.findall(r"kubectl apply -f (\S+)", MANIFEST)
    assert [(REPOSITORY / one).samefile(DEPLOY / "kubernetes.yaml") for one in applied] == [True]


@pytest.mark.parametrize("text", [MANIFEST, (DEPLOY / "cluster.compose.yaml").read_text()])
def test_the_secrets_that_a_cluster_needs_are_named(text: str) -> None:
    for name in ("HOOKBRIDGE_STORE__URL", "HOOKBRIDGE_ADMIN_TOKEN"):
        assert name in text
        assert name in PAGE


@pytest.mark.parametrize("name", ["cluster.compose.yaml", "kubernetes.yaml"])
def test_the_page_leads_to_the_file(name: str) -> None:
    assert f"(../examples/webhook_examples/deploy/{name})" in PAGE
