"""What Flagger POSTs to a webhook, typed and checked field by field.

Source: Flagger's `CanaryWebhookPayload`; unknown members of a newer Flagger's are ignored.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from webhook.gates import Hook
from webhook.kinds import Name
from webhook.view import Event

LARGEST_BODY = 64 * 1024
"""Bytes; Flagger's bodies stay under one KiB unless a Canary's metadata is large."""

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Namespace = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}$", max_length=63)]
Subdomain = Annotated[str, StringConstraints(pattern=rf"^{_LABEL}(\.{_LABEL})*$", max_length=253)]
Milliseconds = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,14}$")]


class PayloadError(ValueError):
    """The body is not what Flagger sends; `faults` names every wrong field."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    name: Subdomain
    namespace: Namespace
    phase: str = ""
    checksum: str = ""
    failed_checks: int = Field(default=0, alias="failedChecks")
    iterations: int = 0
    metadata: dict[str, str] = {}


class _EventMetadata(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)

    event_message: str = Field(alias="eventMessage")
    timestamp: Milliseconds


class _EventBody(_Body):
    metadata_of_event: _EventMetadata = Field(alias="metadata")


@dataclass(frozen=True, slots=True)
class Payload:
    """A hook's claims: which canary it is about, and for `/event` what Flagger announces."""

    ref: Name
    token: str = ""
    event: Event | None = None


def parse(hook: Hook, body: bytes) -> Payload:
    """The payload in a request's body.

    Raises:
        PayloadError: it is not JSON, or fields are missing or wrong.
    """
    try:
        if hook is not Hook.EVENT:
            return _payload(_Body.model_validate_json(body), None)
        parsed = _EventBody.model_validate_json(body)
        said = parsed.metadata_of_event
        return _payload(parsed, Event(said.event_message, int(said.timestamp) / 1000))
    except ValidationError as error:
        raise PayloadError(_faults(error)) from None


def _payload(body: _Body, event: Event | None) -> Payload:
    return Payload(Name(body.namespace, body.name), body.metadata.get("token", ""), event)


def _faults(error: ValidationError) -> list[str]:
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{_path(fault['loc'])}: {_message(fault['type'], fault['msg'])}" for fault in faults]


def _path(steps: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in steps) or "body"


def _message(kind: str, message: str) -> str:
    """Pydantic's message, but no regular expression at three in the morning."""
    if kind != "string_pattern_mismatch":
        return message
    return "it is no name that Kubernetes allows, or no time in milliseconds"
