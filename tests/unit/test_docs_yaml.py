"""The YAML in the docs is read by the parsers that read it in the cluster."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import example, kubectl
from tests.markdown import PAGES, ROOT, blocks, page, relative, rows, section
from webhook import canary as canaries
from webhook import routers, targets
from webhook.canary import Brakes, Canary, MeshDefaults
from webhook.demo.mergepatch import merged
from webhook.targets import BrokenTarget

Json = dict[str, Any]
ATTACH = page("attach.md")
BLOCKS = [(path, text) for path in PAGES for text in blocks(path.read_text(), "yaml")]
PARSED: list[tuple[str, Any]] = [(relative(path), yaml.safe_load(text)) for path, text in BLOCKS]

WHOLE = [it for it in PARSED if "kind" in it[1]]
HOOKS = [it for it in PARSED if isinstance(it[1], list) or "webhooks" in it[1]]
PARTS = [it for it in PARSED if it not in (*WHOLE, *HOOKS)]
OTHER_KINDS = {"Role", "ClusterRole", "Kustomization"}


def of(where: list[tuple[str, Any]], kind: str) -> list[tuple[str, Json]]:
    return [it for it in where if it[1]["kind"] == kind]


def is_of_a_canary(part: Json) -> bool:
    return "spec" in part or "labels" not in part["metadata"]


def canary_with(part: Json) -> Canary:
    return canaries.parse(merged(example.canary(), part), MeshDefaults(provider="unset"))


def test_every_block_is_of_a_kind_that_is_read_here() -> None:
    assert {it["kind"] for _, it in WHOLE} == OTHER_KINDS | {"ConfigMap"}
    assert all(set(part) <= {"metadata", "spec"} for _, part in PARTS)


@pytest.mark.parametrize(("where", "obj"), of(WHOLE, "ConfigMap"))
def test_each_configmap_is_a_target_of_the_example(where: str, obj: Json) -> None:
    obj["metadata"]["resourceVersion"] = "1"
    target = targets.parse(obj)
    assert not isinstance(target, BrokenTarget), f"{where}: {target}"
    assert target.share == 0
    assert obj["metadata"]["labels"] == {example.LABEL: example.FRONTEND.name}
    assert obj["metadata"]["namespace"] == example.NAMESPACE


@pytest.mark.parametrize(("where", "part"), PARTS)
def test_each_part_says_what_lockstep_or_flagger_reads(where: str, part: Json) -> None:
    if is_of_a_canary(part):
        canary = canary_with(part)
        assert not canary.brakes.cap_error, where
        assert "spec" in part or canary.brakes != Brakes(), f"{where}: it brakes nothing"
    else:
        shown = part["metadata"]
        mounted = example.stored("manifests/app/settings/canary-settings.yaml")["metadata"]
        assert shown["labels"].items() <= mounted["labels"].items()
        assert shown["annotations"].items() <= mounted["annotations"].items()


@pytest.mark.parametrize(("where", "part"), HOOKS)
def test_each_hook_is_one_of_the_example_canary(where: str, part: Any) -> None:
    hooks = example.canary()["spec"]["analysis"]["webhooks"]
    if isinstance(part, list):
        assert all(it in hooks for it in part), where
    else:
        assert part == {"webhooks": hooks}, where


@kubectl.needed
@pytest.mark.parametrize(("where", "obj"), of(WHOLE, "Kustomization"))
def test_each_overlay_renders_beside_the_base(where: str, obj: Json, tmp_path: Path) -> None:
    base = os.path.relpath(ROOT / "manifests/base", tmp_path.resolve())
    obj["resources"] = [it.replace("../base", base) for it in obj["resources"]]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(obj))
    done = subprocess.run(
        ["kubectl", "kustomize", tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{where}: {done.stderr}"
    (pod,) = (
        it["spec"]["template"]["spec"]
        for it in yaml.safe_load_all(done.stdout)
        if it["kind"] == "Deployment" and it["metadata"]["name"] == "lockstep"
    )
    assert pod["containers"][0]["env"] == [{"name": "LOCKSTEP_OBSERVE", "value": "true"}]


def test_the_role_without_flux_is_that_of_the_manifests_for_one_configmap() -> None:
    ((_, role),) = (it for it in of(WHOLE, "Role") if "without-flux" in it[0])
    written = next(yaml.safe_load_all((ROOT / "manifests/app/rbac.yaml").read_text()))
    written["metadata"]["namespace"] = example.NAMESPACE
    written["rules"][0]["resourceNames"] = ["canary-settings"]
    assert role == written


PROVIDERS = rows(section(ATTACH, "## Which object is read").partition("### ")[0])


def test_every_provider_can_be_attached_to() -> None:
    documented = {provider.strip("`") for provider, *_ in PROVIDERS}
    assert documented == {it.rstrip("*") for it in routers._PROVIDERS} | {"kubernetes"}


@pytest.mark.parametrize(("provider", "says", "look"), PROVIDERS)
def test_the_object_shown_is_the_one_that_is_read(provider: str, says: str, look: str) -> None:
    link = re.search(r"#([\w-]+)\)", says)
    assert link
    heading = next(it for it in HEADINGS if it.lower().replace(" ", "-") == link[1])
    (text,) = blocks(section(ATTACH, f"### {heading}"), "yaml")
    part = yaml.safe_load(text)
    part["spec"]["provider"] = provider.strip("`")
    source = routers.source(canaries.parse(as_canary(part), MeshDefaults()))
    if source is None:
        assert look.startswith("none")
    else:
        assert look == f"`{source.kind.plural}.{source.kind.group}/{source.name.name}`"


HEADINGS = re.findall(r"^### (.*)$", ATTACH, re.MULTILINE)


def as_canary(part: Json) -> Json:
    """The part alone, so that nothing comes from the example that it does not say."""
    return part | {"metadata": {"name": "frontend", "namespace": example.NAMESPACE}}
