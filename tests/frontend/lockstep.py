"""`lockstep serve` and `lockstep serve-config`, each as a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.cluster.programs import free_port
from tests.waiting import wait_for


@dataclass
class Lockstep:
    """One command; `start` after `stop` listens on the same ports."""

    command: str
    kubeconfig: Path
    folder: Path  # its log is there
    variables: Mapping[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=lambda: [free_port() for _ in range(3)])
    process: subprocess.Popen[bytes] | None = None

    @property
    def hooks(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def config(self) -> str:
        """Where browsers' nginx asks: an address without a scheme."""
        return f"127.0.0.1:{self.ports[2]}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        names = ("HOOKS", "READ", "CONFIG")
        binds = {
            f"LOCKSTEP_{name}_BIND": f"127.0.0.1:{port}"
            for name, port in zip(names, self.ports, strict=True)
        }
        with (self.folder / f"{self.command}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "webhook", self.command],
                env={
                    "PATH": os.environ["PATH"], "KUBECONFIG": str(self.kubeconfig),
                    **binds, **self.variables,
                },
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_for(lambda: self._ended() or self.ready(), 60)
        assert not self._ended(), self.log()

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stall(self) -> None:
        """Let it accept connections, as the kernel does for it, and never answer."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a stall."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: int) -> None:
        assert self.process
        with suppress(ProcessLookupError):  # it may have ended
            os.killpg(self.process.pid, number)  # gunicorn's worker too

    def stop(self) -> None:
        """End it as Kubernetes would."""
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """End it as a lost node would."""
        if self.process:
            self._signal_all(signal.SIGKILL)
            self.process.wait(20)
            self.process = None

    def ready(self) -> bool:
        return self._read("readyz") is not None

    def log(self) -> str:
        return (self.folder / f"{self.command}.log").read_text()

    def answers(self, status: str = "") -> int:
        """How many requests for a configuration it has answered, with this status or any."""
        code = f'code="{status}"' if status else ".*"
        counts = rf"^lockstep_config_requests_total\{{{code}\}} ([0-9.]+)$"
        metrics = self._read("metrics") or ""
        return round(sum(float(it) for it in re.findall(counts, metrics, re.MULTILINE)))

    def _read(self, path: str) -> str | None:
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.get(f"http://127.0.0.1:{self.ports[1]}/{path}", timeout=5)
            except requests.RequestException:
                return None
        return answer.text if answer.ok else None


@contextmanager
def running(command: str, kubeconfig: Path, folder: Path, **variables: str) -> Iterator[Lockstep]:
    lockstep = Lockstep(command, kubeconfig, folder, variables)
    try:
        lockstep.start()
        yield lockstep
    finally:
        lockstep.kill()
