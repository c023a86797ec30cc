"""Reading a cluster: the objects that the rules are about, one list of each kind."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from webhook import kinds
from webhook.cluster import Listing
from webhook.deadline import Deadline
from webhook.doctor import flux, rights
from webhook.doctor.snapshot import Item, item
from webhook.errors import ForbiddenError, NotFoundError
from webhook.fields import FieldError
from webhook.kinds import Kind, Selection

_NAMESPACED = (
    kinds.CANARY,
    kinds.DEPLOYMENT,
    kinds.DAEMON_SET,
    Kind("apps", "v1", "StatefulSet", "statefulsets"),
    Kind(flux.KUSTOMIZE, "v1", "Kustomization", "kustomizations"),
    Kind(flux.HELM, "v2", "HelmRelease", "helmreleases"),
    Kind(rights.RBAC, "v1", "Role", "roles"),
    Kind(rights.RBAC, "v1", "RoleBinding", "rolebindings"),
)
_CLUSTER_WIDE = (
    Kind(rights.RBAC, "v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind(rights.RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
)


class Lister(Protocol):
    """The one read of `Cluster` that this needs."""

    def list(self, selection: Selection, deadline: Deadline) -> Listing: ...  # noqa: D102


@dataclass
class Reading:
    """The objects that were read, and what could not be."""

    items: list[Item] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read(cluster: Lister, namespace: str, deadline: Deadline) -> Reading:
    """The objects of a namespace, or of all (empty), and what is bound to them cluster-wide.

    Raises:
        ClusterError: the API server does not answer. What it refuses is told in `unread`, and
            a kind that it does not serve is one that nobody uses.
    """
    found = Reading()
    for kind in _NAMESPACED:
        _add(found, cluster, Selection(kind, namespace), deadline)
    for kind in _CLUSTER_WIDE:
        _add(found, cluster, Selection(kind), deadline)
    for it in _namespaces(found, namespace):
        _add(found, cluster, Selection(kinds.CONFIG_MAP, it), deadline)
    return found


def _add(found: Reading, cluster: Lister, selection: Selection, deadline: Deadline) -> None:
    try:
        listing = cluster.list(selection, deadline)
    except NotFoundError:
        return
    except ForbiddenError as error:
        found.unread.append(str(error))
        return
    for obj in listing.items:
        try:
            found.items.append(item(obj))
        except FieldError as error:
            found.unread.append(f"list {selection}: {error}")


def _namespaces(found: Reading, namespace: str) -> Iterator[str]:
    """Where ConfigMaps matter: in the namespaces of Canaries, not in a whole cluster."""
    if namespace:
        yield namespace
    else:
        yield from sorted({it.name.namespace for it in found.items if it.kind == "Canary"})
