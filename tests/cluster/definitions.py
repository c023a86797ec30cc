"""The real definitions of every custom resource that a manifest of ours has.

Flagger's, and Flux's where the module has them, are read out of their modules; the others are
made from their published Go types, as their own projects make them.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml

from tests.cluster import programs
from tests.cluster.client import Client, Json
from tests.cluster.kinds import define, published

_READ = (
    ("flagger", "github.com/fluxcd/flagger", "artifacts/flagger"),
    ("kustomize-controller", "github.com/fluxcd/kustomize-controller", "config/crd/bases"),
    ("source-controller", "github.com/fluxcd/source-controller", "config/crd/bases"),
    ("gateway-api", "sigs.k8s.io/gateway-api", "config/crd/standard"),
)
_MADE = (
    "github.com/fluxcd/helm-controller/api/v2",
    "github.com/fluxcd/image-automation-controller/api/v1",
    "github.com/fluxcd/image-reflector-controller/api/v1",
    "github.com/fluxcd/notification-controller/api/...",
    "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1",
)
_ENDS = ("canaries", "metrictemplates", "alertproviders", "podmonitors", "httproutes", "gateways")


def install(client: Client, folder: Path) -> None:
    """Define the kinds, and wait until they are served."""
    read = [it for where in _READ for it in published(*where)]
    define(client, [it for it in (*read, *_made(folder)) if _wanted(it)])


def _made(folder: Path) -> list[Json]:
    """What controller-gen makes of the types."""
    subprocess.run(
        [programs.find()["controller-gen"], "crd", *(f"paths={it}" for it in _MADE),
         f"output:crd:dir={folder}"],
        cwd=programs.TOOLS / "controller-gen", check=True, capture_output=True, text=True,
    )  # fmt: skip
    files = sorted(folder.glob("*.yaml"))
    return [yaml.load(it.read_text(), Loader=yaml.CSafeLoader) for it in files]


def _wanted(definition: Json) -> bool:
    """All of Flux's, and of the others those that our manifests use: some are very large."""
    name, _, group = str(definition["metadata"]["name"]).partition(".")
    return "fluxcd.io" in group or name in _ENDS
