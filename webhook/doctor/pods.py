"""How a workload's pods use ConfigMaps. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain

from webhook.fields import Object, find, objects, text


class How(Enum):
    """How a ConfigMap gets into a container."""

    VOLUME = "as a volume"
    SUB_PATH = "by subPath"
    ENVIRONMENT = "into the environment"


@dataclass(frozen=True, slots=True)
class Use:
    """A ConfigMap, by name, in a container or volume of a pod."""

    configmap: str
    how: How
    where: str


def uses(pod: object) -> tuple[Use, ...]:
    """Each use of a ConfigMap in a pod's spec, as Flagger's config tracking looks for them.

    Raises:
        FieldError: it is no spec of a pod.
    """
    volumes = {text(it, "name") or "": tuple(_sources(it)) for it in objects(pod, "volumes")}
    return (
        *(Use(it, How.VOLUME, f"volume {name}") for name, found in volumes.items() for it in found),
        *(
            Use(it, How.SUB_PATH, f"container {text(container, 'name')}")
            for container in containers(pod)
            for mount in objects(container, "volumeMounts")
            if find(mount, "subPath") or find(mount, "subPathExpr")
            for it in volumes.get(text(mount, "name") or "", ())
        ),
        *(use for container in containers(pod) for use in _environment(container)),
    )


def containers(pod: object) -> Iterator[Object]:
    """The containers of a pod, those that initialize it too.

    Raises:
        FieldError: there is no list of them.
    """
    return chain(objects(pod, "containers"), objects(pod, "initContainers"))


def _sources(volume: Object) -> Iterator[str]:
    for source in chain([volume], objects(volume, "projected", "sources")):
        name = text(source, "configMap", "name")
        if name:
            yield name


def _environment(container: Object) -> Iterator[Use]:
    where = f"container {text(container, 'name')}"
    for path, entries in (
        (("configMapRef", "name"), objects(container, "envFrom")),
        (("valueFrom", "configMapKeyRef", "name"), objects(container, "env")),
    ):
        for entry in entries:
            name = text(entry, *path)
            if name:
                yield Use(name, How.ENVIRONMENT, where)
