"""Every path that Flagger takes, as a few steps with a real canary."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.rollout import HOOKS, MINIMAL, NAME, Rollout

_BETWEEN = 3.0
"""Seconds to let something be that must not change: longer than a hook, shorter than a check."""


@dataclass(frozen=True)
class Scenario:
    """A canary, what is done with it, and what must have been seen.

    `peak` is the highest client share, 0-100; `phases` those that it must have gone through, in
    order. `unannounced`: Flagger steps down without a word beforehand: the watch has 250 ms.
    `by_hand`: somebody scales the canary down, which nobody announces either. `capped`: browsers
    are to have less than is routed.
    """

    name: str
    play: Callable[[Rollout], None]
    peak: int = 50
    phases: Sequence[str] = ("Initialized", "Progressing", "Promoting", "Finalising", "Succeeded")
    spec: Mapping[str, Any] = field(default_factory=dict)
    analysis: Mapping[str, Any] = field(default_factory=dict)
    hooks: Sequence[str] = HOOKS
    workload: str = "Deployment"
    unannounced: bool = False
    by_hand: bool = False
    capped: bool = False


def _succeeds(it: Rollout) -> None:
    it.release()
    it.reaches("Succeeded")


def _held_at_a_step(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.annotate(hold="true")
    time.sleep(25)  # two checks of Flagger's
    assert it.routed == 25, "Flagger went on in spite of the hold"
    it.annotate(hold=None)
    it.reaches("Succeeded")


def _waits_for_rollout(it: Rollout) -> None:
    it.annotate(hold="true")
    it.release()
    it.reaches("Waiting")
    time.sleep(_BETWEEN)
    it.annotate(hold=None)
    it.reaches("Succeeded")


def _waits_for_promotion(it: Rollout) -> None:
    it.release()
    it.gives(50)
    it.annotate(hold="true")
    it.reaches("WaitingPromotion")
    time.sleep(_BETWEEN)
    it.annotate(hold=None)
    it.reaches("Succeeded")


def _rolled_back_by_hand(it: Rollout) -> None:
    it.release()
    it.gives(50)
    it.annotate(rollback="true")
    it.reaches("Failed")


def _fails_its_checks(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.lab.front.failing.add(it.namespace)
    it.reaches("Failed")


def _canary_never_ready(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.lab.kubelet.refused.add((it.namespace, NAME))
    it.release("web:3")
    it.reaches("Failed")


def _canary_dies_at_a_step(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.lab.kubelet.refused.add((it.namespace, NAME))
    # Any change of it lets the stand-in look again; this one is no new revision to Flagger.
    it.lab.client.patch(it.found("Deployment"), {"spec": {"minReadySeconds": 1}})
    it.reaches("Failed")


def _primary_never_ready(it: Rollout) -> None:
    it.lab.kubelet.refused.add((it.namespace, f"{NAME}-primary"))
    it.release()
    it.reaches("Failed")


def _released_after_a_failed_promotion(it: Rollout) -> None:
    _primary_never_ready(it)
    it.gives(100)
    it.lab.kubelet.refused.discard((it.namespace, f"{NAME}-primary"))
    it.lab.client.patch(it.found("Deployment"), {"spec": {"minReadySeconds": 1}})
    primary = it.scene.latest["Deployment", f"{NAME}-primary"]
    it.lab.client.patch(primary, {"spec": {"minReadySeconds": 1}})
    it.release("web:3")
    it.reaches("Succeeded")


def _new_revision(it: Rollout) -> None:
    it.release()
    it.gives(50)
    it.release("web:3")
    it.routes(0)
    it.reaches("Succeeded")


def _back_to_the_promoted(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.release("web:1")
    it.routes(0)
    it.reaches("Succeeded")


def _skip_switched_on(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.change(skipAnalysis=True)
    it.reaches("Succeeded")


def _suspended_and_scaled(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.change(suspend=True)
    time.sleep(12)  # Flagger's next check passes it by
    it.scale(0)
    it.gives(0)


def _deleted(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.delete()
    it.gives(0)


def _made_anew(it: Rollout) -> None:
    _deleted(it)
    assert it.routed == 25, "the router object has not survived: there is nothing to see"
    it.lab.client.apply(it.canary)
    it.waits(lambda: it.phase == "Initializing", "Flagger takes it up again")
    it.reaches("Initialized", "Progressing", "Succeeded")
    it.release("web:3")
    it.reaches("Succeeded")


def _edited_by_hand(it: Rollout) -> None:
    it.release()
    it.gives(50)
    it.route_by_hand(10)
    it.gives(10)
    it.reaches("Succeeded")


def _capped(it: Rollout) -> None:
    it.release()
    it.gives(25)
    it.annotate(cap="10")
    it.gives(10)
    it.reaches("Succeeded")
    it.annotate(cap=None)


def _both_gates(it: Rollout) -> None:
    """Flagger asks before it routes everything to the canary, and before it promotes it."""
    it.release()
    it.routes(100)
    it.reaches("Succeeded")
    gates = [call for call in it.lab.front.of(it.namespace) if call.hook == "confirm-promotion"]
    assert [call.status for call in gates] == [200, 200]


_FAILED = ("Initialized", "Progressing", "Failed")
_STEPS = {"stepWeights": [1, 25, 50]}
_INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": NAME}
_ROUTE = {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": NAME}


def _on(provider: str, **spec: object) -> Scenario:
    name = provider.replace(":", "-")
    return Scenario(name, _succeeds, analysis=_STEPS, spec={"provider": provider, **spec})


PROVIDERS = [
    _on("istio"),
    _on("gatewayapi:v1"),
    _on("gatewayapi:v1beta1"),
    _on("nginx", ingressRef=_INGRESS),
    _on("skipper", ingressRef=_INGRESS),
    _on("traefik"),
    _on("contour"),
    _on("apisix", routeRef=_ROUTE),
    _on("kuma"),
    _on("gloo"),
    _on("linkerd"),
    _on("osm"),
    _on("smi:v1alpha1"),
    _on("smi:v1alpha2"),
    _on("smi:v1alpha3"),
    _on("appmesh:v1beta2"),
]
"""A success on each provider that Flagger drives with nothing but the definitions there."""

_SKIPPED = ("Initialized", "Progressing", "Succeeded")

PATHS = [
    Scenario("success", _succeeds),
    Scenario("daemon-set", _succeeds, workload="DaemonSet"),
    Scenario("step-weights", _succeeds, peak=80, analysis={"stepWeights": [1, 2, 10, 80]}),
    Scenario("overshoot", _succeeds, peak=60, analysis={"stepWeight": 30, "maxWeight": 50}),
    Scenario("hold-at-a-step", _held_at_a_step),
    Scenario(
        "waiting-for-rollout", _waits_for_rollout,
        phases=("Waiting", "Progressing", "Promoting", "Succeeded"),
    ),
    Scenario(
        "waiting-for-promotion", _waits_for_promotion,
        phases=("Progressing", "WaitingPromotion", "Promoting", "Succeeded"),
        hooks=[hook for hook in HOOKS if hook != "confirm-traffic-increase"],
    ),
    Scenario("manual-rollback", _rolled_back_by_hand, phases=_FAILED),
    Scenario("failed-checks", _fails_its_checks, peak=25, phases=_FAILED),
    Scenario(
        "canary-never-ready", _canary_never_ready, peak=25, phases=_FAILED,
        spec={"progressDeadlineSeconds": 15},
    ),
    Scenario(
        "deadline-at-a-step", _canary_dies_at_a_step, peak=25, phases=_FAILED, unannounced=True,
        spec={"progressDeadlineSeconds": 15},
    ),
    Scenario(
        "primary-never-ready", _primary_never_ready, peak=100, unannounced=True,
        phases=("Progressing", "Promoting", "Failed"), spec={"progressDeadlineSeconds": 15},
    ),
    Scenario(
        "release-after-failed-promotion", _released_after_a_failed_promotion, peak=100,
        phases=("Progressing", "Promoting", "Failed", "Progressing", "Succeeded"),
        unannounced=True, spec={"progressDeadlineSeconds": 15},
    ),
    Scenario("new-revision", _new_revision),
    Scenario(
        "back-to-the-promoted", _back_to_the_promoted, phases=("Progressing", "Succeeded"),
    ),
    Scenario(
        "gradual-step-down", _succeeds, unannounced=True,
        analysis={"stepWeight": 25, "maxWeight": 50, "stepWeightPromotion": 25},
    ),
    Scenario("blue-green", _both_gates, peak=100, analysis={"iterations": 2}),
    Scenario(
        "plain-kubernetes", _succeeds, peak=0, spec={"provider": "kubernetes"},
        analysis={"iterations": 2},
    ),
    Scenario(
        "a-b", _succeeds, peak=0,
        analysis={"iterations": 2, "match": [{"headers": {"x-canary": {"exact": "insider"}}}]},
    ),
    Scenario(
        "mirroring", _succeeds, spec={"provider": "istio"},
        analysis={"mirror": True, "stepWeight": 25, "maxWeight": 50},
    ),
    Scenario(
        "session-affinity", _succeeds, spec={"provider": "istio"},
        analysis={**_STEPS, "sessionAffinity": {"cookieName": "flagger-cookie", "maxAge": 60}},
    ),
    Scenario("analysis-skipped", _succeeds, peak=0, phases=_SKIPPED, spec={"skipAnalysis": True}),
    Scenario(
        "skip-switched-on", _skip_switched_on, peak=25, phases=_SKIPPED, unannounced=True,
    ),
    Scenario(
        "suspended-and-scaled", _suspended_and_scaled, peak=25, phases=("Progressing",),
        by_hand=True,
    ),
    Scenario("deleted", _deleted, peak=25, phases=("Progressing",)),
    Scenario(
        "deleted-with-revert", _deleted, peak=25, phases=("Progressing",), unannounced=True,
        spec={"revertOnDeletion": True},
    ),
    Scenario("made-anew-over-its-router", _made_anew, phases=("Progressing",), unannounced=True),
    Scenario("edited-by-hand", _edited_by_hand, peak=60, unannounced=True),
    Scenario("capped", _capped, peak=25, capped=True),
    Scenario("two-hooks-only", _succeeds, hooks=MINIMAL, unannounced=True, by_hand=True),
]  # fmt: skip
"""The other paths, on the Gateway API unless they say otherwise."""
