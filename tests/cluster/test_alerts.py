"""Real rollouts under a real Prometheus: each alert is raised for real, each panel has data."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
import yaml

from tests.cluster.client import Json
from tests.cluster.fixtures import missing, needs_programs
from tests.cluster.lab import ROOT, SYSTEM, Lab, lab
from tests.cluster.programs import Process, free_port, wait_for
from tests.cluster.prometheus import INSTALL, Prometheus, installed
from tests.cluster.rollout import NAME, Rollout

pytestmark = pytest.mark.slow

DASHBOARD = json.loads((ROOT / "docs/dashboard.json").read_text())
RULES = yaml.safe_load((ROOT / "docs/alerts.yaml").read_text())["groups"][0]["rules"]
SOONER = {"LockstepCeilingStuck": "20s"}
"""Five minutes are what an operator should be spared, not what a test should wait."""

ROLES = ("refused", "written", "above", "stuck")
"""A canary for each thing that goes wrong."""


@dataclass
class Site:
    """A cluster with a Lockstep of two processes, under a Prometheus."""

    lab: Lab
    prometheus: Prometheus
    raised: dict[str, dict[str, str]] = field(default_factory=dict)

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
        """Wait for an alert."""
        self.raised[alert] = self.prometheus.raises(alert, seconds, **labels)


class ConfigEndpoint(Process):
    """`lockstep serve-config`, under its own account."""

    def __init__(self, made: Lab) -> None:
        self.config, self.read = free_port(), free_port()
        token = made.plane.service_account_token(SYSTEM, "lockstep-config")
        environment = {
            "KUBECONFIG": made.plane.kubeconfig("serve-config", token),
            "LOCKSTEP_CONFIG_BIND": f"127.0.0.1:{self.config}",
            "LOCKSTEP_READ_BIND": f"127.0.0.1:{self.read}",
        }
        command = [sys.executable, "-m", "webhook", "serve-config"]
        log = made.plane.folder / "serve-config.log"
        super().__init__("serve-config", command, log, environment)

    def served(self) -> bool:
        """Whether it answers what browsers ask."""
        url = f"http://127.0.0.1:{self.config}/config/{ROLES[0]}/canary-settings.json"
        try:
            return requests.get(url, timeout=2).status_code in (200, 404)
        except requests.RequestException:
            return False


def address(url: str) -> str:
    return url.removeprefix("http://")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All of it, after everything has gone wrong."""
    needs_programs()
    if not installed():
        missing(INSTALL)
    folder: Path = tmp_path_factory.mktemp("alerts")
    with ExitStack() as stack:
        made = stack.enter_context(lab(folder))
        replicas = [made.start_replica() for _ in range(2)]
        endpoint = ConfigEndpoint(made)
        stack.callback(endpoint.stop)
        endpoint.ready(endpoint.served)
        (flagger,) = (it for it in made.flagger.command if it.startswith("-port="))
        targets = {
            "lockstep": [address(it.read_url) for it in replicas],
            "lockstep-config": [f"127.0.0.1:{endpoint.read}"],
            "flagger": [f"127.0.0.1:{flagger.removeprefix('-port=')}"],
        }
        prometheus = Prometheus(folder / "prometheus", targets, SOONER)
        stack.callback(prometheus.stop)
        prometheus.ready(prometheus.answers)
        found = Site(made, prometheus)
        _go_wrong(found)
        yield found


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
    assert site.prometheus.series(re.sub(r"\$(namespace|canary)\b", ".*", filled)), title
