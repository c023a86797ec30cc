"""What the doctor looks at: objects as they lie in files or in a cluster. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath

from webhook.canary import MeshDefaults
from webhook.fields import Object, required_text, text
from webhook.kinds import Name

KUSTOMIZE = "kustomize.config.k8s.io"
"""The group of `kustomization.yaml`, which is no object of a cluster's."""


@dataclass(frozen=True, slots=True)
class Item:
    """An object. `source` says where it was read, empty for a cluster.

    `folder` is where its file lies, or which was built: from the root of its Git repository, or
    absolute where there is none; None for a cluster.
    """

    obj: Object = field(repr=False, compare=False)
    group: str
    kind: str
    name: Name
    source: str = ""
    folder: PurePath | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All objects, and what else the rules need to know.

    `live` says that nothing is missing: what is not here does not exist. `built` are the
    folders whose objects are as Kustomize builds them. `hook_deadline` is in seconds.
    """

    items: tuple[Item, ...]
    live: bool = False
    mesh: MeshDefaults = MeshDefaults()
    hook_deadline: float = 3.0
    built: frozenset[PurePath] = frozenset()

    def of(self, kind: str, group: str = "") -> Iterator[Item]:
        """The items of a kind."""
        return (it for it in self.items if (it.kind, it.group) == (kind, group))


def item(obj: Object, source: str = "", folder: PurePath | None = None) -> Item:
    """The item of an object.

    Raises:
        FieldError: it has no kind or no name, or they are no text.
    """
    version = required_text(obj, "apiVersion")
    group = version.rpartition("/")[0]
    if group == KUSTOMIZE:
        name = Name("", source)
    else:
        name = Name(
            text(obj, "metadata", "namespace") or "", required_text(obj, "metadata", "name")
        )
    return Item(obj, group, required_text(obj, "kind"), name, source, folder)


def together(one: Name, other: Name) -> bool:
    """Whether two objects may be in one namespace: files need not say in which they are."""
    return one.namespace == other.namespace or not (one.namespace and other.namespace)
