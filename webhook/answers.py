"""What the API server and the connection to it say, for messages and for what is read."""

import json

import urllib3

from webhook.deadline import Deadline
from webhook.fields import find

_CHUNK = 64 * 1024


def body(response: urllib3.HTTPResponse, deadline: Deadline) -> bytes:
    """The whole body; a read time-out alone would start anew with each byte of it.

    Raises:
        DeadlineError: it did not come in time.
    """
    chunks = []
    for chunk in response.stream(_CHUNK):
        deadline.left()
        chunks.append(chunk)
    response.release_conn()
    return b"".join(chunks)


def status_message(text: str | None) -> str:
    """The message of a Status, which names the object and the reason; empty if it is none."""
    try:
        return str(find(json.loads(text or ""), "message") or "")
    except ValueError:
        return ""


def told(error: Exception) -> str:
    """What an error of urllib3's says, without the object addresses in its text."""
    reason = getattr(error, "reason", None)
    return str(reason or error) or type(error).__name__
