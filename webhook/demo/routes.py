"""From a method and a URL to what is asked of the API server."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from webhook.demo.errors import bad_request, method_not_allowed
from webhook.demo.selectors import Selector, fields, labels
from webhook.kinds import Kind, Name

_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+)/(?P<version>[^/]+))"
    r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?"
)
_VERBS = {
    ("GET", True): "get",
    ("GET", False): "list",
    ("POST", False): "create",
    ("PATCH", True): "patch",
    ("DELETE", True): "delete",
}
_TRUE = ("true", "1")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `verb` as RBAC names it, `namespace` None for all of them."""

    verb: str
    kind: Kind
    namespace: str | None
    name: str | None
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def target(self) -> Name:
        """The one object that get, patch and delete are about."""
        return Name(self.namespace or "", self.name or "")

    @property
    def selector(self) -> Selector:
        """Which objects a list or watch is about.

        Raises:
            StoreError: 400, a selector is not understood.
        """
        by_label = labels(self.query.get("labelSelector", ""))
        return by_label + fields(self.query.get("fieldSelector", ""), self.kind)

    @property
    def bookmarks(self) -> bool:
        """Whether the client can take bookmarks."""
        return self.query.get("allowWatchBookmarks") in _TRUE

    def number(self, key: str) -> int | None:
        """A whole number of the query; None where it is absent or 0, which mean the same here.

        Raises:
            StoreError: 400, it is something else.
        """
        text = self.query.get(key) or "0"
        if not text.isdecimal():
            raise bad_request(f"{key}: Invalid value: {text}")
        return int(text) or None


def resolve(method: str, target: str, served: Iterable[Kind]) -> Call | None:
    """What the request asks for; None where nothing is served under that path.

    Raises:
        StoreError: 405, the path is served, but not with that method.
    """
    url = urlsplit(target)
    found = _PATH.fullmatch(url.path)
    parts = {key: unquote(part) for key, part in found.groupdict("").items()} if found else {}
    kind = _kind(parts, served)
    if kind is None or not _fits(kind, parts):
        return None
    query = dict(parse_qsl(url.query))
    verb = _verb(method, kind, parts, query)
    return Call(verb, kind, parts["namespace"] or None, parts["name"] or None, query)


def _kind(parts: Mapping[str, str], served: Iterable[Kind]) -> Kind | None:
    if not parts:
        return None
    asked = (parts["group"], parts["version"] or parts["core"], parts["plural"])
    return next((kind for kind in served if (kind.group, kind.version, kind.plural) == asked), None)


def _fits(kind: Kind, parts: Mapping[str, str]) -> bool:
    """Whether the path has a namespace where the kind asks for one; a list may span them."""
    if not kind.namespaced:
        return not parts["namespace"]
    return bool(parts["namespace"]) or not parts["name"]


def _verb(method: str, kind: Kind, parts: Mapping[str, str], query: Mapping[str, str]) -> str:
    verb = _VERBS.get((method, bool(parts["name"])))
    if verb is None or (verb == "create" and kind.namespaced and not parts["namespace"]):
        raise method_not_allowed()
    return "watch" if verb == "list" and query.get("watch") in _TRUE else verb
