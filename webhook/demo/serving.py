"""The real `lockstep serve`, or another command, as a process against the in-memory API server."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import requests
import yaml

import webhook

_READY_SECONDS = 20.0
_STOP_SECONDS = 15.0
_KEPT_LINES = 30
_ASK_EVERY = 0.1
_FOREIGN = ("LOCKSTEP_", "KUBERNETES_", "KUBECONFIG")
"""What would lead `serve` elsewhere: in a pod, a service account wins over KUBECONFIG."""


class ServingError(Exception):
    """The command did not come up, or ended; the message has its last output."""


class Serving:
    """A context manager: `url` answers hooks, or configurations, inside of `with`.

    No process outlives it.
    """

    def __init__(
        self, api_url: str, folder: Path, hear: Callable[[str], None], command: str = "serve"
    ) -> None:
        """Prepare it; `hear` is told each line of its log, in a thread."""
        main, read = free_addresses(2)
        self.url = f"http://{main}"
        self._command = command
        self._read_url = f"http://{read}"
        self._environment = _environment(os.environ, _kubeconfig(api_url, folder), main, read)
        self._hear = hear
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        with ExitStack() as stack:
            stack.callback(self._stop)
            self._start()
            self._wait()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def check(self) -> None:
        """Check that it still runs.

        Raises:
            ServingError: it has ended.
        """
        code = self._process.poll() if self._process else None
        if code is not None:
            raise self._failed(f"ended by itself with exit code {code}")

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - a command of our own
            [sys.executable, "-m", "webhook", self._command],
            cwd=Path(webhook.__file__).parent.parent,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us; we stop it when we are done
        )
        self._reader = threading.Thread(target=self._listen, name="serve's log", daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        for line in self._process.stdout or () if self._process else ():
            self._lines.append(line)
            self._hear(line)

    def _wait(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        with requests.Session() as session:
            session.trust_env = False
            while not self._ready(session):
                self.check()
                if time.monotonic() > end:
                    raise self._failed(f"was not ready within {_READY_SECONDS:.0f} s")
                time.sleep(_ASK_EVERY)

    def _ready(self, session: requests.Session) -> bool:
        try:
            return session.get(f"{self._read_url}/readyz", timeout=1).ok
        except requests.RequestException:
            return False

    def _failed(self, what: str) -> ServingError:
        if self._reader:
            self._reader.join(1)  # its last words may still be on their way
        output = "".join(self._lines).rstrip() or "(none)"
        return ServingError(f"`lockstep {self._command}` {what}. Its output:\n{output}")

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._reader:
            self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


def _environment(
    callers: Mapping[str, str], kubeconfig: Path, main: str, read: str
) -> dict[str, str]:
    foreign = {
        name for name in callers if name.startswith(_FOREIGN) or name.lower().endswith("_proxy")
    }
    return {name: value for name, value in callers.items() if name not in foreign} | {
        "KUBECONFIG": str(kubeconfig),
        "LOCKSTEP_HOOKS_BIND": main,
        "LOCKSTEP_CONFIG_BIND": main,
        "LOCKSTEP_READ_BIND": read,
    }


def _kubeconfig(api_url: str, folder: Path) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "demo",
        "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
        "clusters": [{"name": "demo", "cluster": {"server": api_url}}],
        "users": [{"name": "demo", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def free_addresses(count: int) -> list[str]:
    """Addresses of loopback that nothing listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
