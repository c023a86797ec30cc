"""The real kubectl, against the in-memory API server or against none at all."""

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.markdown import ROOT
from webhook.demo.store import KINDS
from webhook.kinds import Kind

needed = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not on PATH")

RUN_HERE = {"annotate", "label", "get", "describe"}
"""What kubectl can do with the in-memory API server; it asks for no OpenAPI, no logs, no status."""

_SERVED = {it.plural for it in KINDS} | {it.kind.lower() for it in KINDS}

_VERBS = ["create", "delete", "get", "list", "patch", "watch"]


def verb(line: str) -> str:
    """What a command line of kubectl's does; options may stand before it, each with a value."""
    words = line.split()[1:]
    while words[0].startswith("-"):
        words = words[2:]
    return words[0]


def runs_here(line: str) -> bool:
    """Whether the in-memory API server has all that a command line asks for."""
    words = [it for it in line.partition(" | ")[0].split() if not it.startswith("-")]
    asked = words[words.index(verb(line)) + 1].partition("/")[0] if verb(line) in RUN_HERE else ""
    return bool(asked) and all(it.partition(".")[0] in _SERVED for it in asked.split(","))


def run(line: str, server: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A command line of the docs, in the repository's root, without its pipe."""
    words = line.partition(" | ")[0].replace("kubectl ", f"kubectl --server={server} ", 1)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    return subprocess.run(
        ["bash", "-c", words], cwd=ROOT, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def nowhere() -> str:
    """The address of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


@contextmanager
def front(api: str) -> Iterator[str]:
    """The address of what kubectl needs before an API server that has no discovery."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Front", (_Front,), {"api": api}))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Front(BaseHTTPRequestHandler):
    """Answers discovery, and hands on everything else."""

    api: str

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = _discovered(self.path.partition("?")[0])
        code, text = (200, json.dumps(found).encode()) if found else self._asked(body)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = serve  # noqa: N815 - http.server's names

    def _asked(self, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": self.headers.get("Content-Type", "")}
        url = self.api + self.path
        answer = requests.request(self.command, url, data=body, headers=headers, timeout=10)
        return answer.status_code, answer.content


def _discovered(path: str) -> dict[str, Any] | None:
    groups = sorted({kind.group for kind in KINDS if kind.group})
    match path.strip("/").split("/"):
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return {"kind": "APIGroupList", "groups": [_group(name) for name in groups]}
        case ["api", version]:
            return _resources("", version)
        case ["apis", group, version]:
            return _resources(group, version)
        case _:
            return None


def _group(name: str) -> dict[str, Any]:
    versions = sorted({kind.version for kind in KINDS if kind.group == name})
    entries = [{"groupVersion": f"{name}/{it}", "version": it} for it in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def _resources(group: str, version: str) -> dict[str, Any]:
    served = [kind for kind in KINDS if (kind.group, kind.version) == (group, version)]
    named = f"{group}/{version}" if group else version
    resources = [_resource(kind) for kind in served]
    return {"kind": "APIResourceList", "groupVersion": named, "resources": resources}


def _resource(kind: Kind) -> dict[str, Any]:
    return {"name": kind.plural, "singularName": kind.kind.lower(), "kind": kind.kind,
            "namespaced": kind.namespaced, "verbs": _VERBS}  # fmt: skip
