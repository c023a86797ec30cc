"""The Kubernetes kinds Lockstep talks about: where the API server serves them."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A name; also what identifies a canary everywhere in Lockstep.

    `namespace` is empty for an object of a kind that is cluster-scoped.
    """

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


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

    @property
    def resource(self) -> str:
        """What tells it from every other kind: `plural.version.group`, as kubectl takes it.

        In the core API the plural alone, which kubectl takes for it.
        """
        return f"{self.plural}.{self.version}.{self.group}" if self.group else self.plural

    def path(self, name: Name) -> str:
        """Where the API server serves the object; a list where the name's `name` is empty."""
        prefix = f"/apis/{self.group}" if self.group else "/api"
        namespace = f"namespaces/{quote(name.namespace, safe='')}" if name.namespace else ""
        steps = (prefix, self.version, namespace, self.plural, quote(name.name, safe=""))
        return "/".join(step for step in steps if step)

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True, slots=True)
class Selection:
    """The objects of a kind that a list or a watch is about; empty fields do not restrict."""

    kind: Kind
    namespace: str = ""
    labels: str = ""

    def __str__(self) -> str:
        labelled = f" labelled {self.labels}" if self.labels else ""
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.kind.plural}{labelled}{where}"


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
TRAEFIK_SERVICE = Kind("traefik.io", "v1alpha1", "TraefikService", "traefikservices")
HTTP_PROXY = Kind("projectcontour.io", "v1", "HTTPProxy", "httpproxies")
APISIX_ROUTE = Kind("apisix.apache.org", "v2", "ApisixRoute", "apisixroutes")
TRAFFIC_ROUTE = Kind("kuma.io", "v1alpha1", "TrafficRoute", "trafficroutes", namespaced=False)
ROUTE_TABLE = Kind("gateway.solo.io", "v1", "RouteTable", "routetables")
TRAFFIC_SPLIT_1 = Kind("split.smi-spec.io", "v1alpha1", "TrafficSplit", "trafficsplits")
TRAFFIC_SPLIT_2 = Kind("split.smi-spec.io", "v1alpha2", "TrafficSplit", "trafficsplits")
TRAFFIC_SPLIT_3 = Kind("split.smi-spec.io", "v1alpha3", "TrafficSplit", "trafficsplits")
APPMESH_ROUTER = Kind("appmesh.k8s.aws", "v1beta2", "VirtualRouter", "virtualrouters")
APPMESH_SERVICE = Kind("appmesh.k8s.aws", "v1beta1", "VirtualService", "virtualservices")
KNATIVE_SERVICE = Kind("serving.knative.dev", "v1", "Service", "services")
