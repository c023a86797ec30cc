"""`lockstep serve-config` as a process: its start and end, real silence, and many browsers."""

import hashlib
import http.client
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests import world
from tests.service.test_serve import Process, serving
from tests.waiting import wait_for
from webhook import kinds
from webhook.demo.apiserver import ApiServer
from webhook.demo.store import Store

pytestmark = pytest.mark.slow

PATH = "/config/test/canary-settings.json"
CLIENTS = 24
SECONDS = 8.0


@pytest.fixture
def store() -> Store:
    store = Store()
    store.put(world.settings(0))
    return store


@pytest.fixture
def api(store: Store) -> Iterator[ApiServer]:
    with ApiServer(store) as api:
        yield api


@contextmanager
def serving_config(api: ApiServer, folder: Path, **variables: str) -> Iterator[Process]:
    with serving(api, folder, "serve-config", **variables) as process:
        wait_for(lambda: process.status(f"{process.read_url}/readyz") == 200, 15)
        yield process


def connect(process: Process) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", process.config_port, timeout=5)


def ask(connection: HTTPConnection, tag: str = "", path: str = PATH) -> tuple[HTTPResponse, bytes]:
    connection.request("GET", path, headers={"If-None-Match": tag} if tag else {})
    response = connection.getresponse()
    return response, response.read()


def code(connection: HTTPConnection) -> int:
    return ask(connection)[0].status


def test_it_serves_and_ends_when_told(api: ApiServer, store: Store, tmp_path: Path) -> None:
    with serving_config(api, tmp_path) as process, closing(connect(process)) as connection:
        response, body = ask(connection)
        settings: Any = store.get(kinds.CONFIG_MAP, world.SETTINGS)
        assert (response.status, body.decode()) == (200, settings["data"]["config.json"])
        assert response.headers["Content-Type"] == "application/json"
        assert ask(connection, response.headers["ETag"])[0].status == 304
        assert ask(connection, path="/event")[0].status == 404
        metrics = process.session.get(f"{process.read_url}/metrics", timeout=5).text
        assert 'lockstep_config_requests_total{code="200"} 1.0' in metrics
        assert process.status(f"{process.read_url}{PATH}") == 404
        began = time.monotonic()
        assert process.end() == 0  # although a browser's connection is still open
        assert time.monotonic() - began < 15
        assert process.lines() == []


def test_a_port_that_is_taken_is_named(api: ApiServer, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        variables = {"LOCKSTEP_CONFIG_BIND": address}
        with serving(api, tmp_path, "serve-config", **variables) as process:
            assert process.process.wait(15) == 2
            (line,) = process.lines()
    why = "Address already in use"
    assert line == f"lockstep: LOCKSTEP_CONFIG_BIND: cannot listen on {address}: {why}"


def test_after_15_seconds_of_silence_it_stops_to_answer(api: ApiServer, tmp_path: Path) -> None:
    with serving_config(api, tmp_path) as process, closing(connect(process)) as connection:
        api.pause()
        # Contact was when its watches were opened, a moment ago.
        assert 13 < wait_for(lambda: code(connection) == 503, 20) < 16
        assert process.status(f"{process.read_url}/readyz") == 503
        assert process.status(f"{process.read_url}/healthz") == 200
        api.resume()
        wait_for(lambda: code(connection) == 200, 20)
        levels = {json.loads(line)["level"] for line in process.lines()}
        assert levels <= {"WARNING"}


@dataclass
class Browser:
    """One keep-alive connection that asks again and again with the tag of its last answer."""

    connection: HTTPConnection
    known: dict[str, int]
    codes: Counter[int] = field(default_factory=Counter)
    problem: str = ""

    def run(self, until: float) -> None:
        tag, version = "", -1
        try:
            while time.monotonic() < until and not self.problem:
                response, body = ask(self.connection, tag)
                self.codes[response.status] += 1
                self.problem = self._judge(response, body, tag, version)
                tag = response.headers["ETag"]
                version = self.known.get(tag, -1)
        except (OSError, http.client.HTTPException) as error:
            self.problem = repr(error)

    def _judge(self, response: HTTPResponse, body: bytes, sent: str, version: int) -> str:
        tag = response.headers["ETag"]
        if response.status == 304:
            return "" if tag == sent and not body else f"304 with {tag} for {sent}"
        if response.status != 200:
            return f"{response.status}: {body!r}"
        if tag != tag_of(body):
            return f"{tag} does not belong to {body!r}"
        if self.known.get(tag, -1) <= version:
            return f"{body!r} is unknown, or older than what was sent before"
        return ""


def tag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def resident(worker: int) -> int:
    """The process's memory in KiB."""
    status = Path(f"/proc/{worker}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def worker_of(process: Process) -> int:
    arbiter = process.process.pid
    (worker,) = Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
    return int(worker)


def document(version: int) -> str:
    """About 20 kB, so that an answer that leaks is seen."""
    flags = {f"flag-{number}": "x" * 20 for number in range(500)}
    return json.dumps({"CANARY_PERCENTAGE": version % 101, "VERSION": version, "FLAGS": flags})


def test_many_browsers_get_what_is_true_and_memory_stays_flat(
    api: ApiServer, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known: dict[str, int] = {}

    def change(version: int) -> None:
        text = document(version)
        known[tag_of(text.encode())] = version
        store.patch(kinds.CONFIG_MAP, world.SETTINGS, {"data": {"config.json": text}})

    change(0)
    with serving_config(api, tmp_path) as process, ExitStack() as stack:
        worker = worker_of(process)
        connections = [stack.enter_context(closing(connect(process))) for _ in range(CLIENTS)]
        browsers = [Browser(it, known) for it in connections]
        began = time.monotonic()
        until = began + SECONDS
        threads = [threading.Thread(target=it.run, args=(until,)) for it in browsers]
        for thread in threads:
            thread.start()
        memory, version = [], 0
        while time.monotonic() < until:
            version += 1
            change(version)
            memory.append(resident(worker))
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        answer, _ = ask(browsers[0].connection)
        assert process.end() == 0
    assert [it.problem for it in browsers if it.problem] == []
    codes = sum((it.codes for it in browsers), Counter[int]())
    assert set(codes) == {200, 304}
    assert min(sum(it.codes.values()) for it in browsers) > 0
    assert known[answer.headers["ETag"]] == version
    # The first tenth is the warm-up: threads start and pools fill.
    steady = memory[len(memory) // 10 :]
    first, second = steady[: len(steady) // 2], steady[len(steady) // 2 :]
    rate = sum(codes.values()) / SECONDS
    with capsys.disabled():
        print(  # noqa: T201
            f"\nserve-config: {rate:.0f} requests/s over {CLIENTS} connections "
            f"({codes[200]} of 200, {codes[304]} of 304, {version} changes), RSS "
            f"{max(first) / 1024:.1f} MiB in the first half, {max(second) / 1024:.1f} in the second"
        )
    assert max(second) < 1.05 * max(first)
