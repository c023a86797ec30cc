"""The real programs of the cluster suite: found, started, stopped, stalled and ended."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import cycle
from pathlib import Path

import requests

TOOLS = Path(__file__).with_name("tools")
_LAST_LINES = 15


class MissingError(Exception):
    """A program is not there; the message says what to do."""


@cache
def find() -> Mapping[str, str]:
    """Where `make cluster-tools` has put each program.

    Raises:
        MissingError: Go is not installed, or a program is not built.
    """
    if not shutil.which("go"):
        raise MissingError("Go is not installed: the real programs are built from their modules")
    found = subprocess.run(
        [str(TOOLS / "build"), "--find"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise MissingError(found.stderr.strip())
    return dict(line.split(maxsplit=1) for line in found.stdout.splitlines())


@cache
def module(program: str, path: str) -> Path:
    """The folder of a Go module in the version that a `go.mod` under `tools` requires.

    Raises:
        subprocess.CalledProcessError: it does not require the module, or cannot be reached.
    """
    loaded = subprocess.run(
        ["go", "mod", "download", "-json", path],
        cwd=TOOLS / program, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Path(json.loads(loaded.stdout)["Dir"])


# Below those that the kernel draws for clients: one of them could have a port by the time that a
# program wants to listen there, and another program's answers are hard to tell from wrong ones.
_PORTS = range(10_000, 32_768)
_ports = cycle(random.sample(_PORTS, len(_PORTS)))


def free_port() -> int:
    """A TCP port that nothing listens on, and that was not given before."""
    return next(filter(_is_free, _ports))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


def answers(url: str) -> bool:
    """Whether a probe is answered with 200."""
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60.0) -> float:
    """Wait until the condition holds; returns for how many seconds it took.

    Raises:
        TimeoutError: it did not hold in time.
    """
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
    return time.monotonic() - start


class Process:
    """A program that runs, and its log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.command, self.log = name, command, log
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(log.parent)}
        self._environment |= environment or {}
        self.popen = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.log.parent,
            )

    def ready(self, probe: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until the probe holds.

        Raises:
            RuntimeError: the program ended; the message has the end of its log.
            TimeoutError: it did not get ready in time.
        """

        def ended_or_ready() -> object:
            self.check()
            return probe()

        wait_for(ended_or_ready, f"{self.name} is ready", seconds)

    def check(self) -> None:
        """Check that it runs.

        Raises:
            RuntimeError: the program ended; the message has the end of its log.
        """
        if self.popen.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{self.tail}")

    @property
    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:])

    def stall(self) -> None:
        """Let it accept connections, as the kernel does for it, and never answer."""
        self.popen.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a stall."""
        self.popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        self.popen.kill()
        self.popen.wait()

    def stop(self, seconds: float = 20.0) -> None:
        """End it as Kubernetes would."""
        if self.popen.poll() is None:
            self.popen.terminate()
            self.popen.send_signal(signal.SIGCONT)
            try:
                self.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()

    def start_again(self) -> None:
        """Start it anew after its end."""
        self.popen = self._start()
