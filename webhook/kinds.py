"""The Kubernetes kinds Lockstep talks about: where the API server serves them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind as the API server serves it; `group` is empty for the core API."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`group/version`, or `v1` for the core API: what manifests call `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A namespaced name; also what identifies a canary everywhere in Lockstep."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
EVENT = Kind("", "v1", "Event", "events")
SERVICE = Kind("", "v1", "Service", "services")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
DAEMON_SET = Kind("apps", "v1", "DaemonSet", "daemonsets")
CANARY = Kind("flagger.app", "v1beta1", "Canary", "canaries")
INGRESS = Kind("networking.k8s.io", "v1", "Ingress", "ingresses")
HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
HTTP_ROUTE_BETA = Kind("gateway.networking.k8s.io", "v1beta1", "HTTPRoute", "httproutes")
VIRTUAL_SERVICE = Kind("networking.istio.io", "v1beta1", "VirtualService", "virtualservices")
