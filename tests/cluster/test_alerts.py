"""Real rollouts under a real Prometheus: each alert is raised for real, each panel has data."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import requests
import yaml

from tests.cluster.client import Json
from tests.cluster.fixtures import needs_programs
from tests.cluster.lab import ROOT, SYSTEM, ConfigEndpoint, Lab, lab
from tests.cluster.programs import wait_for
from tests.cluster.prometheus import (
    ALERTS,
    CONFIG_SILENT,
    SILENT,
    Prometheus,
    needs_prometheus,
    scrape_jobs,
)
from tests.cluster.rollout import NAME, Rollout
from webhook import kinds

pytestmark = pytest.mark.slow

DASHBOARD = json.loads((ROOT / "docs/dashboard.json").read_text())
RULES = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
SOONER = {"LockstepCeilingStuck": "20s", "LockstepDown": "20s"}
"""Five minutes are what an operator should be spared, not what a test should wait."""

ROLES = ("refused", "written", "above", "stuck")
"""A canary for each thing that goes wrong."""


@dataclass
class Site:
    """A cluster with a Lockstep of two processes, under a Prometheus."""

    lab: Lab
    prometheus: Prometheus
    began: float = field(default_factory=time.time)
    raised: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def rollout(self, namespace: str) -> Rollout:
        """A canary, and a ConfigMap that Flux would render but that nobody renders here."""
        made = Rollout(self.lab, namespace)
        made.create()
        self.render(namespace, 0)
        return made

    def render(self, namespace: str, share: int) -> None:
        """Do Flux's work."""
        text = json.dumps({"CANARY_PERCENTAGE": share})
        self.lab.client.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": "canary-settings",
                    "namespace": namespace,
                    "labels": {"lockstep/canary": NAME},
                    "annotations": {"lockstep/mode": "verify"},
                },
                "data": {"config.json": text},
            }
        )

    def expect(self, alert: str, seconds: float, **labels: str) -> None:
        """Wait for an alert.

        Raises:
            TimeoutError: it did not fire.
        """
        firing = partial(self.prometheus.firing, alert, **labels)
        wait_for(firing, f"{alert} fires for {labels}", seconds)
        self.raised[alert] = firing()[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All of it, after everything has gone wrong."""
    needs_programs()
    needs_prometheus()
    folder: Path = tmp_path_factory.mktemp("alerts")
    with ExitStack() as stack:
        made = stack.enter_context(lab(folder))
        for _ in range(2):
            made.start_replica()
        config = ConfigEndpoint(made.plane)
        stack.callback(config.stop)
        config.ready(config.synced)
        prometheus = Prometheus(folder, scrape_jobs(made, config), SYSTEM, _sooner(folder))
        stack.callback(prometheus.stop)
        prometheus.ready(prometheus.serves)
        requests.get(f"{config.url}/config/shop/nobodys.json", timeout=5)  # counted as any other
        found = Site(made, prometheus)
        # Browsers, for the panel about them.
        requests.get(f"{config.url}/config/refused/canary-settings.json", timeout=5)
        _go_wrong(found)
        yield found


def _sooner(folder: Path) -> Path:
    """docs/alerts.yaml, without the longest of its waits."""
    rules = yaml.safe_load(ALERTS.read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        if rule["alert"] in SOONER:
            rule["for"] = SOONER[rule["alert"]]
    file = folder / "alerts.yaml"
    file.write_text(yaml.safe_dump(rules))
    return file


def _go_wrong(site: Site) -> None:
    """Let it all happen; canaries side by side, then what concerns all of them."""
    with ThreadPoolExecutor(len(ROLES)) as pool:
        for done in [pool.submit(it, site) for it in (_refused, _written, _above, _stuck)]:
            done.result()
    _silent(site)
    _absent(site)


def _refused(site: Site) -> None:
    """Nobody renders the raise, so gates refuse; it is still progressing at the end."""
    rollout = site.rollout("refused")
    rollout.release()
    rollout.routes(25)
    site.expect("LockstepFluxNotRendering", 90, namespace="refused", canary=NAME)
    site.expect("LockstepOutOfStep", 90, namespace="refused", canary=NAME)
    site.expect("LockstepGateRefused", 180, hook="confirm-traffic-increase", reason="OutOfStep")


def _written(site: Site) -> None:
    """A raise is rendered and the lowering is not: Lockstep writes it in Flux's place."""
    rollout = site.rollout("written")
    rollout.release()
    rollout.routes(25)
    site.render("written", 25)
    site.lab.front.failing.add("written")
    rollout.reaches("Failed")
    site.expect("LockstepWroteForFlux", 30)
    rollout.gives(0)


def _above(site: Site) -> None:
    """The right to patch is taken away, and then the router drops."""
    rollout = site.rollout("above")
    rollout.release()
    rollout.routes(25)
    site.render("above", 25)
    rollout.gives(25)
    where = {"name": "lockstep-targets", "namespace": "above"}
    binding: Json = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    site.lab.client.delete({**binding, "metadata": where})
    _drop(site, "above")
    site.expect("LockstepClientAboveRouted", 60, namespace="above", canary=NAME)


def _drop(site: Site, namespace: str) -> None:
    """Route nothing to the canary, by hand."""
    api_version = "gateway.networking.k8s.io/v1"
    route = site.lab.client.get(api_version, "HTTPRoute", namespace, NAME)
    for rule in route["spec"]["rules"]:
        for backend in rule["backendRefs"]:
            backend["weight"] = 0 if backend["name"].endswith("-canary") else 100
    obj = {"apiVersion": api_version, "kind": "HTTPRoute", "metadata": route["metadata"]}
    site.lab.client.patch(obj, {"spec": {"rules": route["spec"]["rules"]}})


def _stuck(site: Site) -> None:
    """Flagger announces a rollback, and a policy does not let it write the router."""
    rollout = site.rollout("stuck")
    rollout.release()
    rollout.routes(25)
    for obj in _policy("stuck"):
        site.lab.client.apply(obj)
    rollout.annotate(rollback="true")
    site.expect("LockstepCeilingStuck", 120, namespace="stuck", canary=NAME)


def _policy(namespace: str) -> list[Json]:
    """Nobody may change an HTTPRoute of a namespace."""
    admission = "admissionregistration.k8s.io/v1"
    rule = {
        "apiGroups": ["gateway.networking.k8s.io"], "apiVersions": ["*"],
        "resources": ["httproutes"], "operations": ["UPDATE"],
    }  # fmt: skip
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return [
        {
            "apiVersion": admission,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "stuck"},
            "spec": {
                "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector},
                "validations": [{"expression": "false", "message": "routes are frozen"}],
            },
        },
        {
            "apiVersion": admission,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "stuck"},
            "spec": {"policyName": "stuck", "validationActions": ["Deny"]},
        },
    ]


def _silent(site: Site) -> None:
    """The API server takes connections and says nothing."""
    site.lab.plane.api_server.stall()
    try:
        site.expect("LockstepWatchSilent", 120, job="lockstep")
        site.expect("LockstepWatchSilent", 30, job="lockstep-config")
    finally:
        site.lab.plane.api_server.go_on()


def _absent(site: Site) -> None:
    """Both replicas end while a canary is progressing."""
    wait_for(lambda: not site.prometheus.firing("LockstepWatchSilent"), "watches are heard", 60)
    for replica in site.lab.replicas:
        replica.stop()
    site.expect("LockstepAbsent", 90, namespace="refused", name=NAME)
    site.expect("LockstepDown", 60)


@pytest.mark.parametrize("alert", [rule["alert"] for rule in RULES])
def test_each_alert_was_raised_by_what_it_is_about(site: Site, alert: str) -> None:
    assert site.raised[alert]["alertname"] == alert


def panels() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.mark.parametrize("number", range(len(list(panels()))))
def test_each_query_of_the_dashboard_has_had_data(site: Site, number: int) -> None:
    title, query = list(panels())[number]
    filled = query.replace("$__rate_interval", "10s")
    query = re.sub(r"\$(namespace|canary)\b", ".*", filled)
    assert site.prometheus.during(query, site.began, time.time()), title


def test_the_queries_of_the_docs_tell_of_every_silent_watch(site: Site) -> None:
    silent = site.prometheus.during(SILENT, site.began, time.time())
    watched = {kinds.CANARY, kinds.CONFIG_MAP, kinds.DEPLOYMENT, kinds.HTTP_ROUTE}
    assert {it.labels["resource"] for it in silent} >= {kind.resource for kind in watched}
    silent = site.prometheus.during(CONFIG_SILENT, site.began, time.time())
    assert {it.labels["watch"] for it in silent} == {"canary", "serve"}
