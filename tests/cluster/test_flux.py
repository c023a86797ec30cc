"""Rollouts through the real kustomize-controller, by manifests/app and manifests/flux."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

import pytest
import yaml

from tests.cluster import flux, proof
from tests.cluster.client import Json
from tests.cluster.fixtures import needs_programs
from tests.cluster.flux import Git, kustomization, reconcile
from tests.cluster.lab import Lab, lab
from tests.cluster.law import judge, share, table
from tests.cluster.observer import Revision
from tests.cluster.rollout import NAME
from tests.cluster.through import Through

pytestmark = pytest.mark.slow

_SETTINGS = "manifests/app/settings/canary-settings.yaml"
_FALL = 5.0
"""Seconds within which browsers must be off the canary, Flux suspended or not."""


@dataclass(frozen=True)
class World:
    """A lab with Flux in it."""

    lab: Lab
    git: Git
    times: dict[str, str] = field(default_factory=dict)

    def rollout(self, namespace: str) -> Through:
        made = Through(self.lab, namespace)
        made.create()
        return made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    needs_programs()
    with lab(tmp_path_factory.mktemp("flux"), flux=True) as made, flux.git(made.client) as git:
        controller = flux.start_kustomize_controller(made.plane)
        made.start_replica()
        made.start_replica()
        yield World(made, git)
        controller.stop()


Play = Callable[[World], Through]


def _ordinary(world: World) -> Through:
    it = world.rollout("flux-success")
    it.release()
    it.reaches("Succeeded")
    return it


def _flags(world: World) -> Through:
    """FEATURE_FLAGS change in Git while browsers have 25 %."""
    it = world.rollout("flux-flags")
    it.release()
    it.gives(25)
    text = world.git.files[_SETTINGS].replace('"newCheckout": false', '"newCheckout": true')
    world.git.commit({_SETTINGS: text})
    it.waits(lambda: it.rendered and it.rendered["FEATURE_FLAGS"]["newCheckout"], "the flag came")
    assert it.rendered
    assert it.rendered["CANARY_PERCENTAGE"] >= 25, "a change in Git has lost the share"
    it.reaches("Succeeded")
    return it


def _suspended(world: World) -> Through:
    """Flux is suspended in mid-rollout, and then Flagger rolls back."""
    it = world.rollout("flux-suspended")
    it.release()
    it.shows(50, 120)
    it.suspend(True)
    world.lab.front.failing.add(it.namespace)
    it.routes(0)
    took = it.shows(0, _FALL)
    it.suspend(False)
    reconcile(it.lab.client, kustomization(it.namespace))
    time.sleep(2)
    assert it.rendered
    assert it.rendered["CANARY_PERCENTAGE"] == 0, "Flux brought the old number back"
    when = f"{took:.2f} s after the router" if took > 0.01 else "before the router"
    world.times["Flux suspended, then a rollback: browsers at 0"] = when
    return it


def _edited(world: World) -> Through:
    """Somebody puts a higher number into what Flux renders."""
    it = world.rollout("flux-edited")
    it.release()
    it.shows(25, 120)
    time.sleep(2)  # until Flux is at rest, and will not undo it by chance
    settings = it.scene.latest["ConfigMap", "canary-settings"]
    document = json.dumps({**json.loads(settings["data"]["config.json"]), "CANARY_PERCENTAGE": 90})
    it.lab.client.patch(settings, {"data": {"config.json": document}}, manager="kubectl-edit")
    it.shows(90, 5)
    took = it.shows(25, _FALL)
    world.times["a foreign edit of what Flux renders, upwards: undone"] = f"after {took:.1f} s"
    it.reaches("Succeeded")
    return it


PLAYS: dict[str, Play] = {
    "flux-success": _ordinary,
    "flux-flags": _flags,
    "flux-suspended": _suspended,
    "flux-edited": _edited,
}


@dataclass(frozen=True)
class Played:
    """How each play ended."""

    faults: dict[str, BaseException | None]
    revisions: dict[str, list[Revision]]


@pytest.fixture(scope="module")
def played(world: World) -> Played:
    with ThreadPoolExecutor(len(PLAYS)) as pool:
        running = {name: pool.submit(play, world) for name, play in PLAYS.items()}
        faults = {name: future.exception() for name, future in running.items()}
    for name in PLAYS:
        world.lab.settled(name)
    assert not world.lab.observer.failure
    revisions = {name: world.lab.observer.of(name).ordered() for name in PLAYS}
    proof.write("flux-law", table({name: judge(it) for name, it in revisions.items()}))
    latencies = [ms for it in revisions.values() for ms in _latencies(it)]
    world.times[f"variable to rendered ConfigMap, {len(latencies)} times"] = (
        f"median {median(latencies):.0f} ms, longest {max(latencies):.0f} ms"
    )
    proof.write("flux-times", proof.rows(world.times, ("what", "how long")))
    return Played(faults, revisions)


@pytest.mark.parametrize("name", PLAYS)
def test_a_rollout_through_flux(played: Played, name: str) -> None:
    if fault := played.faults[name]:
        raise fault


@pytest.mark.parametrize("name", ["flux-success", "flux-flags"])
def test_the_law_is_kept_through_flux(played: Played, name: str) -> None:
    seen = judge(played.revisions[name])
    assert (seen.above.revisions, seen.idle.revisions) == (0, 0), seen
    assert (seen.end.agree, seen.end.client) == (True, 0), seen
    assert seen.peak == 50, seen


def test_flux_is_the_only_writer_of_what_it_renders(played: Played) -> None:
    """In an ordinary rollout: Lockstep reads it back, and does not touch it."""
    for it in played.revisions["flux-success"]:
        if it.kind == "ConfigMap" and it.name == "canary-settings":
            managers = {entry["manager"] for entry in it.object["metadata"]["managedFields"]}
            assert managers == {"kustomize-controller"}


def test_each_step_waits_until_it_is_rendered(played: Played) -> None:
    """When the router takes the next step, browsers have had the one before."""
    shown = routed = 0
    for it in played.revisions["flux-success"]:
        if it.kind == "ConfigMap" and it.name == "canary-settings":
            shown = share(it.object)
        elif it.kind == "HTTPRoute":
            weights = [b.get("weight", 0) for r in it.object["spec"]["rules"]
                       for b in r["backendRefs"] if b["name"].endswith("-canary")]  # fmt: skip
            if weights[0] > routed:
                assert shown == routed, f"{weights[0]} % routed while browsers had {shown} %"
            routed = weights[0]


def test_what_a_reconcile_leaves_of_a_brake(world: World) -> None:
    """Flux strips what plain kubectl has set; ours, and Git's, stay."""
    it = world.rollout("flux-brakes")
    owner = _canary_from_git(world, it, {})
    kubectl = ("-n", it.namespace, "annotate", f"canary/{NAME}")
    world.lab.plane.kubectl(*kubectl, "lockstep/hold=true")
    _lockstep(world.lab, "cap", NAME, "10", "-n", it.namespace)
    reconcile(world.lab.client, owner)
    assert _brakes(it) == {"lockstep/cap": "10"}
    _canary_from_git(world, it, {"lockstep/hold": "true"})
    reconcile(world.lab.client, owner)
    assert _brakes(it) == {"lockstep/cap": "10", "lockstep/hold": "true"}
    told = _lockstep(world.lab, "hold", NAME, "-n", it.namespace, "--off")
    assert "Git" in told, "that Git will set it again must be told"
    reconcile(world.lab.client, owner)
    assert _brakes(it) == {"lockstep/cap": "10", "lockstep/hold": "true"}
    _canary_from_git(world, it, {})
    reconcile(world.lab.client, owner)
    _lockstep(world.lab, "cap", NAME, "-n", it.namespace, "--off")
    assert _brakes(it) == {}


def _canary_from_git(world: World, it: Through, annotations: dict[str, str]) -> Json:
    """Have Flux apply the Canary; returns the Kustomization that does."""
    canary = it.canary
    canary["metadata"]["annotations"] = annotations
    world.git.commit({"canary/canary.yaml": yaml.safe_dump(canary)})
    owner = kustomization(it.namespace)
    owner["metadata"]["name"] = "canary"
    owner["spec"] |= {"path": "./canary"}
    del owner["spec"]["postBuild"]
    world.lab.client.apply(owner)
    reconcile(world.lab.client, owner)
    return owner


def _brakes(it: Through) -> dict[str, str]:
    found = it.lab.client.get("flagger.app/v1beta1", "Canary", it.namespace, NAME)
    notes = found["metadata"].get("annotations", {})
    return {key: value for key, value in notes.items() if key.startswith("lockstep/")}


def _lockstep(made: Lab, *arguments: str) -> str:
    """What our command prints, as an operator runs it."""
    environment = {"KUBECONFIG": made.plane.kubeconfig("operator"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "webhook", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def _latencies(revisions: list[Revision]) -> Iterator[float]:
    """Milliseconds from each change of the variable to the render that has its number."""
    targets = [it for it in revisions if it.kind == "ConfigMap" and it.verb != "DELETED"]
    for before, now in pairwise(it for it in targets if it.name == "canary-vars"):
        if share(before.object) == share(now.object):
            continue
        later = (it for it in targets if it.name == "canary-settings" and it.rv > now.rv)
        rendered = next((it for it in later if share(it.object) == share(now.object)), None)
        if rendered and not _written_by_lockstep(rendered.object):
            yield (rendered.at - now.at) * 1000


def _written_by_lockstep(obj: Json) -> bool:
    return any(it["manager"] == "lockstep" for it in obj["metadata"]["managedFields"])
