"""The monitoring examples name what is told, and scrape with the token that is needed."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import promql_parser
import pytest
import yaml

from hookbridge.api.destinations import State as DestinationState
from hookbridge.api.lanes import State as LaneState
from hookbridge.api.pull import State as PullState
from hookbridge.api.reconcile import State as TableState
from tests.support.examples import EXAMPLES, run
from tests.support.metrics import Scrape, scrape_with_every_figure
from tests.support.running import ADMIN_TOKEN, Running

MONITORING = EXAMPLES / "monitoring"
DOCS = EXAMPLES.parents[1] / "docs"
DOCUMENT = (DOCS / "metrics.md").read_text()
OPERATIONS = (DOCS / "operations.md").read_text()

ALERTS: list[dict[str, Any]] = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
CONFIG: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
BOARD: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())

PROMETHEUS_OWN = {"up"}
NAME = re.compile(r"\b(?:hookbridge|process)_\w+\b|\bup\b(?=\{)")
SELECTOR = re.compile(r"(hookbridge_\w+)\{([^}]*)\}")
GROUPING = re.compile(r"\bby \(([^)]*)\)")


def expressions() -> Iterator[tuple[str, str]]:
    """Every query of the examples, with where it stands."""
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in BOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


@pytest.fixture
async def seen(tmp_path: Path) -> Scrape:
    """What a service tells that has done a little of everything."""
    return await scrape_with_every_figure(tmp_path)


async def test_every_figure_of_a_query_is_told(seen: Scrape) -> None:
    known = seen.series() | PROMETHEUS_OWN
    for where, expression in expressions():
        names = set(NAME.findall(expression))
        assert names, (where, expression)
        assert names <= known, (where, names - known)


async def test_every_label_of_a_query_is_one_that_its_figure_has(seen: Scrape) -> None:
    added = {"instance", "job", "le"}
    for where, expression in expressions():
        for name, selector in SELECTOR.findall(expression):
            wanted = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) - added
            assert wanted <= (seen.labels_of(family(name)) or set()), (where, name)
        for grouping in GROUPING.findall(expression):
            wanted = {one.strip() for one in grouping.split(",")} - added
            names = NAME.findall(expression)
            assert all(wanted <= (seen.labels_of(family(name)) or set()) for name in names), (where, grouping)


def family(name: str) -> str:
    """The name of a histogram for that of one of its series."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def test_the_index_names_every_file() -> None:
    linked = set(re.findall(r"\]\(([\w.-]+)\)", (MONITORING / "README.md").read_text()))
    assert linked == {path.name for path in MONITORING.iterdir()} - {"README.md"}


def test_there_is_an_alert_for_each_state_that_needs_somebody() -> None:
    text = " ".join(rule["expr"] for rule in ALERTS)
    for figure in (
        "oldest_open_event_age_seconds",
        "store_sound",
        "dead_letters",
        "source_up",
        "books_balanced",
        "poll_age_seconds",
        "changes_missed_total",
        "stuck_workers",
        "waiting_tables",
        "loop_lag_seconds",
        "pull_state",
        "pull_oldest_seconds",
        "pull_overflowed_total",
        "destination_behind_seconds",
        "destination_rejected",
    ):
        assert f"hookbridge_{figure}" in text


def test_the_document_says_of_every_alert_where_to_look() -> None:
    rows = re.findall(r"^\| `(Hookbridge\w+)` \|", OPERATIONS, re.MULTILINE)
    assert rows == [rule["alert"] for rule in ALERTS]
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_every_query_is_promql(where: str, expression: str) -> None:
    asked = expression.replace("$__rate_interval", "1m").replace("$__range", "1h")
    try:
        promql_parser.parse(asked)
    except ValueError as error:
        pytest.fail(f"{where}: {error}")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("words", [("rules", "alerts.yml"), ("config", "--syntax-only", "prometheus.yml")])
async def test_prometheus_own_tool_takes_the_files(words: tuple[str, ...]) -> None:
    *check, file = words
    code, said = await run("promtool", "check", *check, MONITORING / file)
    assert code == 0, said


def test_an_alert_of_rare_events_asks_for_more_than_one() -> None:
    loss = next(rule["expr"] for rule in ALERTS if rule["alert"] == "HookbridgeWebhookLoss")
    assert "and increase(hookbridge_changes_missed_total[1h]) > 5" in loss


def test_panels_do_not_overlap_and_ask_the_chosen_data_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["description"]
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert {one["name"] for one in BOARD["templating"]["list"]} == {"datasource", "instance"}


async def test_the_scrape_config_asks_the_endpoint_with_the_token(client: Running) -> None:
    (job,) = CONFIG["scrape_configs"]
    assert job["job_name"] == "hookbridge"
    assert 'up{job="hookbridge"}' in ALERTS[0]["expr"]
    assert CONFIG["rule_files"] == ["alerts.yml"]
    assert job["static_configs"] == [{"targets": ["127.0.0.1:8080"]}]
    assert job["authorization"]["credentials_file"].endswith("admin-token")
    answer = await client.get(job["metrics_path"], {"Authorization": f"{job['authorization']['type']} {ADMIN_TOKEN}"})
    assert answer.status == 200
    shown = re.search(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert shown
    (documented,) = yaml.safe_load(shown[1])["scrape_configs"]
    assert documented["authorization"]["credentials_file"] == job["authorization"]["credentials_file"]
    assert documented["static_configs"] == job["static_configs"]


def test_every_state_that_is_asked_for_is_one() -> None:
    known = {"lane": LaneState, "table": TableState, "pull": PullState, "destination": DestinationState}
    query = " ".join(one for _, one in expressions())
    found = re.findall(r'hookbridge_(\w+)_state\{[^}]*state(?:=~|!=|=)"([a-z|]+)"', query)
    assert {what for what, _ in found} == set(known)
    for what, value in found:
        assert set(value.split("|")) <= set(get_args(known[what])), what


def test_each_state_in_which_a_destination_takes_nothing_has_its_alert() -> None:
    """One that is paused, or told everything anew, is alerted about when changes have waited for it too long."""
    rules = " ".join(
        rule["expr"] for rule in ALERTS if "destination_state" in rule["expr"] and "unless" not in rule["expr"]
    )
    asked = {one for value in re.findall(r'state=~?"([a-z|]+)"', rules) for one in value.split("|")}
    assert asked == set(get_args(DestinationState)) - {"running", "paused", "behind"}
