"""A stand-in for the Deployment controller and kubelets: what is wanted is ready, or never is."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Self

import urllib3

from tests.cluster.client import ApiError, Client, Json

_APPS = "apps/v1"


class Kubelet:
    """Fills in the status of every Deployment and DaemonSet, through the status subresource."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.refused: set[tuple[str, str]] = set()
        """Namespace and name of the workloads whose next pods never get ready."""
        self._stopped = threading.Event()
        kinds = ("Deployment", "DaemonSet")
        self._threads = [
            threading.Thread(target=self._follow, args=(kind,), daemon=True) for kind in kinds
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def _follow(self, kind: str) -> None:
        path = self.client.path(_APPS, kind)
        while not self._stopped.is_set():
            try:
                listing = self.client.call("GET", path)
                for obj in listing["items"]:
                    self._serve({"apiVersion": _APPS, "kind": kind} | obj)
                version = listing["metadata"]["resourceVersion"]
                with self.client.watch(path, version, 30) as events:
                    for event in events:
                        if event["type"] in ("ADDED", "MODIFIED"):
                            self._serve(event["object"])
            except (ApiError, urllib3.exceptions.HTTPError, OSError):
                self._stopped.wait(0.2)  # a fault that a test has made

    def _serve(self, obj: Json) -> None:
        meta = obj["metadata"]
        if obj.get("status", {}).get("observedGeneration") == meta["generation"]:
            return  # so that pods that are ready stay so, until something is changed
        ready = (meta["namespace"], meta["name"]) not in self.refused
        wanted = _deployment(obj, ready) if obj["kind"] == "Deployment" else _daemon_set(obj, ready)
        try:
            self.client.patch(obj, {"status": wanted}, sub="status", manager="kubelet")
        except ApiError as error:
            if error.status not in (404, 409):
                raise


def _deployment(obj: Json, ready: bool) -> Json:
    replicas = obj["spec"].get("replicas", 1)
    up = replicas if ready else 0
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    times = {"lastUpdateTime": now, "lastTransitionTime": now}
    available = "MinimumReplicasAvailable" if up == replicas else "MinimumReplicasUnavailable"
    progress = "NewReplicaSetAvailable" if up == replicas else "ReplicaSetUpdated"
    return {
        "observedGeneration": obj["metadata"]["generation"],
        "replicas": replicas,
        "updatedReplicas": replicas,
        "readyReplicas": up,
        "availableReplicas": up,
        "unavailableReplicas": replicas - up,
        "conditions": [
            {"type": "Available", "status": str(up == replicas), "reason": available} | times,
            {"type": "Progressing", "status": "True", "reason": progress} | times,
        ],
    }


def _daemon_set(obj: Json, ready: bool) -> Json:
    """One node, on which it runs unless Flagger's node selector finds none."""
    selector = obj["spec"]["template"]["spec"].get("nodeSelector") or {}
    wanted = 0 if "flagger.app/scale-to-zero" in selector else 1
    up = wanted if ready else 0
    return {
        "observedGeneration": obj["metadata"]["generation"],
        "currentNumberScheduled": wanted,
        "desiredNumberScheduled": wanted,
        "updatedNumberScheduled": wanted,
        "numberMisscheduled": 0,
        "numberReady": up,
        "numberAvailable": up,
    }
