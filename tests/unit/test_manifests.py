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
from webhook import cli, kinds, routers, server, targets
from webhook.canary import MeshDefaults
from webhook.kinds import Kind
from webhook.settings import Settings
from webhook.targets import Mode, Target

ROOT = Path(__file__).parents[2]
FILES = sorted(file for folder in ("flagger", "manifests") for file in (ROOT / folder).rglob("*"))
YAML = [file for file in FILES if file.suffix in (".yaml", ".yml")]
KUSTOMIZATIONS = [file.parent for file in YAML if file.name == "kustomization.yaml"]
Object = dict[str, Any]

SERVE, CONFIG = "lockstep", "lockstep-config"
PROCESSES = [SERVE, CONFIG]
"""The two Deployments, named as everything of theirs is."""

FOLLOWED = {"get", "list", "watch"}
ROUTERS = {kind for kind, *_ in routers._PROVIDERS.values()}
READ = dict.fromkeys([kinds.CANARY, kinds.CONFIG_MAP, *canaries.WORKLOADS, *ROUTERS], FOLLOWED)
"""What a reconcile gets (gather), and what the watcher lists and watches."""

BROWSERS_READ = {kinds.CONFIG_MAP: {"list", "watch"}}
"""What serve-config follows; it never gets a single object."""

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


def base(kind: str, name: str = SERVE) -> Object:
    return one(kind, "manifests/base", name)


def container(name: str = SERVE) -> Object:
    (found,) = base("Deployment", name)["spec"]["template"]["spec"]["containers"]
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


def listed(folder: Path, *keys: str) -> list[str]:
    """What a kustomization.yaml includes under these keys."""
    document = yaml.safe_load((folder / "kustomization.yaml").read_text())
    return [it for key in keys for it in document.get(key, [])]


def files_of(folder: Path) -> list[str]:
    return [it for it in listed(folder, "resources") if it.endswith(".yaml")]


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=relative)
def test_every_kustomization_lists_what_lies_beside_it(folder: Path) -> None:
    beside = {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(files_of(folder)) == beside


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=relative)
def test_every_folder_that_is_included_is_one(folder: Path) -> None:
    for name in set(listed(folder, "resources", "components")) - set(files_of(folder)):
        assert (folder / name / "kustomization.yaml").is_file(), name


def rendered(folder: Path) -> list[Object]:
    """What Kustomize makes of a folder."""
    done = subprocess.run(
        ["kubectl", "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")


@needs_kubectl
@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=relative)
def test_kustomize_renders(folder: Path) -> None:
    found = {(it["kind"], it["metadata"]["name"]) for it in rendered(folder)}
    files = files_of(folder)
    written = [it for name in files for it in yaml.safe_load_all((folder / name).read_text())]
    assert found >= {(it["kind"], it["metadata"]["name"]) for it in written}
    alone = files == listed(folder, "resources", "components")
    assert len(found) == len(written) if alone else len(found) > len(written)


@needs_kubectl
@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_an_overlay_of_the_service_only_patches(overlay: str) -> None:
    """It may change what the base has, and add what is scraped, but take nothing away."""
    folder = ROOT / "manifests/overlays" / overlay
    assert [it for it in folder.iterdir() if it.name != "kustomization.yaml"] == []
    names = [
        {(it["kind"], it["metadata"]["name"]) for it in rendered(it)}
        for it in (folder, ROOT / "manifests/base")
    ]
    assert names[0] - names[1] <= {("PodMonitor", "lockstep")}
    assert names[1] <= names[0]


def built(folder: str, kind: str, name: str) -> Object:
    """The object of a folder, as Kustomize builds it."""
    (found,) = (
        it
        for it in rendered(ROOT / folder)
        if it["kind"] == kind and it["metadata"]["name"] == name
    )
    return found


ROUTED = [("gatewayapi", kinds.HTTP_ROUTE), ("nginx", kinds.INGRESS)]


@needs_kubectl
@pytest.mark.parametrize(("router", "kind"), ROUTED)
def test_lockstep_reads_the_share_of_the_router_that_is_chosen(router: str, kind: Kind) -> None:
    canary = built(f"manifests/frontend/{router}", "Canary", "frontend")
    source = routers.source(canaries.parse(canary, MeshDefaults()))
    assert source is not None
    assert source.kind == kind


@needs_kubectl
@pytest.mark.parametrize("router", ["gatewayapi", "nginx"])
def test_all_but_the_page_reaches_the_primary_whatever_is_routed(router: str) -> None:
    ways = {"HTTPRoute": route_ways, "Ingress": ingress_ways}
    kind = {"gatewayapi": "HTTPRoute", "nginx": "Ingress"}[router]
    assets = built(f"manifests/frontend/{router}", kind, "frontend-assets")
    paths = ["/canary/", "/stable/", "/config/", "/lockstep/"]
    assert ways[kind](assets) == dict.fromkeys(paths, "frontend-primary")


def route_ways(route: Object) -> dict[str, str]:
    return {
        match["path"]["value"]: rule["backendRefs"][0]["name"]
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
    }


def ingress_ways(ingress: Object) -> dict[str, str]:
    (rule,) = ingress["spec"]["rules"]
    return {it["path"]: it["backend"]["service"]["name"] for it in rule["http"]["paths"]}


@needs_kubectl
def test_only_the_gate_that_refuses_as_a_matter_of_course_alerts_nobody() -> None:
    canary = built("manifests/frontend/nginx", "Canary", "frontend")
    muted = [it["type"] for it in canary["spec"]["analysis"]["webhooks"] if it.get("muteAlert")]
    assert muted == ["confirm-traffic-increase"]


@needs_kubectl
def test_the_check_and_the_alert_that_the_canary_names_are_there() -> None:
    for router in ("gatewayapi", "nginx"):
        folder = f"manifests/frontend/{router}"
        analysis = built(folder, "Canary", "frontend")["spec"]["analysis"]
        for metric in analysis["metrics"]:
            assert built(folder, "MetricTemplate", metric["templateRef"]["name"])
        for alert in analysis["alerts"]:
            assert built(folder, "AlertProvider", alert["providerRef"]["name"])


@needs_kubectl
def test_without_flagger_each_deployment_has_a_service_of_its_own() -> None:
    for build in ("stable", "canary"):
        name = f"frontend-{build}"
        deployment = built("manifests/frontend/pair", "Deployment", name)
        service = built("manifests/frontend/pair", "Service", name)["spec"]["selector"]
        assert service == {"app": name}
        assert deployment["spec"]["selector"]["matchLabels"] == service
        assert deployment["spec"]["template"]["metadata"]["labels"] == service


def test_the_settings_of_the_pair_are_served_and_steered_by_nobody() -> None:
    settings = one("ConfigMap", "manifests/frontend/pair", "canary-settings")
    assert settings["metadata"]["labels"] == {targets.SERVE: "true"}
    settings["metadata"]["labels"][targets.LABEL] = "-"
    assert target(settings).share == 0


def test_the_frontend_mounts_what_is_rendered_and_asks_the_endpoint_for_it() -> None:
    pod = one("Deployment", "manifests/frontend/base")["spec"]["template"]["spec"]
    name = one("ConfigMap", "manifests/app", "canary-settings")["metadata"]["name"]
    assert name in [it["configMap"]["name"] for it in pod["volumes"] if "configMap" in it]
    env = {it["name"]: it["value"] for it in pod["containers"][0]["env"]}
    service = base("Service", CONFIG)["metadata"]["name"]
    asked = env["LOCKSTEP_CONFIG"]
    assert asked == f"http://{service}.lockstep-system.svc.cluster.local/config/shop/{name}.json"


def test_flux_applies_folders_that_exist_from_sources_that_exist() -> None:
    applied = [it for it in objects("manifests/flux") if "toolkit" in it["apiVersion"]]
    names = {(it["kind"], it["metadata"]["name"]) for it in applied}
    names |= {("GitRepository", "flux-system")}
    for it in applied:
        if it["kind"] == "Kustomization":
            source = it["spec"]["sourceRef"]
            assert (source["kind"], source["name"]) in names
            path = ROOT / it["spec"]["path"].removeprefix("./")
            assert (path / "kustomization.yaml").is_file(), path
            for earlier in it["spec"].get("dependsOn", []):
                assert ("Kustomization", earlier["name"]) in names


def test_what_is_not_signed_is_not_applied() -> None:
    assert one("GitRepository", "manifests/flux")["spec"]["verify"]["mode"] == "HEAD"
    oci = one("OCIRepository", "manifests/flux")["spec"]["verify"]
    assert oci["provider"] == "cosign"
    assert oci["matchOIDCIdentity"]


def test_every_kustomization_of_the_application_has_a_signed_source() -> None:
    signed = {
        (it["kind"], it["metadata"]["name"])
        for it in objects("manifests/flux")
        if it["kind"].endswith("Repository") and "verify" in it["spec"]
    }
    for folder in ("manifests/flux/gitops", "manifests/flux/oci", "manifests/flux/helm"):
        for it in objects(folder):
            source = it["spec"].get("sourceRef") if it["kind"] == "Kustomization" else None
            assert source is None or (source["kind"], source["name"]) in signed
    patched = yaml.safe_load((ROOT / "manifests/flux/gitops/kustomization.yaml").read_text())
    (patch,) = yaml.safe_load(patched["patches"][0]["patch"])
    assert (patch["value"]["kind"], patch["value"]["name"]) in signed


MARKED = re.compile(r'(\w+: )\S+( # \{"\$imagepolicy": "shop:([a-z-]+):(name|tag)"\})')
"""Where Flux writes an image: the key, its marker, the policy and the part of the image."""


def test_every_image_that_flux_updates_has_a_policy() -> None:
    path = ROOT / one("ImageUpdateAutomation", "manifests/flux")["spec"]["update"]["path"]
    text = "".join(file.read_text() for file in path.rglob("*.yaml"))
    policies = {
        it["metadata"]["name"] for it in objects("manifests/flux") if it["kind"] == "ImagePolicy"
    }
    assert {policy for _, _, policy, _ in MARKED.findall(text)} == policies
    assert len(MARKED.findall(text)) == text.count('# {"$imagepolicy"')


BUILDS = [
    ("gatewayapi", {"frontend": "registry.test/new:2.0.0"}),
    ("nginx", {"frontend": "registry.test/new:2.0.0"}),
    (
        "pair",
        {
            "frontend-stable": "registry.test/new:2.0.0",
            "frontend-canary": "registry.test/new:2.1.0-rc.1",
        },
    ),
]


@needs_kubectl
@pytest.mark.parametrize(("overlay", "images"), BUILDS)
def test_after_an_image_update_each_deployment_runs_the_image_of_its_policy(
    overlay: str, images: dict[str, str], tmp_path: Path
) -> None:
    """A name that Flux has written must not be one that an overlay looks for in vain."""
    tags = {"frontend-stable": "2.0.0", "frontend-canary": "2.1.0-rc.1"}
    for folder in ("manifests", "flagger"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in (tmp_path / "manifests").rglob("*.yaml"):
        file.write_text(
            MARKED.sub(
                lambda it: it[1] + {"name": "registry.test/new", "tag": tags[it[3]]}[it[4]] + it[2],
                file.read_text(),
            )
        )
    assert images == {
        it["metadata"]["name"]: it["spec"]["template"]["spec"]["containers"][0]["image"]
        for it in rendered(tmp_path / "manifests/frontend" / overlay)
        if it["kind"] == "Deployment"
    }


def test_the_service_may_do_what_the_code_does_and_no_more() -> None:
    used = {(kind.group, kind.plural): verbs for kind, verbs in (READ | WRITTEN).items()}
    assert granted(base("ClusterRole")["rules"]) == used


def test_what_browsers_reach_may_follow_configmaps_and_nothing_else() -> None:
    used = {(kind.group, kind.plural): verbs for kind, verbs in BROWSERS_READ.items()}
    assert granted(base("ClusterRole", CONFIG)["rules"]) == used


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


@pytest.mark.parametrize("name", PROCESSES)
def test_the_pods_run_as_an_account_of_their_own(name: str) -> None:
    assert base("Deployment", name)["spec"]["template"]["spec"]["serviceAccountName"] == name
    assert base("ServiceAccount", name)["metadata"]["name"] == name
    assert one("Namespace", "manifests/base")["metadata"]["name"] == "lockstep-system"
    binding = base("ClusterRoleBinding", name)
    assert binding["roleRef"]["name"] == name
    assert binding["subjects"] == [subject(name)]


def subject(account: str) -> Object:
    return {"kind": "ServiceAccount", "name": account, "namespace": "lockstep-system"}


def test_only_the_account_that_writes_is_bound_in_the_applications_namespace() -> None:
    assert one("RoleBinding", "manifests/app")["subjects"] == [subject(SERVE)]
    bindings = ("RoleBinding", "ClusterRoleBinding")
    bound = [it["subjects"] for it in objects() if it["kind"] in bindings]
    assert bound.count([subject(CONFIG)]) == 1


@pytest.mark.parametrize(("name", "command"), [(SERVE, "serve"), (CONFIG, "serve-config")])
def test_the_commands_exist(name: str, command: str) -> None:
    assert container(name)["args"] == [command]
    assert callable(cli._parser().parse_args([command]).run)


READ_PORT = Settings().read_bind.port
PORTS = [
    (SERVE, {"hooks": Settings().hooks_bind.port, "read": READ_PORT}),
    (CONFIG, {"config": Settings().config_bind.port, "read": READ_PORT}),
]


@pytest.mark.parametrize(("name", "defaults"), PORTS)
def test_the_ports_are_those_of_the_settings(name: str, defaults: dict[str, int]) -> None:
    ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
    assert ports == defaults
    policy = base("NetworkPolicy", name)["spec"]["ingress"]
    assert [port["port"] for rule in policy for port in rule["ports"]] == list(defaults)


SERVICES = [(SERVE, {"hooks": 80, "read": READ_PORT}), (CONFIG, {"config": 80})]


@pytest.mark.parametrize(("name", "ports"), SERVICES)
def test_each_service_leads_to_its_own_port(name: str, ports: dict[str, int]) -> None:
    service = {it["targetPort"]: it["port"] for it in base("Service", name)["spec"]["ports"]}
    assert service == ports


@pytest.mark.parametrize("name", PROCESSES)
def test_everything_selects_the_pods_of_its_own_deployment(name: str) -> None:
    """A Service that took both would send browsers to the hooks."""
    pods = {"app.kubernetes.io/name": name}
    spec = base("Deployment", name)["spec"]
    assert spec["template"]["metadata"]["labels"] == pods
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    budget, policy = base("PodDisruptionBudget", name)["spec"], base("NetworkPolicy", name)["spec"]
    for it in (spec["selector"], spread["labelSelector"], budget["selector"]):
        assert it == {"matchLabels": pods}
    assert policy["podSelector"] == {"matchLabels": pods}
    assert base("Service", name)["spec"]["selector"] == pods


def test_a_frontend_of_the_example_may_ask_for_its_config() -> None:
    callers, _scrapes = base("NetworkPolicy", CONFIG)["spec"]["ingress"]
    (namespaces,) = callers["from"][0]["namespaceSelector"]["matchExpressions"]
    app = yaml.safe_load((ROOT / "manifests/app/kustomization.yaml").read_text())["namespace"]
    assert (namespaces["key"], namespaces["operator"]) == ("kubernetes.io/metadata.name", "In")
    assert app in namespaces["values"]
    assert callers["from"][0].keys() == {"namespaceSelector"}


@pytest.mark.parametrize("name", PROCESSES)
def test_one_of_two_replicas_always_runs(name: str) -> None:
    assert base("Deployment", name)["spec"]["replicas"] == 2
    assert base("Deployment", name)["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert base("PodDisruptionBudget", name)["spec"]["minAvailable"] == 1


@pytest.mark.parametrize("name", PROCESSES)
def test_the_probes_and_the_scrape_are_of_the_read_only_port(name: str) -> None:
    assert container(name)["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "read"}
    assert container(name)["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "read"}
    template = base("Deployment", name)["spec"]["template"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(READ_PORT)


@pytest.mark.parametrize("name", PROCESSES)
def test_the_pod_passes_the_restricted_standard(name: str) -> None:
    pod = base("Deployment", name)["spec"]["template"]["spec"]["securityContext"]
    assert pod == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", PROCESSES)
def test_a_pod_outlives_its_last_request(name: str) -> None:
    pod = base("Deployment", name)["spec"]["template"]["spec"]
    leaving = container(name)["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > leaving + server._DRAIN_SECONDS


def test_both_commands_are_one_image() -> None:
    assert container(SERVE)["image"] == container(CONFIG)["image"]
    exposed = re.search(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert exposed
    assert {int(port) for port in exposed[1].split()} == {
        port for _, ports in PORTS for port in ports.values()
    }


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
