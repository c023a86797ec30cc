"""What nodes and an ingress would make of the store: nginx, as Flagger's own objects ask for it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.cluster.rollout import NAME, Rollout
from tests.frontend.nginx import Pod
from tests.frontend.shop import Router

_LOOK = 0.5
"""Seconds between two looks whether it is to end."""


@dataclass(frozen=True)
class Wanted:
    """What the store asks for: images by Deployment, whether the canary runs, and its share."""

    stable: str
    canary: str
    runs: bool
    share: int


@dataclass
class DataPlane:
    """The pods of both Deployments and the router; a context manager, which follows inside of it.

    `sites` are what the images have, by name. The router is asked for pages at its `url`.
    """

    rollout: Rollout
    sites: Mapping[str, Path]
    primary: Pod
    canary: Pod
    router: Router
    _is: Wanted = field(init=False)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __enter__(self) -> Self:
        self._become(self._wanted())
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _wanted(self) -> Wanted:
        """What is stored now."""
        names = {"stable": f"{NAME}-primary", "canary": NAME}
        spec = {it: self.rollout.scene.latest["Deployment", names[it]]["spec"] for it in names}
        image = {it: spec[it]["template"]["spec"]["containers"][0]["image"] for it in names}
        return Wanted(**image, runs=spec["canary"]["replicas"] > 0, share=self.rollout.routed)

    def _follow(self) -> None:
        scene = self.rollout.scene
        while not self._over.is_set():
            if scene.wait(lambda: self._wanted() != self._is, _LOOK):
                with scene.heard:
                    now = self._wanted()
                self._become(now)

    def _become(self, now: Wanted) -> None:
        """Change what differs, so that no request meets a pod that is gone."""
        for pod, image in ((self.primary, now.stable), (self.canary, now.canary)):
            if pod.site != self.sites[image]:
                pod.show(self.sites[image])
        if now.runs and not self.canary.process:
            self.canary.start()
        if now.share != self.router.share:
            self.router.route(now.share)
        if not now.runs and self.canary.process:
            self.canary.end()
        self._is = now
