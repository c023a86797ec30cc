"""Plain HTTP to the API server by `requests`: what Lockstep is measured against."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from webhook.fields import Object
from webhook.kinds import Kind, Name

_SECONDS = 30
_CONNECTIONS = 64
"""As many as Lockstep pools."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where an API server is, and how one is let in; `what` is its name in the report.

    A `real` one knows namespaces, and checks that an object's is there.
    """

    what: str
    url: str
    kubeconfig: Path
    ca: str = ""
    token: str = ""
    real: bool = False


class Api:
    """One pool of connections; safe to share between threads."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._session = pooled_session()
        self._session.verify = access.ca or True
        if access.token:
            self._session.headers["Authorization"] = f"Bearer {access.token}"

    def close(self) -> None:
        """Close every connection."""
        self._session.close()

    def read(self, kind: Kind, name: Name, **query: str) -> bytes:
        """The object, or the list where the name's `name` is empty; its bytes, not parsed."""
        return self._call("GET", kind.path(name), params=query).content

    def create(self, kind: Kind, obj: Object, namespace: str = "") -> None:
        """Create the object."""
        self._call("POST", kind.path(Name(namespace, "")), json=obj)

    def patch(self, kind: Kind, name: Name, patch: Object) -> None:
        """Apply a merge patch."""
        headers = {"Content-Type": "application/merge-patch+json"}
        self._call("PATCH", kind.path(name), data=json.dumps(patch), headers=headers)

    def delete(self, kind: Kind, name: Name) -> None:
        """Delete the object."""
        self._call("DELETE", kind.path(name))

    @contextmanager
    def watch(self, kind: Kind, seconds: int, **query: str) -> Iterator[Iterator[Object]]:
        """The events of a watch over all namespaces, as they come."""
        params = {"watch": "true", "timeoutSeconds": str(seconds), **query}
        answer = self._call("GET", kind.path(Name("", "")), params=params, stream=True)
        with answer:
            try:
                yield (json.loads(line) for line in answer.iter_lines(chunk_size=None))
            finally:
                answer.raw.shutdown()  # wakes the thread that reads it

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: str | None = None,
        json: Object | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> requests.Response:
        answer = self._session.request(
            method,
            self.access.url + path,
            params=params,
            data=data,
            json=json,
            headers=headers,
            stream=stream,
            timeout=_SECONDS,
        )
        answer.raise_for_status()
        return answer


def pooled_session() -> requests.Session:
    """A session that keeps a connection for each of many threads."""
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
    return session
