"""What a browser is given of a target: bytes and their ETag."""

import hashlib
import json
from dataclasses import dataclass, field

from webhook import targets
from webhook.fields import Object, strings
from webhook.targets import LABEL, NUMBER, RELEASE, BrokenTarget, Target


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object as it is sent; `etag` is without its quotes."""

    body: bytes = field(repr=False)
    etag: str


def render(obj: Object) -> Document | BrokenTarget:
    """The document in a labelled ConfigMap, or what is wrong with it.

    What Lockstep would not touch is not served either: nobody lowers the number in it.
    """
    target = targets.parse(obj)
    if isinstance(target, BrokenTarget):
        return target
    if strings(obj, "metadata", "labels").get(LABEL) == "":
        return BrokenTarget(target.name, f"label {LABEL} names no Canary", target.mode)
    # The same bytes from every replica have the same tag, so a browser may be sent to any.
    body = _text(target).encode()
    return Document(body, hashlib.sha256(body).hexdigest()[:32])


def _text(target: Target) -> str:
    if target.key.endswith(".json"):
        return target.text
    release = {} if target.release_text is None else {RELEASE: target.release_text}
    return json.dumps({NUMBER: target.share, **release})
