"""Every manifest on a real API server with the real definitions; RBAC and admission at work."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from itertools import count
from pathlib import Path

import pytest
import yaml

from tests.cluster import definitions, programs
from tests.cluster.client import ApiError, Client, Json
from tests.cluster.controlplane import ControlPlane, control_plane
from tests.cluster.fixtures import missing
from tests.cluster.programs import wait_for
from webhook.cli import main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    str(file.parent.relative_to(ROOT))
    for folder in ("flagger", "manifests")
    for file in (ROOT / folder).rglob("kustomization.yaml")
)
BESIDE_GITOPS = ["oci", "helm"]
NAMESPACES = ("lockstep-system", "shop", "flux-system")
NAMELESS = re.compile(r"\$\{[A-Z_]+:=([^}]*)\}")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with the real definitions and our namespaces."""
    try:
        programs.find()
    except programs.MissingError as error:
        missing(error)
    with control_plane(tmp_path_factory.mktemp("manifests")) as plane:
        definitions.install(plane.client(), tmp_path_factory.mktemp("definitions"))
        for name in NAMESPACES:
            plane.client().apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            )
        yield plane


def rendered(folder: Path | str) -> list[Json]:
    """What Kustomize makes of a folder, Flux's defaults filled in."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / folder)], capture_output=True, text=True, check=True
    )
    return list(yaml.safe_load_all(NAMELESS.sub(r"\1", done.stdout)))


def accepted(plane: ControlPlane, objects: list[Json]) -> None:
    """The API server takes each object, and knows each of its fields."""
    for obj in objects:
        obj["metadata"].setdefault("namespace", "shop")
        if obj["kind"].startswith(("Cluster", "Validating")) or obj["kind"] == "Namespace":
            del obj["metadata"]["namespace"]
    said = plane.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-",
        stdin=yaml.safe_dump_all(objects),
    )  # fmt: skip
    assert len(said.splitlines()) == len(objects), said


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_api_server_takes_every_object(plane: ControlPlane, folder: str) -> None:
    accepted(plane, rendered(folder))


@pytest.mark.parametrize("component", BESIDE_GITOPS)
def test_the_other_ways_of_flux_are_taken_too(plane: ControlPlane, component: str) -> None:
    accepted(plane, beside(plane.folder, component))


def beside(folder: Path, component: str) -> list[Json]:
    """manifests/cluster with a component more."""
    place = folder / component
    place.mkdir(exist_ok=True)
    manifests = os.path.relpath(ROOT / "manifests", place.resolve())
    document = {
        "resources": [f"{manifests}/cluster"],
        "components": [f"{manifests}/flux/{component}"],
    }
    (place / "kustomization.yaml").write_text(yaml.safe_dump(document))
    return rendered(place)


def test_with_the_chart_helm_renders_what_flux_would(plane: ControlPlane) -> None:
    applied = {(it["kind"], it["metadata"]["name"]) for it in beside(plane.folder, "helm")}
    assert ("HelmRelease", "frontend") in applied
    assert ("Kustomization", "frontend") in applied
    assert ("Kustomization", "frontend-canary-settings") not in applied


def test_from_a_registry_every_kustomization_takes_the_signed_artifact(
    plane: ControlPlane,
) -> None:
    sources = {
        it["spec"]["sourceRef"]["kind"]
        for it in beside(plane.folder, "oci")
        if it["kind"] == "Kustomization" and it["metadata"]["namespace"] == "shop"
    }
    assert sources == {"OCIRepository"}


def test_what_happens_to_the_artifact_is_told_and_a_push_of_it_is_looked_at(
    plane: ControlPlane,
) -> None:
    built = {it["kind"]: it["spec"] for it in beside(plane.folder, "oci")}
    for told in (built["Alert"]["eventSources"], built["Receiver"]["resources"]):
        assert ("OCIRepository", "frontend") in {(it["kind"], it["name"]) for it in told}


PODS = ["overlays/dev", "overlays/production", "frontend/pair", "frontend/nginx"]


@pytest.mark.parametrize("folder", PODS)
def test_pods_pass_the_restricted_standard(plane: ControlPlane, folder: str) -> None:
    """In the eyes of the API server, whose check it is."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": "restricted", "labels": labels}
    plane.client().apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    pods = [
        it["spec"]["template"]["spec"]
        for it in rendered(f"manifests/{folder}")
        if it["kind"] == "Deployment"
    ]
    assert len(pods) == (1 if folder == "frontend/nginx" else 2)
    for spec in pods:
        assert refused_pod(plane, spec) == ""
        del spec["containers"][0]["securityContext"]["capabilities"]
        assert 'violates PodSecurity "restricted' in refused_pod(plane, spec)


def refused_pod(plane: ControlPlane, spec: Json) -> str:
    """Why the API server would not run a pod in the namespace `restricted`; empty if it would."""
    account = {"name": spec.get("serviceAccountName", "default"), "namespace": "restricted"}
    plane.client().apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    metadata = {"name": "pod", "namespace": "restricted"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    try:
        plane.client().call("POST", "/api/v1/namespaces/restricted/pods?dryRun=All", pod)
    except ApiError as error:
        return str(error)
    return ""


def template(*values: str) -> list[Json]:
    """What helm makes of the chart."""
    command = [programs.find()["helm"], "template", "frontend", str(ROOT / "charts/frontend")]
    done = subprocess.run(
        [*command, "--namespace=shop", *values], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def test_the_charts_objects_are_taken_and_healthy(
    plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = template()
    accepted(plane, objects)
    objects += [*rendered("manifests/frontend/canary-only"), *beside(plane.folder, "helm")]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(objects))
    assert main(["doctor", str(tmp_path)]) == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("percentage", "release"), [("0", "none"), ("25", "5d4b8c9f7"), ("100", "1234567890")]
)
def test_the_chart_renders_the_number_and_the_release(percentage: str, release: str) -> None:
    values = (f"--set=canary.percentage={percentage}", f"--set-literal=canary.release={release}")
    (settings,) = (it for it in template(*values) if it["kind"] == "ConfigMap")
    document = json.loads(settings["data"]["config.json"])
    assert document == {
        "CANARY_PERCENTAGE": int(percentage),
        "CANARY_RELEASE": release,
        "FEATURE_FLAGS": {"newCheckout": False},
    }


@pytest.mark.parametrize("value", ["101", "-1", "ten", "1.5"])
def test_the_chart_takes_no_other_number(value: str) -> None:
    with pytest.raises(RuntimeError, match="percentage"):
        template(f"--set-json=canary.percentage={json.dumps(value)}")


def test_the_charts_label_is_text_whatever_the_canary_is_called(plane: ControlPlane) -> None:
    objects = template("--set-string=canary.name=2048")
    accepted(plane, objects)
    (settings,) = (it for it in objects if it["kind"] == "ConfigMap")
    assert settings["metadata"]["labels"]["lockstep/canary"] == "2048"


@pytest.mark.parametrize("value", ["canry.percentage=5", "image.tga=1", "image=null"])
def test_the_chart_takes_no_value_that_it_does_not_know(value: str) -> None:
    with pytest.raises(RuntimeError, match="schema"):
        template(f"--set={value}")


def test_the_chart_and_the_manifests_run_the_same_pods() -> None:
    (chart,) = (it for it in template() if it["kind"] == "Deployment")
    (manifest,) = rendered("manifests/frontend/base")
    assert chart["spec"] == manifest["spec"]


# RBAC and admission


@pytest.fixture(scope="module")
def lockstep(plane: ControlPlane) -> Client:
    """A client with the token of Lockstep's account, under manifests/base and manifests/app."""
    admin = plane.client()
    for obj in (*rendered("manifests/overlays/dev"), *rendered("manifests/frontend/nginx")):
        admin.apply(obj)
    for obj in rendered("manifests/app/settings"):
        obj["metadata"]["namespace"] = "shop"
        admin.apply(obj)
    client = plane.client(plane.service_account_token("lockstep-system", "lockstep"))
    numbers = count()

    def in_force() -> str:
        """A patch that changes nothing would always pass."""
        probe = {"metadata": {"annotations": {"probe": str(next(numbers))}}}
        return refused(client, target(), probe)

    wait_for(in_force, "the policy is in force")
    admin.patch(target(), {"metadata": {"annotations": {"probe": None}}})
    return client


def config_map(name: str, namespace: str = "shop", **metadata: object) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "data": {"CANARY_PERCENTAGE": "0"},
    }


def target(name: str = "canary-vars") -> Json:
    return config_map(name)


def refused(client: Client, obj: Json, patch: Json) -> str:
    """Why the API server refuses a patch; empty where it takes it."""
    try:
        client.patch(obj, patch)
    except ApiError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return str(error)
    return ""


NOBODY = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "gone"}
"""An owner that does not exist: the garbage collector deletes what it owns."""

RAISED = {"data": {"CANARY_PERCENTAGE": "5"}}
CEILING = {"metadata": {"annotations": {"lockstep/ceiling": "{}"}}}


@pytest.mark.parametrize("patch", [RAISED, CEILING, {**RAISED, **CEILING}])
@pytest.mark.parametrize("name", ["canary-vars", "canary-settings"])
def test_lockstep_may_write_what_it_writes(lockstep: Client, name: str, patch: Json) -> None:
    if name == "canary-settings" and "data" in patch:
        patch = {**patch, "data": {"config.json": '{"CANARY_PERCENTAGE": 5}'}}
    assert refused(lockstep, target(name), patch) == ""
    assert (
        refused(lockstep, target(name), {"metadata": {"annotations": {"lockstep/ceiling": None}}})
        == ""
    )


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"data": {"more": "x"}}, "neither add data keys"),
        ({"data": {"CANARY_PERCENTAGE": None}}, "neither add data keys"),
        ({"binaryData": {"more": "eA=="}}, "neither add data keys"),
        ({"metadata": {"labels": {"lockstep/canary": None}}}, "may not change the labels"),
        ({"metadata": {"labels": {"more": "x"}}}, "may not change the labels"),
        ({"metadata": {"annotations": {"lockstep/mode": "verify"}}}, "lockstep/ceiling only"),
        (
            {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/ssa": None}}},
            "lockstep/ceiling only",
        ),
        ({"immutable": True}, "what keeps a ConfigMap"),
        ({"metadata": {"finalizers": ["lockstep/never"]}}, "what keeps a ConfigMap"),
        ({"metadata": {"ownerReferences": [NOBODY]}}, "what keeps a ConfigMap"),
    ],
)
def test_lockstep_may_change_nothing_else_of_a_target(
    lockstep: Client, patch: Json, why: str
) -> None:
    assert why in refused(lockstep, target(), patch)


def test_a_configmap_without_the_label_is_not_locksteps_to_write_whatever_rbac_says(
    plane: ControlPlane, lockstep: Client
) -> None:
    admin = plane.client()
    admin.patch(target(), {"metadata": {"labels": {"lockstep/canary": None}}})
    try:
        wait_for(lambda: refused(lockstep, target(), RAISED), "the patch is refused")
        assert "with the label lockstep/canary only" in refused(lockstep, target(), RAISED)
    finally:
        admin.patch(target(), {"metadata": {"labels": {"lockstep/canary": "frontend"}}})
    assert refused(lockstep, target(), RAISED) == ""


def test_rbac_names_the_targets(plane: ControlPlane, lockstep: Client) -> None:
    other = config_map("other", labels={"lockstep/canary": "frontend"})
    plane.client().apply(other)
    assert 'configmaps "other" is forbidden' in refused(lockstep, other, RAISED)
    plane.client().delete(other)


@pytest.mark.usefixtures("lockstep")
def test_a_tenant_cannot_let_lockstep_write_what_he_may_not_write_himself(
    plane: ControlPlane,
) -> None:
    """Not by a Role of his own, nor by a binding to one that is there."""
    tenant = account_that_manages_roles(plane)
    for obj in rendered("manifests/app"):
        if obj["kind"].startswith("Role"):
            obj["metadata"]["name"] = "his"
            path = f"/apis/{obj['apiVersion']}/namespaces/shop/{obj['kind'].lower()}s"
            with pytest.raises(ApiError, match="attempting to grant RBAC permissions"):
                tenant.call("POST", path, obj)


def account_that_manages_roles(plane: ControlPlane) -> Client:
    """A client that may create Roles and RoleBindings in the shop, and nothing else."""
    metadata = {"name": "tenant", "namespace": "shop"}
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [group], "resources": ["roles", "rolebindings"], "verbs": ["create"]}
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "tenant"},
        "subjects": [{"kind": "ServiceAccount", **metadata}],
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    for obj in (account, role, binding):
        plane.client().apply(obj)
    return plane.client(plane.service_account_token("shop", "tenant"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/namespaces/shop/configmaps"),
        ("DELETE", "/api/v1/namespaces/shop/configmaps/canary-vars"),
        ("PATCH", "/apis/flagger.app/v1beta1/namespaces/shop/canaries/frontend"),
        ("PATCH", "/apis/apps/v1/namespaces/shop/deployments/frontend"),
        ("PATCH", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/frontend"),
        ("GET", "/api/v1/namespaces/shop/secrets"),
        ("POST", "/api/v1/namespaces/shop/serviceaccounts/default/token"),
    ],
)
def test_lockstep_may_do_nothing_that_it_does_not_do(
    lockstep: Client, method: str, path: str
) -> None:
    body = {"POST": config_map("x"), "PATCH": {"metadata": {}}}.get(method)
    content = "application/merge-patch+json" if method == "PATCH" else "application/json"
    with pytest.raises(ApiError) as refusal:
        lockstep.call(method, path, body, content)
    assert refusal.value.status == HTTPStatus.FORBIDDEN


def test_what_browsers_reach_may_not_write_nor_read_anything_else(
    plane: ControlPlane, lockstep: Client
) -> None:
    endpoint = plane.client(plane.service_account_token("lockstep-system", "lockstep-config"))
    assert endpoint.list("v1", "ConfigMap")
    assert "forbidden" in refused(endpoint, target(), RAISED)
    for path in ("/api/v1/secrets", "/apis/flagger.app/v1beta1/canaries"):
        with pytest.raises(ApiError, match="forbidden"):
            endpoint.call("GET", path)


# the doctor on a real cluster


def test_the_doctor_finds_nothing_wrong_with_a_cluster_of_these_manifests(
    plane: ControlPlane,
    lockstep: Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for obj in rendered("manifests/cluster"):
        plane.client().apply(obj)
    monkeypatch.setenv("KUBECONFIG", plane.kubeconfig("doctor"))
    assert main(["doctor"]) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    plane.client().patch(
        config_map("canary-settings"),
        {"metadata": {"annotations": {"flagger.app/config-tracking": None}}},
    )
    assert main(["doctor", "-n", "shop", "-o", "json"]) == 1
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["rule"], finding["name"]) == ("config-tracking", "canary-settings")
    assert said.startswith("Nothing found; ")
