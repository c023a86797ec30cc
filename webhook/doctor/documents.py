"""YAML as the API server reads it, and the objects in it. Pure."""

from collections.abc import Iterator, Mapping

import yaml

from webhook.fields import Object, find, objects, text

_TEXT = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


class _Loader(yaml.SafeLoader):
    """Without two types of YAML 1.1 that Kubernetes takes for text: a date, and a bare `=`."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as declared there
        first: [(tag, pattern) for tag, pattern in known if tag not in _TEXT]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def documents(text: str) -> Iterator[object]:
    """Each document of a YAML stream.

    Raises:
        YAMLError: it is no YAML, from there on.
    """
    return yaml.load_all(text, _Loader)


def kubernetes(document: object) -> Iterator[Object]:
    """The objects in a document: itself, or those of a List; none where it is no manifest.

    Raises:
        FieldError: its kind is no text, or a List's items are no objects.
    """
    if not isinstance(document, Mapping) or "kind" not in document:
        return
    kind = text(document, "kind") or ""
    if kind == "List" or (kind.endswith("List") and "items" in document):
        # What a ConfigMapList holds need not say that it is a ConfigMap.
        said = {"apiVersion": find(document, "apiVersion"), "kind": kind.removesuffix("List")}
        for it in objects(document, "items"):
            yield from kubernetes({**said, **it} if kind != "List" else it)
    else:
        yield document
