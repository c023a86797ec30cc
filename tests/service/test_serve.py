"""`lockstep serve` as a process: its listeners, its start and its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import yaml

from tests import world
from tests.cluster.programs import free_port
from tests.service.conftest import PAYLOAD, event
from tests.waiting import wait_for
from webhook.demo.apiserver import ApiServer

pytestmark = pytest.mark.slow


class Process:
    """A running `lockstep serve`, or another command, and how to talk to it."""

    def __init__(
        self,
        api: ApiServer,
        folder: Path,
        command: str = "serve",
        *,
        program: Sequence[str] = (sys.executable, "-m", "webhook"),
        cwd: Path | None = None,
        user: int | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        cluster = {"name": "lab", "cluster": {"server": api.url}}
        context = {"name": "lab", "context": {"cluster": "lab", "user": "lab"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "contexts": [context],
            "clusters": [cluster],
            "users": [{"name": "lab", "user": {}}],
        }
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        hooks, read, self.config_port = free_port(), free_port(), free_port()
        self.hooks_url, self.read_url = f"http://127.0.0.1:{hooks}", f"http://127.0.0.1:{read}"
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(folder / "kubeconfig"),
            "LOCKSTEP_HOOKS_BIND": f"127.0.0.1:{hooks}",
            "LOCKSTEP_READ_BIND": f"127.0.0.1:{read}",
            "LOCKSTEP_CONFIG_BIND": f"127.0.0.1:{self.config_port}",
        }
        self.output = (folder / "output").open("w+")
        self.process = subprocess.Popen(
            [*program, command],
            cwd=cwd,
            user=user,
            env=environment | dict(variables or {}),
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        self.session = requests.Session()
        self.session.trust_env = False

    def status(self, url: str) -> int | None:
        try:
            return self.session.get(url, timeout=5).status_code
        except requests.ConnectionError:
            return None

    def hook(self, name: str) -> requests.Response:
        return self.session.post(f"{self.hooks_url}/{name}", json=event("Advance"), timeout=10)

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        self.session.close()
        return code

    def lines(self) -> list[str]:
        self.output.seek(0)
        return self.output.read().splitlines()


@contextmanager
def serving(
    api: ApiServer, folder: Path, command: str = "serve", **variables: str
) -> Iterator[Process]:
    process = Process(api, folder, command, variables=variables)
    try:
        yield process
    finally:
        process.end(signal.SIGKILL)
        process.output.close()


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer(world.rollout(50, world.variables(25))) as api:
        yield api


def test_it_answers_hooks_probes_and_scrapes_on_two_ports(api: ApiServer, tmp_path: Path) -> None:
    with serving(api, tmp_path) as lockstep:
        wait_for(lambda: lockstep.status(f"{lockstep.read_url}/readyz") == 200, 15)
        assert lockstep.hook("confirm-traffic-increase").json()["reason"] == "InStep"
        assert "lockstep_client_share" in lockstep.session.get(f"{lockstep.read_url}/metrics").text
        assert lockstep.status(f"{lockstep.read_url}/event") == 404
        assert lockstep.status(f"{lockstep.hooks_url}/metrics") == 404
        assert lockstep.end() == 0
        lines = [json.loads(line) for line in lockstep.lines()]
    assert {line["level"] for line in lines} == {"INFO"}
    assert {line.get("hook") or line["trigger"] for line in lines} <= {
        "watch", "confirm-traffic-increase",
    }  # fmt: skip


def test_sigterm_lets_a_hook_that_has_begun_end(api: ApiServer, tmp_path: Path) -> None:
    with serving(api, tmp_path) as lockstep:
        wait_for(lambda: lockstep.status(f"{lockstep.read_url}/readyz") == 200, 15)
        api.delay(1.0, "list", "configmaps")
        answers: list[int] = []
        hook = threading.Thread(
            target=lambda: answers.append(lockstep.hook("confirm-promotion").status_code)
        )
        before = api.requests["list", "configmaps"]
        hook.start()
        wait_for(lambda: api.requests["list", "configmaps"] > before)
        assert lockstep.end() == 0
        hook.join()
    assert answers == [200]


def test_sigterm_under_load_drops_no_hook(api: ApiServer, tmp_path: Path) -> None:
    """Each caller keeps its connection, as Flagger does; then it is refused, and never cut off."""
    with serving(api, tmp_path) as lockstep:
        wait_for(lambda: lockstep.status(f"{lockstep.read_url}/readyz") == 200, 15)
        url = f"{lockstep.hooks_url}/confirm-promotion"
        answers: list[int] = []
        ends: list[str] = []

        def call() -> None:
            with requests.Session() as session:
                session.trust_env = False
                while True:
                    try:
                        answers.append(session.post(url, json=PAYLOAD, timeout=10).status_code)
                    except requests.ConnectionError as error:
                        ends.append(str(error))
                        return

        callers = [threading.Thread(target=call) for _ in range(8)]
        for caller in callers:
            caller.start()
        wait_for(lambda: len(answers) > 100, 15)
        assert lockstep.end() == 0
        for caller in callers:
            caller.join()
    assert set(answers) == {200}
    assert [end for end in ends if "Connection refused" not in end] == []


def test_probes_are_answered_while_every_hook_thread_waits(api: ApiServer, tmp_path: Path) -> None:
    with serving(api, tmp_path) as lockstep:
        wait_for(lambda: lockstep.status(f"{lockstep.read_url}/readyz") == 200, 15)
        api.pause()
        url = f"{lockstep.hooks_url}/confirm-promotion"
        hooks = [
            threading.Thread(target=lambda: requests.post(url, json=PAYLOAD, timeout=20))
            for _ in range(40)
        ]
        for hook in hooks:
            hook.start()
        assert wait_for(lambda: lockstep.status(f"{lockstep.read_url}/healthz") == 200) < 1
        api.resume()
        for hook in hooks:
            hook.join()


def test_requests_that_stop_in_their_middle_do_not_keep_the_hooks(
    api: ApiServer, tmp_path: Path
) -> None:
    with serving(api, tmp_path) as lockstep, ExitStack() as stack:
        wait_for(lambda: lockstep.status(f"{lockstep.read_url}/readyz") == 200, 15)
        address = urlsplit(lockstep.hooks_url)
        head = b"POST /event HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"
        for number in range(40):
            stalled = socket.create_connection((address.hostname, address.port))
            stack.enter_context(stalled)
            stalled.sendall(head + (b"\r\n{" if number % 2 else b""))
        assert lockstep.hook("confirm-promotion").status_code == 200


WRONG = [
    ({"LOCKSTEP_HOOK_DEADLINE": "soon"}, "LOCKSTEP_HOOK_DEADLINE: 'soon' is no duration"),
    ({"KUBECONFIG": "/none", "HOME": "/none"}, "no cluster to talk to"),
]


@pytest.mark.parametrize(("variables", "says"), WRONG)
def test_what_is_wrong_at_the_start_is_one_line_and_exit_code_2(
    api: ApiServer, tmp_path: Path, variables: dict[str, str], says: str
) -> None:
    with serving(api, tmp_path, **variables) as lockstep:
        assert lockstep.process.wait(15) == 2
        (line,) = lockstep.lines()
    assert line.startswith("lockstep: ")
    assert says in line


@pytest.mark.parametrize("variable", ["LOCKSTEP_HOOKS_BIND", "LOCKSTEP_READ_BIND"])
def test_a_port_that_is_taken_is_named(api: ApiServer, tmp_path: Path, variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with serving(api, tmp_path, **{variable: address}) as lockstep:
            assert lockstep.process.wait(15) == 2
            (line,) = lockstep.lines()
    assert line == f"lockstep: {variable}: cannot listen on {address}: Address already in use"
