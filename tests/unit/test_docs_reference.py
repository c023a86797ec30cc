"""The reference pages hold what the code holds: metrics, labels, annotations, log fields."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import example
from tests.markdown import PAGES, ROOT, blocks, page, relative, rows, section
from webhook import settings, targets
from webhook.brakes import Brake
from webhook.canary import MeshDefaults
from webhook.config_metrics import ConfigMetrics
from webhook.metrics import Metrics
from webhook.targets import Mode, Target

METRICS, ANNOTATIONS, LOGS = (page(f"{name}.md") for name in ("metrics", "annotations", "logs"))
MODULES = [it for it in (ROOT / "webhook").rglob("*.py") if "demo" not in it.parts]
PROCESSES: list[tuple[str, Metrics | ConfigMetrics]] = [
    ("## `lockstep serve`", Metrics()),
    ("## `lockstep serve-config`", ConfigMetrics()),
]

Row = tuple[str, str, tuple[str, ...]]


def declared(metrics: Metrics | ConfigMetrics) -> list[Row]:
    """Name, type and labels of each metric, in the order of the code."""
    collectors: list[Any] = list(metrics.registry._collector_to_names)
    suffix = {"counter": "_total"}
    return [(it._name + suffix.get(it._type, ""), it._type, it._labelnames) for it in collectors]


def documented(heading: str) -> list[Row]:
    table = rows(section(METRICS, heading))
    return [(name.strip("`"), kind, tuple(words(labels))) for name, kind, labels, _ in table]


def words(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize(("heading", "metrics"), PROCESSES, ids=["serve", "serve-config"])
def test_every_metric_is_documented_with_its_type_and_labels(
    heading: str, metrics: Metrics | ConfigMetrics
) -> None:
    assert documented(heading) == declared(metrics)


def series() -> dict[str, set[str]]:
    """The labels of each series that Prometheus has of us."""
    found: dict[str, set[str]] = {}
    for _, metrics in PROCESSES:
        for name, kind, labels in declared(metrics):
            parts = ("_bucket", "_count", "_sum") if kind == "histogram" else ("",)
            found |= {f"{name}{part}": {*labels, "le"} for part in parts}
    return found


@pytest.mark.parametrize("query", blocks(METRICS, "promql"))
def test_each_query_asks_for_series_and_labels_that_there_are(query: str) -> None:
    known = series()
    asked = re.findall(r"lockstep_\w+", query)
    assert asked
    assert set(asked) <= known.keys()
    labels = set().union(*(known[name] for name in asked))
    grouped = re.findall(r"by \(([^)]*)\)", query)
    selected = re.findall(r"\{(\w+)=", query)
    assert {it.strip() for group in grouped for it in group.split(",")} | {*selected} <= labels
    assert query.count("(") == query.count(")")


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_no_page_names_a_metric_or_a_setting_that_there_is_not(path: Path) -> None:
    text = path.read_text()
    metrics = {name for _, process in PROCESSES for name, *_ in declared(process)}
    assert set(re.findall(r"`(lockstep_[a-z_]*[a-z])[`{]", text)) <= metrics | series().keys()
    known = set(re.findall(r"LOCKSTEP_[A-Z_]+", settings.table()))
    named = set(re.findall(r"\bLOCKSTEP_[A-Z_]*[A-Z]\b", text))
    of_nginx = set(re.findall(r"LOCKSTEP_[A-Z_]+", NGINX.read_text()))
    assert named <= known | of_nginx


NGINX = ROOT / "frontend" / "nginx" / "frontend.conf.template"
"""What the frontend's pods are told has a name like our settings."""

KEY = re.compile(r"[a-z0-9.]+/[a-z-]+")
NO_ANNOTATIONS = {"text/plain", "application/json", "kuma.io/service"}
"""Strings of the code that look like one: media types, and a tag within a TrafficRoute."""


def literals() -> Iterator[str]:
    """Each string of the service; of an f-string on the Ingress prefix what it makes by default.

    The doctor looks at more, for others: docs/doctor.md has its rules.
    """
    for module in (it for it in MODULES if "doctor" not in it.relative_to(ROOT).parts):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr) and ast.unparse(node).startswith("f'{prefix}/"):
                yield (
                    MeshDefaults.ingress_prefix + ast.unparse(node).removeprefix("f'{prefix}")[:-1]
                )


def keys(heading: str) -> list[str]:
    return [key for first, *_ in rows(section(ANNOTATIONS, heading)) for key in words(first)]


def test_every_label_and_annotation_that_the_code_knows_is_documented() -> None:
    known = {it for it in literals() if KEY.fullmatch(it)} - NO_ANNOTATIONS
    read = [*keys("## On the ConfigMap"), *keys("## On the Canary")]
    assert sorted([*read, *keys("## Of others, read by Lockstep")]) == sorted(known)
    assert set(keys("## On the Canary")) == {it.annotation for it in Brake}
    assert set(keys("## On the ConfigMap")) == {
        targets.LABEL, targets.SERVE, targets.MODE, targets.KEY, targets.CEILING,
    }  # fmt: skip


def test_every_value_of_a_mode_is_documented() -> None:
    (row,) = (it for it in rows(section(ANNOTATIONS, "## On the ConfigMap")) if "/mode" in it[0])
    assert words(row[2]) == list(Mode)


def metadata_in_manifests() -> Iterator[dict[str, Any]]:
    for file in (ROOT / "manifests").rglob("*.yaml"):
        for obj in yaml.safe_load_all(file.read_text()):
            yield obj.get("metadata", {})
            template = obj.get("spec", {}).get("template", {})
            yield template.get("metadata", {})


def test_what_the_manifests_say_to_others_is_documented() -> None:
    written = {
        key
        for metadata in metadata_in_manifests()
        for part in ("labels", "annotations")
        for key in metadata.get(part, {})
        if "/" in key  # `app` is only a selector
        and not key.startswith(("lockstep/", "app.kubernetes.io/", "pod-security.kubernetes.io/"))
    }
    assert set(keys("## For others, in the manifests")) == written


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_no_page_names_a_key_of_lockstep_that_there_is_not(path: Path) -> None:
    named = re.findall(r"(?<![$\w/.-])lockstep/[a-z]+", path.read_text())
    known = {*keys("## On the ConfigMap"), *keys("## On the Canary")}
    assert set(named) <= known


def test_the_ceiling_shown_is_as_it_is_written() -> None:
    (shown,) = blocks(ANNOTATIONS, "json")
    variable = example.stored("manifests/app/canary-vars.yaml")
    variable["metadata"]["annotations"] |= {targets.CEILING: shown}
    variable["metadata"]["resourceVersion"] = "1"
    target = targets.parse(variable)
    assert isinstance(target, Target)
    assert target.ceiling
    assert targets.dump_ceiling(target.ceiling) == shown.rstrip("\n")


LOGGED = [name.strip("`") for name, _ in rows(section(LOGS, "## Fields"))]
AT_DEBUG = {"version"}
"""Of the line at the start, beside the settings; the docs name neither."""


def fields_logged() -> set[str]:
    """The keywords of every call of `logs.fields`."""
    calls = (
        node
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("fields", "logs.fields", "_about")
    )
    return {it.arg for call in calls for it in call.keywords if it.arg}


def test_every_field_of_a_log_line_is_documented() -> None:
    assert len(LOGGED) == len(set(LOGGED))
    assert set(LOGGED) == (fields_logged() | {"time", "level", "message"}) - AT_DEBUG


def test_the_lines_shown_have_no_field_in_another_order() -> None:
    (text,) = blocks(LOGS, "json")
    for line in text.splitlines():
        shown = list(json.loads(line))
        assert set(shown) <= set(LOGGED)
        assert shown == [it for it in LOGGED if it in shown]
