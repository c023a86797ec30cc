"""The API server, as few requests and few errors. The only module that imports kubernetes."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.dynamic import DynamicClient

from webhook import __version__
from webhook.answers import body, status_message, told
from webhook.apiwatch import Watch
from webhook.deadline import Deadline
from webhook.errors import (
    ClusterError,
    ConflictError,
    DeadlineError,
    GoneError,
    NotFoundError,
    UnavailableError,
    of_status,
)
from webhook.fields import FieldError, Object, objects, text
from webhook.kinds import Kind, Name, Selection

FIELD_MANAGER = "lockstep"
_MERGE_PATCH = "application/merge-patch+json"
_CONNECTIONS = 64


class ConfigurationError(ClusterError):
    """No cluster is configured: neither a service account nor a usable kubeconfig."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Objects of one kind, and the resourceVersion from which a watch goes on."""

    items: tuple[Object, ...]
    version: str


class Cluster:
    """One connection pool to one API server; safe to share between threads."""

    def __init__(self, configuration: Configuration, on_error: Callable[[str], None]) -> None:
        """`on_error` is told the verb of each request that failed for no reason of its own."""
        # A retry inside of a request would outlast the deadline that it was given.
        configuration.retries = False
        configuration.connection_pool_maxsize = _CONNECTIONS
        self._api = ApiClient(configuration)
        self._api.user_agent = f"lockstep/{__version__}"
        self._client = DynamicClient(self._api, discoverer=_no_discovery)  # type: ignore[no-untyped-call]
        self._on_error = on_error

    def close(self) -> None:
        """Close every pooled connection."""
        self._api.rest_client.close()

    def get(self, kind: Kind, name: Name, deadline: Deadline) -> Object:
        """The object, read from the API server's store, not from a cache.

        Raises:
            ClusterError: one of its kinds.
        """
        return self._json("get", kind, name, deadline)

    def list(self, selection: Selection, deadline: Deadline) -> Listing:
        """All objects of the selection, as one consistent read.

        Raises:
            ClusterError: one of its kinds.
        """
        everything = Name(selection.namespace, "")
        params = {"label_selector": selection.labels or None}
        document = self._json("list", selection.kind, everything, deadline, **params)
        kind = {"apiVersion": selection.kind.api_version, "kind": selection.kind.kind}
        try:
            items = tuple({**kind, **item} for item in objects(document, "items"))
            return Listing(items, text(document, "metadata", "resourceVersion") or "")
        except FieldError as error:
            raise UnavailableError(f"list {selection}: {error}") from error

    def patch(self, kind: Kind, name: Name, patch: Object, deadline: Deadline) -> Object:
        """The object after a merge patch; with a resourceVersion in it, only onto that version.

        Raises:
            ConflictError: the object has another resourceVersion by now.
            ClusterError: another of its kinds.
        """
        params = {"content_type": _MERGE_PATCH, "field_manager": FIELD_MANAGER}
        return self._json("patch", kind, name, deadline, body=patch, **params)

    def create(self, kind: Kind, namespace: str, obj: Object, deadline: Deadline) -> Object:
        """The new object.

        Raises:
            ConflictError: one with that name exists.
            ClusterError: another of its kinds.
        """
        params = {"body": obj, "field_manager": FIELD_MANAGER}
        return self._json("create", kind, Name(namespace, ""), deadline, **params)

    def watch(self, selection: Selection, version: str, seconds: int, silence: float) -> "Watch":
        """What happens to the selection after `version`, for that many seconds.

        `silence` is for how many seconds the API server may say nothing at all.

        Raises:
            ClusterError: one of its kinds; GoneError: list again.
        """
        response = self._request(
            "watch",
            selection.kind,
            Name(selection.namespace, ""),
            lambda: silence,
            watch="true",
            label_selector=selection.labels or None,
            resource_version=version,
            timeout_seconds=seconds,
            allow_watch_bookmarks="true",
        )
        return Watch(response, f"watch {selection}", self._on_error)

    def _json(
        self, verb: str, kind: Kind, name: Name, deadline: Deadline, **params: object
    ) -> dict[str, object]:
        response = self._request(verb, kind, name, deadline.left, **params)
        try:
            document = json.loads(body(response, deadline))
        except (ValueError, DeadlineError, urllib3.exceptions.HTTPError) as error:
            self._on_error(verb)
            raise UnavailableError(f"{_what(verb, kind, name)}: {told(error)}") from error
        if not isinstance(document, dict):
            raise UnavailableError(f"{_what(verb, kind, name)}: the answer is no object")
        return document

    def _request(
        self, verb: str, kind: Kind, name: Name, seconds: Callable[[], float], **params: object
    ) -> urllib3.HTTPResponse:
        try:
            return self._send(verb, kind.path(name), seconds, params)
        except ApiException as error:
            raise self._told(verb, kind, name, error) from error
        except DeadlineError as error:
            raise DeadlineError(f"{_what(verb, kind, name)}: {error}") from error
        except (urllib3.exceptions.HTTPError, config.ConfigException, OSError) as error:
            self._on_error(verb)
            raise UnavailableError(f"{_what(verb, kind, name)}: {told(error)}") from error

    def _send(
        self, verb: str, path: str, seconds: Callable[[], float], params: dict[str, object]
    ) -> urllib3.HTTPResponse:
        method = {"patch": "patch", "create": "post"}.get(verb, "get")

        def once() -> urllib3.HTTPResponse:
            left = seconds()
            params["_request_timeout"] = (left, left)
            return self._client.request(method, path, serialize=False, **params)  # type: ignore[no-any-return]

        try:
            return once()
        except urllib3.exceptions.ProtocolError:
            # The API server had closed the idle connection that the pool handed out.
            if method != "get":
                raise
            return once()

    def _told(self, verb: str, kind: Kind, name: Name, error: ApiException) -> ClusterError:
        known = of_status(error.status or 0)
        if known not in (NotFoundError, ConflictError, GoneError):
            self._on_error(verb)
        message = status_message(error.body) or error.reason or error.body or error.status
        return known(f"{_what(verb, kind, name)}: {message}")


def connect(on_error: Callable[[str], None]) -> Cluster:
    """The cluster of the pod's service account, else of KUBECONFIG.

    Raises:
        ConfigurationError: there is neither.
    """
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        return _of_kubeconfig(configuration, on_error)
    return Cluster(configuration, on_error)


def _of_kubeconfig(configuration: Configuration, on_error: Callable[[str], None]) -> Cluster:
    try:
        config.load_kube_config(_kubeconfig(), client_configuration=configuration)  # type: ignore[no-untyped-call]
        _check(configuration)
        return Cluster(configuration, on_error)
    except _UNUSABLE as error:
        advice = "run in a pod with a service account, or set KUBECONFIG"
        why = f"{_kubeconfig() or '~/.kube/config'}: {str(error).rstrip('.')}"
        raise ConfigurationError(f"no cluster to talk to: {why}; {advice}") from error


def _check(configuration: Configuration) -> None:
    """Refuse what a request would fail at: less clearly, or with the token in its error."""
    scheme, _, host = configuration.host.partition("://")
    if scheme not in ("http", "https") or not host:
        server = f"the server of the current context is {configuration.host!r}"
        raise ValueError(f"{server}, and not https://<host>:<port>")
    for header in configuration.api_key.values():
        if not (header.isascii() and header.isprintable()):
            raise ValueError("the user's token holds a line break or a letter that is not ASCII")


def current_namespace() -> str:
    """The namespace of the kubeconfig's current context, else `default`, as for kubectl."""
    try:
        _, active = config.list_kube_config_contexts(_kubeconfig())  # type: ignore[no-untyped-call]
        return text(active, "context", "namespace") or "default"
    except _UNUSABLE:
        return "default"


_UNUSABLE = (
    config.ConfigException, OSError, ValueError, yaml.YAMLError, TypeError, AttributeError,
    urllib3.exceptions.HTTPError, ImportError,
)  # fmt: skip
"""What the client raises for a kubeconfig: TypeError and AttributeError where YAML is something
else, the last two for a proxy-url that is none, or of a kind that the client has no code for."""


def _kubeconfig() -> str | None:
    """KUBECONFIG as it is now, not as it was when the client was imported; None: its default."""
    return os.environ.get("KUBECONFIG") or None


def _no_discovery(_client: DynamicClient, _cache_file: str | None) -> None:
    """We know our kinds: asking for all of the cluster's costs time, memory and a cache file."""


def _what(verb: str, kind: Kind, name: Name) -> str:
    where = f" in {name.namespace}" if name.namespace and not name.name else ""
    return f"{verb} {kind} {name}" if name.name else f"{verb} {kind.plural}{where}"
