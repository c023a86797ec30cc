"""A Canary as the doctor sees it: which webhooks it has, and whom they call. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from webhook import canary as parsing
from webhook import duration
from webhook.canary import Canary, MeshDefaults
from webhook.doctor.snapshot import Item
from webhook.fields import FieldError, Object, find, number, objects, text
from webhook.gates import Hook
from webhook.situation import called

FLAGGERS_TIMEOUT = "10s"
"""What Flagger waits for a webhook that has no timeout."""

_EVENT_FLAG = "event-webhook="
_EVENT_VARIABLE = "EVENT_WEBHOOK_URL"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook of a Canary; `calls` is the hook of Lockstep's that its URL leads to, if any."""

    name: str
    type: str
    url: str
    timeout: float
    calls: Hook | None

    @property
    def ours(self) -> bool:
        """Whether Lockstep gets it on the path of its own type."""
        return self.calls is not None and self.calls == self.type


@dataclass(frozen=True, slots=True)
class Release:
    """A Canary and its webhooks. `steps` says that Flagger asks before each step."""

    item: Item
    canary: Canary
    webhooks: tuple[Webhook, ...]
    steps: bool

    @property
    def asks(self) -> frozenset[str]:
        """The hooks that Lockstep is asked."""
        return frozenset(it.type for it in self.webhooks if it.ours)


def release(item: Item, mesh: MeshDefaults) -> Release:
    """The Canary in an item.

    Raises:
        FieldError: a field is not as Flagger's CRD has it.
    """
    metadata = {"metadata": {**_map(item.obj, "metadata"), "namespace": item.name.namespace or "?"}}
    canary = parsing.parse({**item.obj, **metadata}, mesh)
    analysis = find(item.obj, "spec", "analysis") or find(item.obj, "spec", "canaryAnalysis")
    return Release(
        item=item,
        canary=canary,
        webhooks=tuple(_webhook(it) for it in objects(analysis, "webhooks")),
        steps=not number(analysis, "iterations") and canary.provider != "kubernetes",
    )


def event_webhooks(flagger: Item) -> frozenset[str]:
    """The URLs of the `-event-webhook` where a Deployment or a HelmRelease is Flagger's.

    Raises:
        FieldError: it is neither a Deployment nor a HelmRelease.
    """
    if flagger.kind == "HelmRelease":
        values = find(flagger.obj, "spec", "values")
        urls = [find(values, "eventWebhook"), *_variables(find(values, "env"))]
    else:
        containers = objects(flagger.obj, "spec", "template", "spec", "containers")
        urls = [url for it in containers for url in (*_flags(it), *_variables(find(it, "env")))]
    return frozenset(url for url in urls if isinstance(url, str) and url)


def _flags(container: Object) -> Iterator[str]:
    """What its flags say; Flagger's own chart has them in `command`."""
    for field in ("command", "args"):
        flags = (flag.lstrip("-") for flag in _texts(container, field))
        yield from (it.removeprefix(_EVENT_FLAG) for it in flags if it.startswith(_EVENT_FLAG))


def _variables(env: object) -> Iterator[object]:
    """What an environment says, or None: of a value in a Secret nothing is known.

    Another chart's values may have something else under this name.
    """
    for it in env if isinstance(env, list) else ():
        if find(it, "name") == _EVENT_VARIABLE:
            yield find(it, "value")


def _webhook(obj: Object) -> Webhook:
    name = text(obj, "name") or ""
    timeout = text(obj, "timeout") or FLAGGERS_TIMEOUT
    try:
        seconds = duration.seconds(timeout)
    except ValueError as error:
        raise FieldError(f"timeout of the webhook {name}: {error}") from error
    return Webhook(
        name=name,
        type=text(obj, "type") or "",
        url=text(obj, "url") or "",
        timeout=seconds,
        calls=called(obj),
    )


def _map(obj: Object, *path: str) -> dict[str, object]:
    value = find(obj, *path)
    return dict(value) if isinstance(value, dict) else {}


def _texts(obj: Object, field: str) -> Iterator[str]:
    value = find(obj, field)
    if isinstance(value, list):
        yield from (it for it in value if isinstance(it, str))
