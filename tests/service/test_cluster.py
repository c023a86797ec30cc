"""What `Cluster` makes of the API server's answers, and of having none."""

import socket
import threading
import time
from pathlib import Path

import pytest
from kubernetes.client import Configuration

from tests import world
from tests.service.conftest import Lab
from tests.waiting import wait_for
from webhook import errors, kinds
from webhook.cluster import Cluster, ConfigurationError, connect
from webhook.deadline import Deadline
from webhook.kinds import Name, Selection

SOON = Deadline(float("inf"))
TARGETS = Selection(kinds.CONFIG_MAP, "test", "lockstep/canary=web")
NOBODY = Name("test", "nobody")


def soon() -> Deadline:
    return Deadline.after(2)


def test_a_missing_object_and_a_missing_kind_are_both_not_found(lab: Lab) -> None:
    with pytest.raises(errors.NotFoundError, match=r"get Canary test/nobody: .*not found"):
        lab.cluster.get(kinds.CANARY, NOBODY, soon())
    lab.api.unregister(kinds.CANARY)
    with pytest.raises(errors.NotFoundError):
        lab.cluster.get(kinds.CANARY, world.WEB, soon())


def test_a_stale_version_is_a_conflict(lab: Lab) -> None:
    patch = {"metadata": {"resourceVersion": "1"}, "data": {"x": "y"}}
    with pytest.raises(errors.ConflictError, match="patch ConfigMap test/canary-vars"):
        lab.cluster.patch(kinds.CONFIG_MAP, world.VARS, patch, soon())


def test_what_the_api_server_refuses_is_forbidden_or_rejected(lab: Lab) -> None:
    lab.api.deny("patch", "configmaps")
    with pytest.raises(errors.ForbiddenError):
        lab.cluster.patch(kinds.CONFIG_MAP, world.VARS, {}, soon())
    lab.api.allow("patch", "configmaps")
    with pytest.raises(errors.RejectedError):
        lab.cluster.patch(kinds.CONFIG_MAP, world.VARS, {"data": {"n": 1}}, soon())


def test_a_list_has_the_kind_of_its_items_and_a_version(lab: Lab) -> None:
    listing = lab.cluster.list(TARGETS, soon())
    assert [it["kind"] for it in listing.items] == ["ConfigMap"]
    assert int(listing.version) > 0


def test_a_name_cannot_leave_its_place_in_the_path(lab: Lab) -> None:
    with pytest.raises(errors.NotFoundError):
        lab.cluster.get(kinds.CANARY, Name("test", "../../test/canaries/web"), soon())


def test_a_deadline_that_has_passed_makes_no_request(lab: Lab) -> None:
    with pytest.raises(errors.DeadlineError):
        lab.cluster.get(kinds.CANARY, world.WEB, Deadline.after(-1))
    assert not lab.api.requests


def test_a_server_that_falls_silent_in_the_middle_is_given_up() -> None:
    with silent_server(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") as cluster:
        start = time.monotonic()
        with pytest.raises(errors.UnavailableError):
            cluster.get(kinds.CANARY, world.WEB, Deadline.after(0.3))
        assert time.monotonic() - start < 1


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<html",
    b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"",
]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_that_makes_no_sense_is_unavailable(answer: bytes) -> None:
    unavailable = pytest.raises(errors.UnavailableError, match="get Canary test/web: ")
    with silent_server(answer, hang=False) as cluster, unavailable:
        cluster.get(kinds.CANARY, world.WEB, soon())


def test_a_connection_that_the_server_closed_while_idle_is_no_error(lab: Lab) -> None:
    for _ in range(3):
        lab.cluster.get(kinds.CANARY, world.WEB, soon())
        lab.api.cut_watches()
    assert lab.metric("lockstep_api_errors_total") is None


def test_a_watch_tells_changes_until_it_is_stopped(lab: Lab) -> None:
    version = lab.cluster.list(TARGETS, soon()).version
    seen: list[str] = []
    with lab.cluster.watch(TARGETS, version, 8, 10.0) as watch:
        thread = threading.Thread(target=lambda: seen.extend(str(change) for change, _ in watch))
        thread.start()
        lab.store.put(world.variables(50))
        wait_for(lambda: "MODIFIED" in seen or seen)
        watch.stop()
        thread.join(2)
        assert not thread.is_alive()
    assert seen[0] == "MODIFIED"


def test_a_watch_of_a_silent_server_ends_with_an_error(lab: Lab) -> None:
    version = lab.cluster.list(TARGETS, soon()).version
    watch = lab.cluster.watch(TARGETS, version, 8, 0.3)
    lab.api.pause()
    with watch, pytest.raises(errors.UnavailableError, match="watch configmaps labelled"):
        list(watch)
    lab.api.resume()


def test_without_a_cluster_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", "/none")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="set KUBECONFIG"):
        connect(lambda _verb: None)


class silent_server:  # noqa: N801 - reads as a function
    """Answers one request with some bytes, and then keeps the connection open or closes it."""

    def __init__(self, answer: bytes, *, hang: bool = True) -> None:
        self._answer = answer
        self._hang = hang
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Cluster:
        self._thread.start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._cluster = Cluster(configuration, lambda _verb: None)
        return self._cluster

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._cluster.close()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(2)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(self._answer)
                if self._hang:
                    self._over.wait(5)
