"""`lockstep serve` as a process of its own, and what it uses of the machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.results import Memory
from webhook.demo.serving import free_addresses

_READY_SECONDS = 60
_STOP_SECONDS = 15
_REST_SECONDS = 180
_TICKS = os.sysconf("SC_CLK_TCK")
_AT_REST = 0.03
"""The share of a core, over `_CALM_SECONDS`, below which it has dealt with what it was told."""

_CALM_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Lockstep:
    """A running `lockstep serve`, which answers hooks under `url`."""

    url: str
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return sum(_ticks(pid) for pid in self._pids()) / _TICKS

    def memory(self) -> Memory:
        """What it holds now."""
        rollups = [_rollup(pid) for pid in self._pids()]
        rss = max(rollup["Rss"] for rollup in rollups)
        return Memory(rss / 1e6, sum(rollup["Pss"] for rollup in rollups) / 1e6)

    def busy(self, seconds: float) -> float:
        """The share of one core that it uses in the next so many seconds."""
        before, began = self.cpu(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu() - before) / (time.monotonic() - began)

    def wait_for_rest(self) -> None:
        """Wait until it has dealt with all that it was told.

        Raises:
            TimeoutError: it does not come to rest.
        """
        end = time.monotonic() + _REST_SECONDS
        while self.busy(_CALM_SECONDS) > _AT_REST:
            if time.monotonic() > end:
                raise TimeoutError(f"lockstep serve was still busy after {_REST_SECONDS} s")

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


@contextmanager
def serving(kubeconfig: Path, folder: Path) -> Iterator[Lockstep]:
    """A `lockstep serve` with its default settings, ready; its log goes to a file in `folder`."""
    hooks, read = free_addresses(2)
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(kubeconfig),
        "LOCKSTEP_HOOKS_BIND": hooks,
        "LOCKSTEP_READ_BIND": read,
    }
    log = folder / "lockstep.log"
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "webhook", "serve"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(process, f"http://{read}/readyz", log)
        yield Lockstep(f"http://{hooks}", process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"lockstep serve is not ready; its log:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


def _ticks(pid: int) -> int:
    """User and system time; after the command's name, which may hold spaces (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _rollup(pid: int) -> dict[str, int]:
    """The sums over the process's mappings, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    parts = (line.split() for line in lines)
    return {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes, *_ in parts}
