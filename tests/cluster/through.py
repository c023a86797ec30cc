"""One canary whose ConfigMap for browsers is rendered by the real kustomize-controller."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from tests.cluster.client import Json
from tests.cluster.flux import kustomization
from tests.cluster.rollout import Rollout


@dataclass(frozen=True)
class Through(Rollout):
    """A rollout whose ConfigMap for browsers is rendered by Flux."""

    def create(self) -> None:
        super().create()
        self.lab.client.apply(kustomization(self.namespace))
        self.waits(lambda: self.rendered is not None, "Flux has rendered canary-settings")

    @property
    def rendered(self) -> Json | None:
        """What browsers get."""
        found = self.scene.latest.get(("ConfigMap", "canary-settings"))
        return json.loads(found["data"]["config.json"]) if found else None

    def shows(self, share: int, seconds: float) -> float:
        """Wait until browsers get a share; for how many seconds that took.

        Raises:
            TimeoutError: they do not get it in time.
        """
        start = time.monotonic()

        def shown() -> bool:
            return bool(self.rendered and self.rendered["CANARY_PERCENTAGE"] == share)

        if not self.scene.wait(shown, seconds):
            raise TimeoutError(
                f"{self.namespace}: {self.rendered}, not {share} %, after {seconds} s"
            )
        return time.monotonic() - start

    def suspend(self, suspended: bool) -> None:
        """`flux suspend kustomization`, or resume."""
        self.lab.client.patch(kustomization(self.namespace), {"spec": {"suspend": suspended}})
