"""JSON merge patch, RFC 7386."""

from typing import Any


def merged(target: object, patch: object) -> Any:
    """The target with the patch applied: null removes a member, anything but an object replaces.

    Neither argument is changed; the result may share parts with both.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
