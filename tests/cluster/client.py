"""A small client of the API server for the tests; it shares no code with the service."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import urllib3

Json = dict[str, Any]

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server said no."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"{status}: {what}")
        self.status = status


@dataclass
class Client:
    """One user's connections to one API server; safe to share between threads."""

    url: str
    ca: str
    token: str
    _pool: urllib3.PoolManager = field(init=False)
    _plurals: dict[str, Mapping[str, tuple[str, bool]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pool = urllib3.PoolManager(ca_certs=self.ca, maxsize=64, retries=False)

    def call(
        self, method: str, path: str, body: object = None, content: str = "application/json"
    ) -> Json:
        """The answer's document.

        Raises:
            ApiError: the status is not of success.
            urllib3.exceptions.HTTPError: there was no answer.
        """
        answer = self._pool.request(
            method, self.url + path, body=None if body is None else json.dumps(body),
            headers=self._headers(content), timeout=20.0,
        )  # fmt: skip
        document: Json = json.loads(answer.data or "{}") if answer.data[:1] == b"{" else {}
        if answer.status >= 300:
            raise ApiError(answer.status, document.get("message") or answer.data.decode())
        return document

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """Where a kind is served, as the API server's discovery tells it."""
        prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if kind not in self._plurals.get(api_version, {}):
            self._plurals[api_version] = {
                it["kind"]: (it["name"], it["namespaced"])
                for it in self.call("GET", prefix)["resources"]
                if "/" not in it["name"]
            }
        try:
            plural, namespaced = self._plurals[api_version][kind]
        except KeyError:
            raise ApiError(404, f"{kind} {api_version} is not served") from None
        where = f"/namespaces/{namespace}" if namespaced and namespace else ""
        return f"{prefix}{where}/{plural}" + (f"/{name}" if name else "")

    def apply(self, obj: Json, manager: str = "test") -> Json:
        """Server-side apply."""
        query = urlencode({"fieldManager": manager, "force": "true"})
        return self.call("PATCH", f"{self._of(obj)}?{query}", obj, _APPLY)

    def create(self, obj: Json) -> Json:
        """Create an object that does not exist."""
        return self.call("POST", self._of(obj).rpartition("/")[0], obj)

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Json:
        """One object."""
        return self.call("GET", self.path(api_version, kind, namespace, name))

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Json | None:
        """One object, None where it does not exist."""
        try:
            return self.get(api_version, kind, namespace, name)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, api_version: str, kind: str, namespace: str = "") -> list[Json]:
        """All objects of a kind."""
        document = self.call("GET", self.path(api_version, kind, namespace))
        return [{"apiVersion": api_version, "kind": kind} | it for it in document["items"]]

    def patch(self, obj: Json, patch: Json, *, sub: str = "", manager: str = "test") -> Json:
        """A merge patch of an object, or of a subresource of it."""
        path = self._of(obj) + (f"/{sub}" if sub else "")
        return self.call("PATCH", f"{path}?fieldManager={manager}", patch, _MERGE)

    def delete(self, obj: Json) -> None:
        """Delete an object."""
        self.call("DELETE", self._of(obj))

    def version(self) -> int:
        """The store's revision now: a list without resourceVersion is a consistent read."""
        document = self.call("GET", "/api/v1/namespaces/default/configmaps?limit=1")
        return int(document["metadata"]["resourceVersion"])

    @contextmanager
    def watch(self, path: str, version: str, seconds: int = 3600) -> Iterator[Iterator[Json]]:
        """The events of a watch from a version on."""
        query = urlencode(
            {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(seconds),
             "allowWatchBookmarks": "true"}
        )  # fmt: skip
        answer = self._pool.request(
            "GET", f"{self.url}{path}?{query}", headers=self._headers(), preload_content=False,
            timeout=urllib3.Timeout(connect=5, read=seconds + 5),
        )  # fmt: skip
        try:
            yield (json.loads(line) for line in _lines(answer))
        finally:
            answer.close()

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()

    def _of(self, obj: Json) -> str:
        meta = obj["metadata"]
        return self.path(obj["apiVersion"], obj["kind"], meta.get("namespace", ""), meta["name"])

    def _headers(self, content: str = "application/json") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": content}


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(64 * 1024):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line)
