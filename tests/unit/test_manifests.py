import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook import canary as canaries
from webhook import kinds, routers, server, targets
from webhook.canary import MeshDefaults
from webhook.settings import Settings
from webhook.targets import Mode, Target

ROOT = Path(__file__).parents[2]
FILES = sorted(file for folder in ("flagger", "manifests") for file in (ROOT / folder).rglob("*"))
YAML = [file for file in FILES if file.suffix in (".yaml", ".yml")]
KUSTOMIZATIONS = [file.parent for file in YAML if file.name == "kustomization.yaml"]
Object = dict[str, Any]

FOLLOWED = {"get", "list", "watch"}
ROUTERS = {kind for kind, *_ in routers._PROVIDERS.values()}
READ = dict.fromkeys([kinds.CANARY, kinds.CONFIG_MAP, *canaries.WORKLOADS, *ROUTERS], FOLLOWED)
"""What a reconcile gets (gather), and what the watcher lists and watches."""

WRITTEN = {kinds.EVENT: {"create", "patch"}}
"""An Event is created, and patched where it is there already; it is never read."""


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def objects(*folders: str) -> Iterator[Object]:
    for file in YAML:
        if relative(file).startswith(folders or ("flagger", "manifests")):
            yield from (it for it in yaml.safe_load_all(file.read_text()) if it)


def one(kind: str, folder: str, name: str = "") -> Object:
    (found,) = (
        it
        for it in objects(folder)
        if it["kind"] == kind and (not name or it["metadata"]["name"] == name)
    )
    return found


def granted(rules: list[Object]) -> dict[tuple[str, str], set[str]]:
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        for group, resource in product(rule["apiGroups"], rule["resources"]):
            verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return verbs


def container() -> Object:
    (found,) = one("Deployment", "manifests/base")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def target(obj: Object) -> Target:
    """The target that the API server would return, Flux's defaults put in."""
    text = re.sub(r"\$\{[A-Z_]+:=([^}]*)\}", r"\1", yaml.safe_dump(obj, width=1000))
    stored = yaml.safe_load(text)
    stored["metadata"] |= {"namespace": "shop", "resourceVersion": "1"}
    parsed = targets.parse(stored)
    assert isinstance(parsed, Target), parsed
    return parsed


def test_there_are_manifests() -> None:
    folders = {relative(folder) for folder in KUSTOMIZATIONS}
    assert folders >= {"flagger", "manifests/base", "manifests/app", "manifests/flux"}


@pytest.mark.parametrize("file", YAML, ids=relative)
def test_every_file_parses(file: Path) -> None:
    for obj in yaml.safe_load_all(file.read_text()):
        assert {"apiVersion", "kind"} <= set(obj)


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=relative)
def test_every_kustomization_lists_what_lies_beside_it(folder: Path) -> None:
    listed = set(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])
    assert listed == {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")
@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=relative)
def test_kustomize_renders(folder: Path) -> None:
    done = subprocess.run(
        ["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    rendered = {it["metadata"]["name"] for it in yaml.safe_load_all(done.stdout)}
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    written = [it for name in resources for it in yaml.safe_load_all((folder / name).read_text())]
    assert rendered == {it["metadata"]["name"] for it in written}


def test_the_service_may_do_what_the_code_does_and_no_more() -> None:
    used = {(kind.group, kind.plural): verbs for kind, verbs in (READ | WRITTEN).items()}
    assert granted(one("ClusterRole", "manifests/base")["rules"]) == used


def test_configmaps_are_patched_only_by_name() -> None:
    patching = [
        (obj["kind"], rule)
        for obj in objects()
        if obj["kind"] in ("Role", "ClusterRole")
        for rule in obj["rules"]
        if "configmaps" in rule["resources"] and set(rule["verbs"]) - FOLLOWED
    ]
    assert len(patching) == 1
    kind, rule = patching[0]
    assert kind == "Role"
    assert rule["verbs"] == ["patch"]
    assert set(rule["resourceNames"]) == {"canary-vars", "canary-settings"}


def test_no_role_holds_a_wildcard() -> None:
    for obj in objects():
        for rule in obj.get("rules", []) if obj["kind"].endswith("Role") else []:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_both_bindings_are_for_the_account_that_the_pods_run_as() -> None:
    account = one("Deployment", "manifests/base")["spec"]["template"]["spec"]["serviceAccountName"]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "lockstep-system"}
    assert one("ServiceAccount", "manifests/base")["metadata"]["name"] == account
    assert one("Namespace", "manifests/base")["metadata"]["name"] == "lockstep-system"
    for kind, folder in (
        ("ClusterRoleBinding", "manifests/base"),
        ("RoleBinding", "manifests/app"),
    ):
        assert one(kind, folder)["subjects"] == [subject]


def test_the_ports_are_those_of_the_settings() -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    defaults = Settings()
    assert ports == {"hooks": defaults.hooks_bind.port, "read": defaults.read_bind.port}
    service = {
        it["targetPort"]: it["port"] for it in one("Service", "manifests/base")["spec"]["ports"]
    }
    assert service == {"hooks": 80, "read": defaults.read_bind.port}
    policy = one("NetworkPolicy", "manifests/base")["spec"]["ingress"]
    assert [port["port"] for rule in policy for port in rule["ports"]] == ["hooks", "read"]


def test_the_probes_and_the_scrape_are_of_the_read_only_port() -> None:
    assert container()["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "read"}
    assert container()["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "read"}
    template = one("Deployment", "manifests/base")["spec"]["template"]
    scraped = template["metadata"]["annotations"]["prometheus.io/port"]
    assert scraped == str(Settings().read_bind.port)


def test_the_pod_passes_the_restricted_standard() -> None:
    pod = one("Deployment", "manifests/base")["spec"]["template"]["spec"]["securityContext"]
    assert pod == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_pod_outlives_its_last_hook() -> None:
    pod = one("Deployment", "manifests/base")["spec"]["template"]["spec"]
    leaving = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > leaving + server._DRAIN_SECONDS


def test_the_example_configmaps_are_targets_of_the_example_canary() -> None:
    canary = one("Canary", "flagger")["metadata"]["name"]
    written = one("ConfigMap", "manifests/app", "canary-vars")
    rendered = one("ConfigMap", "manifests/app", "canary-settings")
    for obj in (written, rendered):
        assert obj["metadata"]["labels"]["lockstep/canary"] == canary
        assert target(obj).share == 0
        assert target(obj).release_text == "none"
    assert target(written).mode is Mode.WRITE
    assert target(rendered).mode is Mode.VERIFY


def test_nothing_restarts_the_frontend_for_a_new_number() -> None:
    annotations = one("ConfigMap", "manifests/app", "canary-settings")["metadata"]["annotations"]
    assert annotations["flagger.app/config-tracking"] == "disabled"
    assert annotations["reloader.stakater.com/ignore"] == "true"


def test_flux_renders_the_settings_from_the_variable_at_once() -> None:
    spec = one("Kustomization", "manifests/flux/canary-settings.yaml")["spec"]
    variable = one("ConfigMap", "manifests/app", "canary-vars")["metadata"]
    source = {"kind": "ConfigMap", "name": variable["name"], "optional": True}
    assert spec["postBuild"] == {"substituteStrategy": "Always", "substituteFrom": [source]}
    assert spec["wait"] is False
    assert variable["labels"]["reconcile.fluxcd.io/watch"] == "Enabled"
    assert variable["annotations"]["kustomize.toolkit.fluxcd.io/ssa"] == "IfNotPresent"


def test_only_the_settings_go_through_the_substitution() -> None:
    spec = one("Kustomization", "manifests/flux/canary-settings.yaml")["spec"]
    substituted = [it for it in objects(spec["path"].removeprefix("./")) if "metadata" in it]
    assert [it["metadata"]["name"] for it in substituted] == ["canary-settings"]
    others = [
        file for file in YAML if "${" in file.read_text() and "settings/" not in relative(file)
    ]
    assert [
        it for file in others for it in yaml.safe_load_all(file.read_text()) if "${" in str(it)
    ] == []


def test_the_variable_the_role_and_the_settings_share_a_namespace() -> None:
    namespaces = {
        yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text())["namespace"]
        for folder in ("manifests/app", "manifests/flux")
    }
    spec = one("Kustomization", "manifests/flux/canary-settings.yaml")["spec"]
    assert namespaces == {spec["targetNamespace"]}


def test_lockstep_can_read_the_example_canary() -> None:
    canary = one("Canary", "flagger")
    canary["metadata"]["namespace"] = "shop"
    source = routers.source(canaries.parse(canary, MeshDefaults()))
    assert source is not None
    assert source.kind == kinds.HTTP_ROUTE
