"""The floor beneath Lockstep's latency: follows HTTPRoutes, and patches a ConfigMap, nothing else.

No Canary is looked at, nothing is read back, nothing else is told: what remains is the API server.
Run as a process of its own, with the API server's URL, its certificate and a token in FLOOR.
"""

from __future__ import annotations

import json
import os

from tests.cluster.client import Client, Json
from tests.cluster.observer import routed

ROUTES = ("gateway.networking.k8s.io/v1", "HTTPRoute")
NAME = "floor"


def target(namespace: str, share: int) -> Json:
    """Its ConfigMap in a namespace, which Lockstep does not touch: it has no label."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": namespace},
        "data": {"CANARY_PERCENTAGE": str(share)},
    }


def main() -> None:
    """Follow from now on, until ended."""
    client = Client(*json.loads(os.environ["FLOOR"]))
    path = client.path(*ROUTES)
    listing = client.call("GET", path)
    for route in listing["items"]:
        _write(client, {**route, "kind": ROUTES[1]})
    with client.watch(path, listing["metadata"]["resourceVersion"]) as events:
        for event in events:
            if event["type"] != "BOOKMARK":
                _write(client, event["object"])


def _write(client: Client, route: Json) -> None:
    made = target(route["metadata"]["namespace"], routed(route))
    client.patch(made, {"data": made["data"]}, manager=NAME)


if __name__ == "__main__":
    main()
