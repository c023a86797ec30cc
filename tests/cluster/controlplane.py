"""A bare control plane on loopback: etcd and kube-apiserver, without controllers or a kubelet."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import urllib3

from tests.cluster import programs
from tests.cluster.client import Client
from tests.cluster.programs import Process, free_port

ADMIN = "admin-of-the-test-cluster"
"""The token of a member of system:masters; good for nothing outside of this machine's loopback."""

_KEY, _TOKENS = "service-accounts.key", "tokens.csv"


@dataclass
class ControlPlane:
    """What runs, and how to reach it."""

    folder: Path
    url: str
    ca: str
    etcd: Process
    api_server: Process

    def client(self, token: str = ADMIN) -> Client:
        """A client for a bearer token; may do everything unless told another."""
        return Client(self.url, self.ca, token)

    def kubeconfig(self, name: str, token: str = ADMIN, url: str = "") -> str:
        """The path of a kubeconfig for a token, at this API server unless told another URL."""
        cluster = {"server": url or self.url, "certificate-authority": self.ca}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token}}],
        }
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps(document))
        return str(path)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints, as the administrator.

        Raises:
            RuntimeError: kubectl failed; the message is what it said.
        """
        config = self.kubeconfig("kubectl")
        done = subprocess.run(
            ["kubectl", "--kubeconfig", config, *arguments],
            input=stdin, capture_output=True, text=True, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder)},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def service_account_token(self, namespace: str, name: str) -> str:
        """A token by which the API server takes a caller for this service account."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        answer = self.client().call("POST", path, request)
        return str(answer["status"]["token"])

    def ready(self) -> bool:
        """Whether the API server serves."""
        pool = urllib3.PoolManager(ca_certs=self.ca, retries=False)
        try:
            headers = {"Authorization": f"Bearer {ADMIN}"}
            answer = pool.request("GET", f"{self.url}/readyz", headers=headers, timeout=2.0)
        except (urllib3.exceptions.HTTPError, OSError):
            return False
        return answer.status == 200


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A control plane that keeps everything in the folder; ready, and ended afterwards.

    Raises:
        programs.MissingError: the programs are not built.
    """
    found = programs.find()
    with ExitStack() as stack:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        etcd = Process("etcd", [found["etcd"], *_etcd(folder, client, peer)], folder / "etcd.log")
        stack.callback(etcd.stop)
        _secrets(folder)
        port = free_port()
        command = [found["kube-apiserver"], *_api_server(folder, client, port)]
        api_server = Process("kube-apiserver", command, folder / "kube-apiserver.log")
        # It would wait for every watch to end; nothing that it holds is wanted any more.
        stack.callback(api_server.kill)
        ca = str(folder / "certificates" / "apiserver.crt")
        plane = ControlPlane(folder, f"https://127.0.0.1:{port}", ca, etcd, api_server)
        api_server.ready(lambda: Path(ca).exists() and plane.ready())
        yield plane


@contextmanager
def beside(plane: ControlPlane) -> Iterator[ControlPlane]:
    """A second API server on the same etcd, by the same certificate and tokens."""
    port = free_port()
    flag, first = "--secure-port=", plane.api_server
    rest = [it for it in first.command if not it.startswith(flag)]
    process = Process(
        "second kube-apiserver",
        [*rest, f"{flag}{port}"],
        plane.folder / "second-kube-apiserver.log",
    )
    try:
        second = replace(plane, url=f"https://127.0.0.1:{port}", api_server=process)
        process.ready(second.ready)
        yield second
    finally:
        process.kill()


def _etcd(folder: Path, client: str, peer: str) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
    ]


def _secrets(folder: Path) -> None:
    subprocess.run(
        ["openssl", "genpkey", "-algorithm", "RSA", "-out", str(folder / _KEY)],
        check=True, capture_output=True,
    )  # fmt: skip
    (folder / _TOKENS).write_text(f"{ADMIN},admin,admin,system:masters\n")


def _api_server(folder: Path, etcd: str, port: int) -> list[str]:
    key = folder / _KEY
    return [
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder / 'certificates'}",  # makes a self-signed certificate there
        f"--token-auth-file={folder / _TOKENS}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--endpoint-reconciler-type=none",  # it refuses a loopback address
        # No controller makes the default service account that it would wait for.
        "--disable-admission-plugins=ServiceAccount",
    ]
