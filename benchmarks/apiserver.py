"""An API server to measure against: the real one where its programs are built, else ours."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import requests
import yaml

from benchmarks.api import Access, Api
from tests.cluster import programs
from tests.cluster.controlplane import ADMIN, control_plane
from webhook import kinds
from webhook.fields import Object
from webhook.kinds import Kind, Name

_NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
_DEFINITION = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
_SERVED_SECONDS = 30


@contextmanager
def running(folder: Path) -> Iterator[Access]:
    """An API server without objects; `folder` takes its files."""
    try:
        programs.find()
    except programs.MissingError as error:
        print(f"==> {error}; measuring against the demo's API server", file=sys.stderr)  # noqa: T201
        with _in_memory(folder) as access:
            yield access
    else:
        with _real(folder) as access:
            yield access


def add_namespaces(api: Api, names: list[str]) -> None:
    """Create the namespaces, which the in-memory API server does without."""
    if api.access.real:
        for name in names:
            api.create(_NAMESPACE, {"metadata": {"name": name}})


@contextmanager
def _real(folder: Path) -> Iterator[Access]:
    with control_plane(folder) as plane:
        kubeconfig = Path(plane.kubeconfig("bench"))
        what = f"{_version('kube-apiserver')} and {_version('etcd')} (without fsync)"
        access = Access(what, plane.url, kubeconfig, plane.ca, ADMIN, real=True)
        with closing(Api(access)) as api:
            for kind in (kinds.CANARY, kinds.HTTP_ROUTE):
                api.create(_DEFINITION, _open_schema(kind))
                _wait_until_served(api, kind)
        yield access


def _version(program: str) -> str:
    """Name and version of a program, as its folder in the cache has them before its key."""
    return Path(programs.find()[program]).parent.name.rpartition("-")[0]


def _open_schema(kind: Kind) -> Object:
    """A definition that takes any object."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": anything},
    }
    approved = {"api-approved.kubernetes.io": "unapproved, an open schema for measurements"}
    return {
        "metadata": {"name": f"{kind.plural}.{kind.group}", "annotations": approved},
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.kind, "plural": kind.plural},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _wait_until_served(api: Api, kind: Kind) -> None:
    end = time.monotonic() + _SERVED_SECONDS
    while True:
        try:
            api.read(kind, Name("", ""))
        except requests.HTTPError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


@contextmanager
def _in_memory(folder: Path) -> Iterator[Access]:
    """The demo's, in Python as Lockstep is: most of each call's time, so it flatters the ratio."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.memory_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # its end closes the standard input, which ends the process
        url = process.stdout.readline().strip() if process.stdout else ""
        what = "**the demo's in-memory API server, which flatters the ratio**"
        yield Access(what, url, _kubeconfig(url, folder))


def _kubeconfig(url: str, folder: Path) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": {"server": url}}],
        "users": [{"name": "bench", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path
