"""What the API server answers to each verb but watch: status and body."""

import json
from collections.abc import Callable

from webhook.demo.admission import in_namespace
from webhook.demo.errors import bad_request, unsupported_media_type
from webhook.demo.objects import Json, metadata
from webhook.demo.routes import Call
from webhook.demo.store import Store
from webhook.kinds import Kind

MERGE_PATCH = "application/merge-patch+json"

Answer = tuple[int, Json]

_BUILT_IN = ("", "apps", "networking.k8s.io")
"""Groups whose lists leave apiVersion and kind out of the items, unlike those of a CRD."""


def answer(store: Store, call: Call, content_type: str, body: bytes) -> Answer:
    """Do what is asked.

    Raises:
        StoreError: it is refused.
    """
    if call.verb == "patch" and content_type.partition(";")[0] != MERGE_PATCH:
        raise unsupported_media_type(MERGE_PATCH)
    return _VERBS[call.verb](store, call, body)


def _get(store: Store, call: Call, _body: bytes) -> Answer:
    return 200, store.get(call.kind, call.target)


def _list(store: Store, call: Call, _body: bytes) -> Answer:
    items, rv = store.list(call.kind, call.namespace, call.selector)
    return 200, {
        "kind": f"{call.kind.kind}List",
        "apiVersion": call.kind.api_version,
        "metadata": {"resourceVersion": str(rv)},
        "items": [_item(call.kind, item) for item in items],
    }


def _item(kind: Kind, obj: Json) -> Json:
    if kind.group not in _BUILT_IN:
        return obj
    return {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}


def _create(store: Store, call: Call, body: bytes) -> Answer:
    obj = _parsed(body)
    expected = {"apiVersion": call.kind.api_version, "kind": call.kind.kind}
    if any(obj.get(key, value) != value for key, value in expected.items()):
        raise bad_request(f"the object provided is not a {call.kind.api_version} {call.kind}")
    if call.kind.namespaced:
        obj = in_namespace(obj, call.target.namespace)
    return 201, store.create(call.kind, obj)


def _patch(store: Store, call: Call, body: bytes) -> Answer:
    return 200, store.patch(call.kind, call.target, _parsed(body))


def _delete(store: Store, call: Call, _body: bytes) -> Answer:
    gone = store.delete(call.kind, call.target)
    details = {"name": call.name, "kind": call.kind.plural, "uid": metadata(gone)["uid"]}
    success = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return 200, {**success, "details": details}


def _parsed(body: bytes) -> Json:
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise bad_request(f"error decoding the body: {error}") from error
    if not isinstance(parsed, dict):
        raise bad_request("error decoding the body: it is not a JSON object")
    return parsed


_VERBS: dict[str, Callable[[Store, Call, bytes], Answer]] = {
    "get": _get,
    "list": _list,
    "create": _create,
    "patch": _patch,
    "delete": _delete,
}
