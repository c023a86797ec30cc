"""A shop that is released by canary: a cluster, Lockstep, both builds' pods and the router."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests import world
from tests.cluster.programs import free_port
from tests.frontend.builds import Builds
from tests.frontend.cluster import Cluster, Json
from tests.frontend.lockstep import Lockstep, running
from tests.frontend.nginx import Nginx, Pod
from tests.waiting import wait_for

RELEASE = "abc123"
"""What world.canary() has as `lastAppliedSpec`."""

_ROUTER = """
worker_processes 1;
pid @tmp@/nginx.pid;
error_log /dev/stderr crit;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path @tmp@/body;
    proxy_temp_path @tmp@/proxy;
    fastcgi_temp_path @tmp@/fastcgi;
    uwsgi_temp_path @tmp@/uwsgi;
    scgi_temp_path @tmp@/scgi;
    access_log off;
    split_clients $request_id $pod {{
        {split}* {primary};
    }}
    server {{
        listen {listen};
        proxy_set_header Host $http_host;
        proxy_http_version 1.1;
        location / {{
            proxy_pass http://$pod;
        }}
        location ~ ^/(stable|canary|config|lockstep)/ {{
            proxy_pass http://{primary};
        }}
    }}
}}
"""


@dataclass
class Router(Nginx):
    """An ingress: the page by weight, as Flagger's route says, the rest by frontend/deploy's."""

    configuration: str = ""
    primary: str = ""
    canary: str = ""
    share: int = 0

    def __post_init__(self) -> None:
        self.configuration = self._weighted(0)

    def route(self, share: int) -> None:
        self.share = share
        self.write(self._weighted(share))
        self.reload()

    def _weighted(self, share: int) -> str:
        # 100 % leaves nothing for the rest, and 0 % is no part at all.
        split = f"{share}% {self.canary}; " if 0 < share < 100 else ""
        rest = self.canary if share == 100 else self.primary
        return _ROUTER.format(listen=self.address, split=split, primary=rest)


@dataclass
class Shop:
    """What runs, and what Flagger would do with it."""

    cluster: Cluster
    serve: Lockstep
    endpoint: Lockstep
    primary: Pod
    canary: Pod
    router: Router
    namespace: str
    routed: int = 0
    session: requests.Session = field(default_factory=requests.Session)

    def put(self, obj: Json) -> None:
        meta = {**obj["metadata"], "namespace": self.namespace}
        meta.pop("uid", None)
        self.cluster.put({**obj, "metadata": meta})

    def share(self, pod: Pod | None = None) -> int:
        """What the nginx of a pod, the primary's if not told, tells browsers now."""
        url = (pod or self.primary).url
        answer = self.session.get(f"{url}/config/canary.json", timeout=5)
        answer.raise_for_status()
        stale = "Lockstep-Stale" in answer.headers
        return 0 if stale else int(answer.json()["CANARY_PERCENTAGE"])

    def route(self, share: int) -> None:
        """Shift traffic: the object that Flagger writes, and what the ingress makes of it."""
        self.routed = share
        self.put(route(share))
        self.router.route(share)

    def step(self, share: int) -> None:
        """One step of a rollout, and wait until browsers have it."""
        self.hook("confirm-traffic-increase")
        self.route(share)
        wait_for(lambda: {self.share(pod) for pod in (self.primary, self.canary)} == {share})

    def hook(self, name: str, message: str = "") -> None:
        """Call Lockstep as Flagger does, and go on only when it agrees."""
        at = str(round(time.time() * 1000))
        payload = {
            "name": world.WEB.name,
            "namespace": self.namespace,
            "phase": "Progressing",
            "checksum": "1",
            "metadata": {"eventMessage": message, "eventType": "Normal", "timestamp": at},
        }
        url = f"{self.serve.hooks}/{name}"
        wait_for(lambda: self.session.post(url, json=payload, timeout=10).status_code == 200)

    def phase(self, phase: str) -> None:
        self.put(canary(phase))

    def scale_up(self) -> None:
        """Start a rollout: the canary's pods come, and nothing is routed to them."""
        self.put(deployment(1))
        if not self.canary.process:
            self.canary.start()
        self.session.get(f"{self.canary.url}/healthz", timeout=5)  # its readiness probe
        self.phase("Progressing")
        self.route(0)

    def scale_down(self) -> None:
        self.put(deployment(0))
        self.canary.end()

    def roll_back(self) -> None:
        """As Flagger does after too many failed checks."""
        self.hook("event", "Rolling back web.test failed checks threshold reached 5")
        self.route(0)
        self.hook("event", "Canary failed! Scaling down web.test")
        self.scale_down()
        self.phase("Failed")

    def promote(self, site: Path) -> None:
        """The primary gets the canary's image, all traffic, and the canary's pods go."""
        self.phase("Promoting")
        self.primary.show(site)
        self.hook("event", "Routing all traffic to primary")
        self.route(0)
        self.phase("Finalising")
        self.scale_down()
        self.phase("Succeeded")

    def stop(self) -> None:
        self.session.close()


def canary(phase: str) -> Json:
    """The Canary, whole enough for its real schema; so are the two below."""
    obj = world.canary(phase)
    obj["spec"]["analysis"] |= {"threshold": 5, "maxWeight": 50, "stepWeight": 25}
    return obj


def deployment(replicas: int) -> Json:
    obj = world.deployment(replicas)
    labels = {"app": world.WEB.name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "nginx", "image": "shop:1"}]},
    }
    obj["spec"] |= {"selector": {"matchLabels": labels}, "template": template}
    return obj


def route(share: int) -> Json:
    obj = world.route(share)
    obj["spec"]["parentRefs"] = [{"name": "public", "namespace": "gateways"}]
    return obj


def settings(share: int) -> Json:
    obj = world.settings(share, "write")
    document = {
        "CANARY_PERCENTAGE": share,
        "CANARY_RELEASE": "none",
        "FEATURE_FLAGS": {"newCheckout": True},
    }
    return obj | {"data": {"config.json": json.dumps(document, indent=2)}}


@contextmanager
def opened(cluster: Cluster, namespace: str, builds: Builds, folder: Path) -> Iterator[Shop]:
    """The shop before a rollout: blue is stable, green would be the canary."""
    mounted = builds.folder / "mounted"
    mounted.mkdir(exist_ok=True)
    (mounted / "config.json").write_text(settings(50)["data"]["config.json"])
    ports = free_port(), free_port()
    first, second = (f"127.0.0.1:{port}" for port in ports)
    with ExitStack() as stack:
        commands: Sequence[str] = ("serve", "serve-config")
        serve, endpoint = (
            stack.enter_context(
                running(it, cluster.kubeconfig, folder, LOCKSTEP_NAMESPACE=namespace)
            )
            for it in commands
        )
        where = f"http://{endpoint.config}/config/{namespace}/{world.SETTINGS.name}.json"
        known: dict[str, Any] = {
            "stable": first, "canary": second, "config": where, "mounted": mounted,
        }  # fmt: skip
        primary = stack.enter_context(Pod(port=ports[0], site=builds.blue, **known))
        green = stack.enter_context(Pod(port=ports[1], site=builds.green, **known))
        router = stack.enter_context(Router(primary=first, canary=second))
        shop = Shop(cluster, serve, endpoint, primary, green, router, namespace)
        stack.callback(shop.stop)
        shop.session.trust_env = False
        for obj in (canary("Initialized"), deployment(0), route(0), settings(0)):
            shop.put(obj)
        wait_for(lambda: endpoint.ready() and serve.ready() and not _stale(shop), 20)
        yield shop


def _stale(shop: Shop) -> bool:
    answer = shop.session.get(f"{shop.primary.url}/config/canary.json", timeout=5)
    return "Lockstep-Stale" in answer.headers
