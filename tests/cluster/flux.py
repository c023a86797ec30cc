"""The real kustomize-controller, and Git's content served as source-controller would."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import yaml

from tests.cluster import programs
from tests.cluster.client import Client, Json
from tests.cluster.controlplane import ControlPlane
from tests.cluster.lab import ROOT
from tests.cluster.programs import Process, free_port

SOURCE = ("flux-system", "flux-system")
"""Namespace and name of the GitRepository, as manifests/flux has it."""

_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SOURCE[0]}}


@dataclass
class Git:
    """A repository's content, served as a tarball; each commit is a new artifact."""

    client: Client
    files: dict[str, str]
    _archives: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _url: str = ""

    def commit(self, files: Mapping[str, str]) -> None:
        """Change files, and tell the GitRepository's status as source-controller does."""
        with self._lock:
            self.files |= files
            archive = _tarball(self.files)
            digest = hashlib.sha256(archive).hexdigest()
            self._archives[f"/{digest}.tar.gz"] = archive
            self._tell(digest, len(archive))

    def _tell(self, digest: str, size: int) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        namespace, name = SOURCE
        repository: Json = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"interval": "1h", "url": "https://git.example.com/shop"},
        }  # fmt: skip
        found = self.client.apply(repository)
        artifact = {
            "url": f"{self._url}/{digest}.tar.gz",
            "path": f"gitrepository/{digest}.tar.gz",
            "revision": f"main@sha1:{digest[:40]}",
            "digest": f"sha256:{digest}",
            "lastUpdateTime": now,
            "size": size,
        }
        ready = {
            "type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact",
            "lastTransitionTime": now, "observedGeneration": found["metadata"]["generation"],
        }  # fmt: skip
        status = {
            "artifact": artifact, "conditions": [ready],
            "observedGeneration": found["metadata"]["generation"],
        }  # fmt: skip
        self.client.patch(repository, {"status": status}, sub="status", manager="source-controller")

    def archive(self, path: str) -> bytes | None:
        """What is served under a path."""
        return self._archives.get(path)

    def listen(self, url: str) -> None:
        """Say where it is served."""
        self._url = url


@contextmanager
def git(client: Client) -> Iterator[Git]:
    """A repository with what manifests/app/settings has, committed."""
    settings = ROOT / "manifests" / "app" / "settings"
    content = {
        f"manifests/app/settings/{file.name}": file.read_text() for file in settings.iterdir()
    }
    made = Git(client, content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            archive = made.archive(self.path)
            self.send_response(200 if archive else 404)
            self.send_header("Content-Length", str(len(archive or b"")))
            self.end_headers()
            self.wfile.write(archive or b"")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.listen(f"http://127.0.0.1:{server.server_address[1]}")
    client.apply(_NAMESPACE)
    made.commit({})
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def start_kustomize_controller(plane: ControlPlane) -> Process:
    """The real controller, ready."""
    metrics, health = free_port(), free_port()
    command = [
        programs.find()["kustomize-controller"],
        f"--metrics-addr=127.0.0.1:{metrics}",
        f"--health-addr=127.0.0.1:{health}",
        "--events-addr=",
        "--log-level=info",
        "--watch-all-namespaces=true",
        "--concurrent=8",
    ]
    environment = {
        "KUBECONFIG": plane.kubeconfig("kustomize-controller"),
        "RUNTIME_NAMESPACE": SOURCE[0],
    }
    log = plane.folder / "kustomize-controller.log"
    process = Process("kustomize-controller", command, log, environment)
    process.ready(lambda: programs.answers(f"http://127.0.0.1:{health}/readyz"))
    return process


def kustomization(namespace: str) -> Json:
    """manifests/flux/canary-settings.yaml as it is, for another namespace."""
    text = (ROOT / "manifests" / "flux" / "canary-settings.yaml").read_text()
    obj: Json = yaml.safe_load(text)
    obj["metadata"]["namespace"] = namespace
    obj["spec"]["targetNamespace"] = namespace
    return obj


def reconcile(client: Client, obj: Json) -> None:
    """Ask for a reconcile now, as `flux reconcile kustomization` does; wait until it is done.

    Raises:
        TimeoutError: it was not handled.
    """
    at = datetime.now(UTC).isoformat()
    note = {"reconcile.fluxcd.io/requestedAt": at}
    client.patch(obj, {"metadata": {"annotations": note}}, manager="flux")

    def handled() -> bool:
        meta = obj["metadata"]
        found = client.get(obj["apiVersion"], obj["kind"], meta["namespace"], meta["name"])
        return bool(found.get("status", {}).get("lastHandledReconcileAt") == at)

    programs.wait_for(handled, f"Kustomization {obj['metadata']['name']} is reconciled", 30)


def _tarball(files: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, text in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()
