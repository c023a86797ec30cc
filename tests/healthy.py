"""A frontend with everything that Lockstep wants, as manifests; tests break one thing of it."""

import copy
from pathlib import PurePath
from typing import Any

import yaml

from webhook.doctor.findings import Finding
from webhook.doctor.snapshot import Item, Snapshot, item
from webhook.doctor.table import examine
from webhook.doctor.world import World, world

Json = dict[str, Any]
APP, SETTINGS, FLUX = PurePath("app"), PurePath("app/settings"), PurePath("flux")

MANIFESTS = {
    APP: """
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: frontend, namespace: shop}
spec:
  provider: gatewayapi:v1
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: frontend}
  service: {port: 80}
  analysis:
    interval: 1m
    maxWeight: 50
    stepWeight: 10
    webhooks:
      - {name: start, type: confirm-rollout, url: http://lockstep.sys/confirm-rollout, timeout: 5s}
      - {name: step, type: confirm-traffic-increase, url: http://lockstep.sys/confirm-traffic-increase}
      - {name: back, type: rollback, url: http://lockstep.sys/rollback, timeout: 5s}
      - {name: event, type: event, url: http://lockstep.sys/event, timeout: 5s}
      - {name: load, type: rollout, url: http://loadtester.test/, timeout: 1s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: frontend, namespace: shop}
spec:
  template:
    spec:
      containers:
        - name: nginx
          volumeMounts: [{name: settings, mountPath: /etc/frontend}]
          env: [{name: CONFIG, value: "http://lockstep-config.sys/config/shop/canary-settings.json"}]
      volumes:
        - name: settings
          projected: {sources: [{configMap: {name: canary-settings}}]}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: canary-vars
  namespace: shop
  labels: {lockstep/canary: frontend, reconcile.fluxcd.io/watch: Enabled}
  annotations: {kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}
data: {CANARY_PERCENTAGE: "0"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: targets, namespace: shop}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    resourceNames: [canary-vars, canary-settings]
    verbs: [patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: targets, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: targets}
subjects: [{kind: ServiceAccount, name: lockstep, namespace: sys}]
""",
    SETTINGS: """
apiVersion: v1
kind: ConfigMap
metadata:
  name: canary-settings
  namespace: shop
  labels: {lockstep/canary: frontend}
  annotations:
    lockstep/mode: verify
    flagger.app/config-tracking: disabled
    reloader.stakater.com/ignore: "true"
data:
  config.json: |
    {"CANARY_PERCENTAGE": ${CANARY_PERCENTAGE:=0}, "CANARY_RELEASE": "${CANARY_RELEASE:=none}"}
""",
    FLUX: """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: settings, namespace: shop}
spec:
  path: ./app/settings
  wait: false
  postBuild:
    substituteStrategy: Always
    substituteFrom: [{kind: ConfigMap, name: canary-vars, optional: true}]
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: chart, namespace: shop}
spec:
  upgrade: {disableWait: true}
  valuesFrom: [{kind: ConfigMap, name: canary-vars, valuesKey: CANARY_PERCENTAGE, optional: true}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: flagger, namespace: flagger-system}
spec:
  template:
    spec:
      containers:
        - {name: flagger, args: [-log-level=info, "-event-webhook=http://lockstep.sys/event"]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: lockstep, namespace: sys, labels: {app.kubernetes.io/name: lockstep}}
spec:
  template:
    spec: {serviceAccountName: lockstep, containers: [{name: lockstep}]}
""",
}


class Place:
    """The manifests of one frontend, to be changed."""

    def __init__(self) -> None:
        self.objects: list[tuple[PurePath, Json]] = [
            (folder, obj) for folder, text in MANIFESTS.items() for obj in yaml.safe_load_all(text)
        ]

    def get(self, name: str) -> Json:
        """The object called `Kind/name`."""
        (found,) = (
            it for _, it in self.objects if f"{it['kind']}/{it['metadata']['name']}" == name
        )
        return found

    def set(self, name: str, path: str, value: object) -> None:
        """Set what is at a path such as `spec.wait`; None takes it away."""
        *steps, last = path.split(".")
        here: Any = self.get(name)
        for step in steps:
            here = here[int(step)] if step.isdecimal() else here.setdefault(step, {})
        key: Any = int(last) if last.isdecimal() else last
        if value is None:
            del here[key]
        else:
            here[key] = value

    def annotate(self, name: str, key: str, value: object) -> None:
        """Set an annotation; None takes it away."""
        self._keyed(name, "annotations", key, value)

    def label(self, name: str, key: str, value: object) -> None:
        """Set a label; None takes it away."""
        self._keyed(name, "labels", key, value)

    def remove(self, name: str) -> None:
        """Take an object away."""
        gone = self.get(name)
        self.objects = [(folder, it) for folder, it in self.objects if it is not gone]

    def copy(self, name: str, called: str, folder: PurePath | None = None) -> None:
        """Another object like one that there is."""
        like = self.get(name)
        there = next(folder for folder, it in self.objects if it is like)
        obj = copy.deepcopy(like)
        obj["metadata"]["name"] = called
        self.objects.append((folder or there, obj))

    def items(self) -> tuple[Item, ...]:
        """What a doctor reads of them."""
        return tuple(item(obj, str(folder), folder) for folder, obj in self.objects)

    def world(self) -> World:
        """What the rules look at."""
        return world(Snapshot(self.items()))

    def examined(self) -> list[Finding]:
        """What the doctor says."""
        return examine(self.world())

    def _keyed(self, name: str, field: str, key: str, value: object) -> None:
        known = self.get(name)["metadata"].setdefault(field, {})
        if value is None:
            del known[key]
        else:
            known[key] = value
