"""The service that the demo starts: told clearly when it fails, and never left behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from webhook.demo.serving import Serving, ServingError


def children(pid: int) -> list[str]:
    command = ["ps", "-o", "pid=", "--ppid", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()


def alive(pid: str) -> bool:
    return Path("/proc", pid).exists()


def test_a_service_that_ends_at_once_is_told_with_its_output(tmp_path: Path) -> None:
    serving = Serving("http://127.0.0.1:1", tmp_path, lambda _: None)
    (tmp_path / "kubeconfig").unlink()
    with pytest.raises(ServingError) as error, serving:
        pass
    assert "`lockstep serve` ended by itself with exit code 2. Its output:" in str(error.value)
    assert "no cluster to talk to" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_ended_leaves_no_process_behind(sign: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "webhook", "demo", "--scenario", "success"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout
        assert demo.stdout.readline().startswith("1 recorded rollout")
        demo.stdout.readline()
        services = children(demo.pid)
        demo.send_signal(sign)
        demo.stdout.read()
        assert demo.wait(20) == code
    assert services
    assert not [pid for pid in services if alive(pid)]


@pytest.mark.slow
def test_a_demo_whose_service_dies_ends_with_its_output() -> None:
    command = [sys.executable, "-m", "webhook", "demo", "--scenario", "success"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdout=pipe, stderr=pipe) as demo:
        assert demo.stdout
        demo.stdout.readline()
        demo.stdout.readline()
        subprocess.run(["kill", "-TERM", *children(demo.pid)], check=True)
        _, complaint = demo.communicate(timeout=30)
        assert demo.returncode == 1
    assert "lockstep demo: `lockstep serve` ended by itself with exit code" in complaint
