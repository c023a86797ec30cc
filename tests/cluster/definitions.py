"""The real definitions of every custom resource that a manifest of ours has.

Flagger's, and Flux's where the module has them, are read out of their modules; the others are
made from their published Go types, as their own projects make them.
"""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import yaml

from tests.cluster import programs
from tests.cluster.client import ApiError, Client, Json
from tests.cluster.kinds import _documents
from tests.cluster.programs import wait_for

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
    read = [it for program, *where in _READ for it in _read(program, *where)]
    made = [it for it in (*read, *_made(folder)) if _wanted(it)]
    for definition in made:
        client.apply(definition)
    for definition in made:
        name = definition["metadata"]["name"]
        wait_for(partial(_served, client, definition), f"{name} is served")


def _served(client: Client, definition: Json) -> bool:
    """Whether objects can be listed: a definition is established a moment before that."""
    spec = definition["spec"]
    versions = [it["name"] for it in spec["versions"] if it["served"]]
    try:
        for version in versions:
            client.list(f"{spec['group']}/{version}", spec["names"]["kind"])
    except ApiError:
        return False
    return True


def _read(program: str, module: str, path: str) -> list[Json]:
    return _documents(programs.module(program, module), path)


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
