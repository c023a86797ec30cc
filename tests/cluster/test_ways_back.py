"""How fast each way back takes browsers off a canary, and whether they leave before requests do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.cluster import proof
from tests.cluster.fixtures import needs_programs
from tests.cluster.lab import Lab, lab
from tests.cluster.law import is_router, labelled, share
from tests.cluster.observer import Revision, routed
from tests.cluster.rollout import NAME, Rollout

pytestmark = pytest.mark.slow

_INTERVAL = 10.0
"""Seconds between two of Flagger's checks in these rollouts."""

_SLACK = 5.0
"""Seconds for two cores to get to it."""


@dataclass(frozen=True)
class Way:
    """A way back: what is done, and after how many of Flagger's checks it must have worked."""

    told: str
    act: Callable[[Rollout], object]
    checks: int
    phase: str


def _command(*words: str) -> Callable[[Rollout], object]:
    def act(it: Rollout) -> object:
        environment = {
            "PATH": os.environ["PATH"], "KUBECONFIG": it.lab.plane.kubeconfig(it.namespace),
        }  # fmt: skip
        command = [sys.executable, "-m", "webhook", words[0], NAME, *words[1:], "-n", it.namespace]
        return subprocess.run(command, env=environment, check=True, capture_output=True)

    return act


WAYS = {
    "cap": Way("`lockstep cap frontend 0`", _command("cap", "0"), 0, "Progressing"),
    "rollback": Way("`lockstep rollback frontend`", _command("rollback"), 1, "Failed"),
    "checks": Way(
        "Flagger: 3 failed checks (`threshold: 3`)",
        lambda it: it.lab.front.failing.add(it.namespace),
        4,
        "Failed",
    ),
    "revert": Way(
        "the previous image applied again (`git revert`)",
        lambda it: it.release("web:1"),
        1,
        "Progressing",
    ),
}


@dataclass(frozen=True)
class Seen:
    """Seconds from the act until browsers, and until requests, were at 0; None: never."""

    browsers: float
    requests: float | None
    browsers_first: bool
    phase: str


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    needs_programs()
    with lab(tmp_path_factory.mktemp("ways")) as made, ThreadPoolExecutor(len(WAYS)) as pool:
        for _ in range(2):
            made.start_replica()
        running = {name: pool.submit(_go_back, made, name) for name in WAYS}
        found = {name: future.result() for name, future in running.items()}
        rows = {WAYS[name].told: _row(it) for name, it in found.items()}
        proof.write("ways-back", proof.rows(rows, ("what is done", "browsers, requests at 0")))
        yield found


def _go_back(made: Lab, name: str) -> Seen:
    way, it = WAYS[name], Rollout(made, name)
    it.create()
    it.release()
    it.routes(25)
    it.gives(25)
    began = time.monotonic()
    way.act(it)
    it.gives(0)
    if name != "cap":
        it.routes(0)
    it.reaches(way.phase)
    made.settled(name)
    after = [revision for revision in it.scene.ordered() if revision.at > began]
    browsers = next(it for it in after if _client(it) == 0)
    requests = next((it for it in after if is_router(it.kind) and routed(it.object) == 0), None)
    return Seen(
        browsers=browsers.at - began,
        requests=requests.at - began if requests else None,
        browsers_first=requests is None or browsers.rv < requests.rv,
        phase=it.phase,
    )


def _client(revision: Revision) -> int | None:
    """The number that a revision of a ConfigMap gives to browsers; None for any other object."""
    if revision.kind != "ConfigMap" or not labelled(revision.object):
        return None
    return share(revision.object)


def _row(it: Seen) -> str:
    requests = "as before" if it.requests is None else f"{it.requests:.1f} s"
    return f"{it.browsers:.1f} s, {requests}"


@pytest.mark.parametrize("name", WAYS)
def test_browsers_are_off_the_canary_in_time(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].browsers <= WAYS[name].checks * _INTERVAL + _SLACK


@pytest.mark.parametrize("name", WAYS)
def test_browsers_leave_before_requests_do(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].browsers_first


def test_a_cap_leaves_requests_where_they_are(seen: dict[str, Seen]) -> None:
    assert seen["cap"].requests is None


@pytest.mark.parametrize("name", WAYS)
def test_flagger_is_where_the_docs_say(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].phase == WAYS[name].phase
