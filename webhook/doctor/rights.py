"""What RBAC lets Lockstep's accounts do to ConfigMaps. Pure."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from webhook.doctor.snapshot import Item, Snapshot, together
from webhook.fields import Object, find, objects, strings, text
from webhook.kinds import Name

RBAC = "rbac.authorization.k8s.io"
BINDINGS = ("RoleBinding", "ClusterRoleBinding")
ACCOUNTS = frozenset({"lockstep", "lockstep-config"})
"""As manifests/base calls the two Deployments, and their accounts."""

_APP = "app.kubernetes.io/name"
_READS = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule about ConfigMaps that is bound to an account of Lockstep's.

    `names` are those it is about; empty: all of them.
    """

    role: Item
    binding: Item
    account: str
    verbs: frozenset[str]
    names: frozenset[str]

    @property
    def everywhere(self) -> bool:
        """Whether it is about every namespace."""
        return self.binding.kind == "ClusterRoleBinding"

    @property
    def writes(self) -> frozenset[str]:
        """The verbs that change something."""
        return self.verbs - _READS

    def patches(self, configmap: Name) -> bool:
        """Whether it allows to patch this ConfigMap."""
        here = self.everywhere or together(self.binding.name, configmap)
        named = not self.names or configmap.name in self.names
        return here and named and bool(self.verbs & {"patch", "*"})


def grants(snapshot: Snapshot, binding: Item, accounts: AbstractSet[str]) -> tuple[Grant, ...]:
    """Each rule about ConfigMaps that a binding gives to an account of Lockstep's.

    Raises:
        FieldError: it, or what it binds, is not as the API server has it.
    """
    return tuple(
        grant
        for account in sorted(_bound(binding) & accounts)
        for role in _roles(snapshot, binding)
        for grant in _grants(role, binding, account)
    )


def accounts(deployment: Item) -> frozenset[str]:
    """The account of a Deployment of Lockstep's, however it is called; none of another's.

    Raises:
        FieldError: it is no Deployment.
    """
    if strings(deployment.obj, "metadata", "labels").get(_APP) not in ACCOUNTS:
        return frozenset()
    account = text(deployment.obj, "spec", "template", "spec", "serviceAccountName")
    return frozenset([account] if account else [])


def _bound(binding: Item) -> frozenset[str]:
    subjects = objects(binding.obj, "subjects")
    return frozenset(
        text(it, "name") or "" for it in subjects if text(it, "kind") == "ServiceAccount"
    )


def _roles(snapshot: Snapshot, binding: Item) -> Iterator[Item]:
    kind = text(binding.obj, "roleRef", "kind") or ""
    for role in snapshot.of(kind, RBAC):
        local = kind != "Role" or together(role.name, binding.name)
        if local and role.name.name == text(binding.obj, "roleRef", "name"):
            yield role


def _grants(role: Item, binding: Item, account: str) -> Iterator[Grant]:
    for rule in objects(role.obj, "rules"):
        core = {"", "*"} & _words(rule, "apiGroups")
        if core and {"configmaps", "*"} & _words(rule, "resources"):
            verbs, names = _words(rule, "verbs"), _words(rule, "resourceNames")
            yield Grant(role, binding, account, verbs, names)


def _words(rule: Object, field: str) -> frozenset[str]:
    value = find(rule, field)
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()
