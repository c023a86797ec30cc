"""Alerts, runbook and dashboard ask for what the service measures."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from webhook import cli
from webhook.config_metrics import ConfigMetrics
from webhook.metrics import Metrics

ROOT = Path(__file__).parents[2]
ALERTS = yaml.safe_load((ROOT / "docs/alerts.yaml").read_text())
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
DASHBOARD = json.loads((ROOT / "docs/dashboard.json").read_text())
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"),
    reason="promtool is not on PATH; tests/tools/install-debian prometheus",
)
SERIES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
SCRAPED = {"instance", "le"}
FLAGGERS = {"flagger_canary_status": {"namespace", "exported_namespace", "name"}}
WORDS = re.compile(r"\b(?:lockstep|flagger)_\w+")
BY = re.compile(r"\b(?:by|on) \(([^)]*)\)")
SELECTOR = re.compile(r"\{([^}]*)\}")


def expressions() -> list[str]:
    asked = [rule["expr"] for rule in RULES]
    asked += [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [*asked, *(it["definition"] for it in variables())]


def variables() -> list[dict[str, Any]]:
    return [it for it in DASHBOARD["templating"]["list"] if it["type"] == "query"]


def measured(registry: CollectorRegistry) -> dict[str, set[str]]:
    """Each series that there may be, with its labels."""
    collectors = registry._names_to_collectors
    found: dict[str, set[str]] = {}
    for family in registry.collect():
        labels = set(vars(collectors[_registered(family, collectors)])["_labelnames"])
        for suffix in SERIES[family.type]:
            found[family.name + suffix] = labels
    return found


def _registered(family: Metric, collectors: Any) -> str:
    return family.name if family.name in collectors else f"{family.name}_total"


SERIES_OF_ALL = {
    **measured(Metrics().registry), **measured(ConfigMetrics().registry), **FLAGGERS,
}  # fmt: skip


@pytest.mark.parametrize("expression", expressions())
def test_every_query_asks_for_series_and_labels_that_exist(expression: str) -> None:
    names = WORDS.findall(re.sub(r"\blabel_values\((\w+).*", r"\1", expression))
    assert names
    assert set(names) <= SERIES_OF_ALL.keys()
    labels = set().union(*(SERIES_OF_ALL[name] for name in names)) | SCRAPED
    grouped = {it.strip() for words in BY.findall(expression) for it in words.split(",")}
    selected = {
        it for text in SELECTOR.findall(expression) for it in re.findall(r"(\w+)[=!]", text)
    }
    assert (grouped - {""}) | selected <= labels


def test_each_fault_that_needs_a_person_has_an_alert() -> None:
    assert [rule["alert"] for rule in RULES] == [
        "LockstepClientAboveRouted", "LockstepOutOfStep", "LockstepCeilingStuck",
        "LockstepGateRefused", "LockstepAbsent", "LockstepDown", "LockstepFluxNotRendering",
        "LockstepWroteForFlux", "LockstepWatchSilent",
    ]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_an_entry_that_starts_with_a_command(rule: dict[str, Any]) -> None:
    name = rule["alert"]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
    assert rule["labels"]["severity"] in ("warning", "critical")
    (entry,) = re.findall(rf"^## {name}\n\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert re.match(r"```sh\n(lockstep|kubectl) [^\n]+\n```\n", entry)


def test_the_docs_make_links_of_the_paths() -> None:
    (command,) = re.findall(r"^sed [^\n]+$", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    done = subprocess.run(
        shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True
    )
    (group,) = yaml.safe_load(done.stdout)["groups"]
    for rule in group["rules"]:
        url = f"https://git.example.com/lockstep/docs/runbook.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook_url"] == url


def test_the_operators_prometheus_keeps_the_namespace_that_alerts_name() -> None:
    monitor = yaml.safe_load((ROOT / "manifests/components/monitoring/podmonitor.yaml").read_text())
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True


def test_no_entry_is_without_an_alert() -> None:
    entries = re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE)
    assert entries == [rule["alert"] for rule in RULES]


def test_every_command_of_lockstep_in_the_runbook_is_one() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL)
    spans = re.findall(r"`(lockstep [^`]+)`", RUNBOOK)
    lines = [line for line in "".join(blocks).splitlines() if line.startswith("lockstep ")]
    assert lines
    commands = [it for it in (*lines, *spans) if it.split()[1] not in ("serve", "serve-config")]
    for command in commands:
        words = shlex.split(command)[1:]
        complete = words if words != ["cap"] else ["cap", "frontend", "0"]
        cli._parser().parse_args(complete)


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [["check", "rules", "docs/alerts.yaml"], ["test", "rules", "tests/alerts/alerts.test.yaml"]],
    ids=" ".join,
)
def test_prometheus_takes_the_alerts_and_raises_each(arguments: list[str]) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_raised_by_one_of_promtools_tests_and_not_by_another() -> None:
    tests = yaml.safe_load((ROOT / "tests/alerts/alerts.test.yaml").read_text())["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    for raised in (True, False):
        named = {it["alertname"] for it in checks if bool(it["exp_alerts"]) is raised}
        assert named == {rule["alert"] for rule in RULES}


@needs_promtool
def test_prometheus_takes_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": _filled(expression)}
        for number, expression in enumerate(expressions())
        if "label_values" not in expression
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", file],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _filled(expression: str) -> str:
    return (
        expression.replace("$__rate_interval", "1m")
        .replace("$namespace", ".*")
        .replace("$canary", ".*")
    )


def test_routed_and_client_share_are_on_one_graph() -> None:
    shares = {"lockstep_routed_share", "lockstep_client_share"}
    assert shares in [
        {name for target in panel["targets"] for name in WORDS.findall(target["expr"])}
        for panel in PANELS
    ]


def test_in_step_is_green_and_out_of_step_is_red() -> None:
    """Grafana's own default for a state timeline runs from green, the lowest, to red."""
    (panel,) = (it for it in PANELS if it["type"] == "state-timeline")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["color"] == {"mode": "thresholds"}
    colours = {it["value"]: it["color"] for it in defaults["thresholds"]["steps"]}
    assert colours == {None: "red", 1: "green"}
    (mapping,) = defaults["mappings"]
    assert {value: it["text"] for value, it in mapping["options"].items()} == {
        "0": "out of step", "1": "in step",
    }  # fmt: skip


def test_every_series_is_shown_or_alerted_on_but_the_last_hook() -> None:
    used = {name for expression in expressions() for name in WORDS.findall(expression)}
    stems = {re.sub(r"_(bucket|count|sum)$", "", name) for name in SERIES_OF_ALL}
    assert stems - {re.sub(r"_(bucket|count|sum)$", "", name) for name in used} == {
        "lockstep_hook_last_timestamp_seconds", "lockstep_config_watch_restarts_total",
    }  # fmt: skip


def test_the_dashboard_can_be_provisioned_for_any_prometheus() -> None:
    assert (DASHBOARD["uid"], DASHBOARD.get("id")) == ("lockstep", None)
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    places = [panel["gridPos"] for panel in PANELS]
    cells = [
        (x, y)
        for it in places
        for x in range(it["x"], it["x"] + it["w"])
        for y in range(it["y"], it["y"] + it["h"])
    ]
    assert len(cells) == len(set(cells)), "two panels overlap"
    assert all(panel["title"] and panel["description"] for panel in PANELS)
