"""What the API server fills in and refuses before an object is stored. No I/O, no state."""

import json
import uuid
from datetime import UTC, datetime

from webhook.demo.errors import bad_patch, bad_request, conflict, invalid
from webhook.demo.mergepatch import merged
from webhook.demo.objects import Json, copied, metadata, name_of, shown_as
from webhook.fields import FieldError, find, strings
from webhook.kinds import CONFIG_MAP, DEPLOYMENT, EVENT, Kind

_OWNED = (
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
"""Metadata that is the server's own: what a patch says of it has no effect."""

_WITHOUT_GENERATION = (CONFIG_MAP, EVENT)
_NAMESPACE_MISMATCH = (
    "the namespace of the provided object does not match the namespace sent on the request"
)


def created(kind: Kind, obj: Json) -> Json:
    """The new object as it is to be stored, sharing nothing with the given one.

    Raises:
        StoreError: 400 or 422, the real server would not take it.
    """
    if problem := _mistyped(kind, obj):
        raise bad_request(problem)
    _check_name(kind, obj)
    _check_event(kind, obj)
    return _filled(kind, obj, {**_identity(), **metadata(obj), **_first_generation(kind)})


def replayed(kind: Kind, obj: Json, before: Json | None) -> Json:
    """The object as given, with what it lacks taken from the one before it, or made anew.

    Raises:
        StoreError: 422, it has no name or no namespace.
    """
    _check_name(kind, obj)
    known = metadata(before) if before else {**_identity(), **_first_generation(kind)}
    kept: Json = {
        key: known[key] for key in ("uid", "creationTimestamp", "generation") if key in known
    }
    return _filled(kind, obj, {**kept, **metadata(obj)})


def patched(kind: Kind, before: Json, patch: Json) -> Json:
    """The object with the patch applied; equal to `before` where that changes nothing.

    Raises:
        StoreError: 400, 409 or 422, the real server would not take it.
    """
    after: Json = shown_as(kind, copied(merged(before, patch)))
    _check_version(kind, before, patch)
    if problem := _mistyped(kind, after):
        raise bad_patch(problem)
    _check_identity(kind, before, after)
    _check_immutable(kind, before, after)
    _check_event(kind, after)
    return {**after, "metadata": {**_free(after), **_owned(kind, before, after)}}


def in_namespace(obj: Json, namespace: str) -> Json:
    """The object to create in the namespace of the URL, which it may leave out.

    Raises:
        StoreError: 400, it names another.
    """
    given = metadata(obj).get("namespace") or namespace
    if given != namespace:
        raise bad_request(_NAMESPACE_MISMATCH)
    return {**obj, "metadata": {**metadata(obj), "namespace": namespace}}


def _identity() -> Json:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"uid": str(uuid.uuid4()), "creationTimestamp": now}


def _first_generation(kind: Kind) -> Json:
    return {} if kind in _WITHOUT_GENERATION else {"generation": 1}


def _filled(kind: Kind, obj: Json, meta: Json) -> Json:
    return shown_as(kind, copied({**obj, "metadata": meta}))


def _free(obj: Json) -> Json:
    return {key: value for key, value in metadata(obj).items() if key not in _OWNED}


def _owned(kind: Kind, before: Json, after: Json) -> Json:
    owned = {key: value for key, value in metadata(before).items() if key in _OWNED}
    generation = owned.get("generation")
    if isinstance(generation, int) and _is_new_generation(kind, before, after):
        owned["generation"] = generation + 1
    return owned


def _is_new_generation(kind: Kind, before: Json, after: Json) -> bool:
    if kind in _WITHOUT_GENERATION:
        return False
    # Deployments count a change of annotations, too (registry/apps/deployment/strategy.go)
    paths = [("spec",), ("metadata", "annotations")] if kind == DEPLOYMENT else [("spec",)]
    return any(find(before, *path) != find(after, *path) for path in paths)


def _check_name(kind: Kind, obj: Json) -> None:
    name = name_of(obj)
    if not name.name:
        problem = "Required value: name or generateName is required"
        raise invalid(kind, "", "metadata.name", problem)
    if kind.namespaced and not name.namespace:
        raise invalid(kind, name.name, "metadata.namespace", "Required value")
    if name.namespace and not kind.namespaced:
        problem = "Forbidden: not allowed on this type"
        raise invalid(kind, name.name, "metadata.namespace", problem)


def _mistyped(kind: Kind, obj: Json) -> str | None:
    """What has a wrong type: above all a number in a ConfigMap, where only text may stand."""
    try:
        name_of(obj)
        for path in (("metadata", "labels"), ("metadata", "annotations")):
            strings(obj, *path)
        if kind == CONFIG_MAP:
            strings(obj, "data")
    except FieldError as error:
        version = f"{kind.kind} in version {json.dumps(kind.version)}"
        return f"{version} cannot be handled as a {kind.kind}: {error}"
    return None


def _check_event(kind: Kind, obj: Json) -> None:
    name = name_of(obj)
    involved = find(obj, "involvedObject", "namespace") or ""
    if kind == EVENT and involved != name.namespace:
        problem = f"Invalid value: {json.dumps(involved)}: does not match event.namespace"
        raise invalid(kind, name.name, "involvedObject.namespace", problem)


def _check_version(kind: Kind, before: Json, patch: Json) -> None:
    expected = find(patch, "metadata", "resourceVersion")
    if expected and expected != metadata(before)["resourceVersion"]:
        raise conflict(kind, name_of(before).name)


def _check_identity(kind: Kind, before: Json, after: Json) -> None:
    was, now = name_of(before), name_of(after)
    if now.namespace not in ("", was.namespace):
        raise bad_request(_NAMESPACE_MISMATCH)
    if now.name != was.name:
        message = f"the name of the object ({now.name}) does not match the name on the URL"
        raise bad_request(f"{message} ({was.name})")
    uid = metadata(after).get("uid")
    if uid and uid != metadata(before)["uid"]:
        problem = f"Invalid value: {json.dumps(uid)}: field is immutable"
        raise invalid(kind, was.name, "metadata.uid", problem)


def _check_immutable(kind: Kind, before: Json, after: Json) -> None:
    if kind != CONFIG_MAP or before.get("immutable") is not True:
        return
    for field in ("immutable", "data", "binaryData"):
        if before.get(field) != after.get(field):
            problem = "Forbidden: field is immutable when `immutable` is set"
            raise invalid(kind, name_of(before).name, field, problem)
