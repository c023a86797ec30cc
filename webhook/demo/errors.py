"""What the API server refuses, in its own words: clients and their logs show these messages."""

from collections.abc import Mapping

from webhook.demo.objects import Json
from webhook.kinds import Kind


class StoreError(Exception):
    """A refusal; `code` is the HTTP status, `reason` what clients tell refusals apart by."""

    def __init__(
        self, code: int, reason: str, message: str, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = dict(details or {})

    def status(self) -> Json:
        """The Status object that the API server answers."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


def bad_request(message: str) -> StoreError:
    """The request itself makes no sense."""
    return StoreError(400, "BadRequest", message)


def not_found(kind: Kind, name: str) -> StoreError:
    """No object has that name."""
    return StoreError(
        404, "NotFound", f'{_qualified(kind)} "{name}" not found', _details(kind, name)
    )


def already_exists(kind: Kind, name: str) -> StoreError:
    """An object of that name is there already."""
    message = f'{_qualified(kind)} "{name}" already exists'
    return StoreError(409, "AlreadyExists", message, _details(kind, name))


def conflict(kind: Kind, name: str) -> StoreError:
    """The object is no longer at the resourceVersion that the writer read."""
    message = (
        f'Operation cannot be fulfilled on {_qualified(kind)} "{name}": the object has been '
        "modified; please apply your changes to the latest version and try again"
    )
    return StoreError(409, "Conflict", message, _details(kind, name))


def invalid(kind: Kind, name: str, field: str, problem: str) -> StoreError:
    """The object would break a rule; `problem` starts with the kind of error, like `Forbidden:`."""
    qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details = {**_details(kind, name), "kind": kind.kind}
    message = f'{qualified} "{name}" is invalid: {field}: {problem}'
    return StoreError(422, "Invalid", message, details)


def bad_patch(problem: str) -> StoreError:
    """The patched object no longer has the type that its kind demands."""
    return StoreError(422, "Invalid", f' "" is invalid: patch: Invalid value: {problem}')


def expired(since: int, oldest: int) -> StoreError:
    """The changes after that resourceVersion are no longer kept: list again."""
    return StoreError(410, "Expired", f"too old resource version: {since} ({oldest})")


def forbidden(verb: str, kind: Kind, namespace: str | None, name: str | None) -> StoreError:
    """RBAC does not grant it; to create is asked for without a name, as the real server does."""
    shown = f'{_qualified(kind)} "{name}"' if name else _qualified(kind)
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    message = (
        f'{shown} is forbidden: User "lockstep" cannot {verb} resource "{kind.plural}" '
        f'in API group "{kind.group}" {where}'
    )
    return StoreError(403, "Forbidden", message, _details(kind, name or ""))


def method_not_allowed() -> StoreError:
    """The resource is there, but not served with that method."""
    message = "the server does not allow this method on the requested resource"
    return StoreError(405, "MethodNotAllowed", message)


def unsupported_media_type(accepted: str) -> StoreError:
    """A body of a type that the server does not read."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + accepted
    )
    return StoreError(415, "UnsupportedMediaType", message)


def _qualified(kind: Kind) -> str:
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def _details(kind: Kind, name: str) -> Json:
    parts = {"name": name, "group": kind.group, "kind": kind.plural}
    return {key: value for key, value in parts.items() if value}
